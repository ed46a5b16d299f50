"""The page of a run: whole, without a network, and with the figures of the history."""

from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from local.demo.chart import NARROW, WIDE, chart
from local.demo.page import write_page
from local.demo.timeline import timeline
from tests.demo.runs import made_up

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
_VOID = {"meta", "link", "img", "br", "hr", "input"}
_SVG = "{http://www.w3.org/2000/svg}"


class Page(HTMLParser):
    """The page's elements, its text, the rows of its tables. Fails on an element that is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.words: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src", "action", "data")]
        if tag not in _VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1].append(data)


@pytest.fixture
def page(tmp_path: Path) -> Page:
    write_page(made_up(), tmp_path / "demo.html", NOW)
    return Page((tmp_path / "demo.html").read_text())


def test_nothing_is_fetched_and_nothing_runs(tmp_path: Path) -> None:
    write_page(made_up(), tmp_path / "demo.html", NOW)
    text = (tmp_path / "demo.html").read_text()
    assert Page(text).addresses == []
    assert not [word for word in ("<script", "@import", "url(", "<link", "http:", "https:") if word in text]


def test_the_figures_are_those_of_the_history(page: Page) -> None:
    assert ["2 populate", "0.0", "3.0", "2", "0", "0", "0.6"] in page.rows
    assert ["3 cutover", "3.0", "6.5", "0", "1", "2", "–"] in page.rows
    assert ["writes lost", "0"] in page.rows
    assert ["twin", "3.0", "1.0", "3.5"] in page.rows
    assert ["7", "0", "1", "0", "0", "20", "20"] in page.rows


def test_a_lost_write_stands_above_everything(tmp_path: Path) -> None:
    write_page(made_up(final="red"), tmp_path / "demo.html", NOW)
    lost = Page((tmp_path / "demo.html").read_text())
    assert ["writes lost", "1"] in lost.rows
    assert "✗ 1 finding: this run is not as it must be." in lost.words


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_no_label_runs_into_another_or_over_the_edge(width: int) -> None:
    svg = chart(timeline(made_up()), width)
    boxes = list(_boxes(svg))
    assert all(left >= -1 and right <= width + 1 for left, right, _, _ in boxes), boxes
    for place, (left, right, line, text) in enumerate(boxes):
        beside = [other for other in boxes[place + 1 :] if abs(other[2] - line) < 10]
        assert not [other for other in beside if other[0] < right and left < other[1]], (text, beside)


def test_an_svg_is_the_time_line_alone(tmp_path: Path) -> None:
    write_page(made_up(), tmp_path / "demo.svg", NOW)
    svg = ET.fromstring((tmp_path / "demo.svg").read_text())
    bars = [bar.findtext(f"{_SVG}title") for bar in svg.iter(f"{_SVG}rect") if bar.get("class") == "refused"]
    assert [said for said in bars if said] == [f"{at} s: 1 per second, refused" for at in (4, 6)]
    style = svg.findtext(f"{_SVG}style") or ""
    assert "prefers-color-scheme" in style
    assert "background: var(--sheet)" in style


def _boxes(svg: ET.Element) -> Iterator[tuple[float, float, float, str]]:
    """Left, right, baseline and words of each text, its width reckoned generously."""
    for text in svg.iter("text"):
        words, style = text.text or "", str(text.get("class")).split()
        at, wide = float(text.get("x") or 0), len(words) * (6.6 if "title" in style else 5.8)
        left = at - wide if "end" in style else at - wide / 2 if {"middle", "on"} & set(style) else at
        yield left, left + wide, float(text.get("y") or 0), words

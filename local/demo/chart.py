"""The time line as one SVG: what happened when, all panels over the same seconds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from local.demo.canvas import Canvas, Panel, steps
from local.demo.timeline import SOURCE, TWIN, Point, Span, Timeline, Writes

STYLE = Path(__file__).with_name("chart.css").read_text()
WIDE, NARROW = 1040, 380
_GAP = 5.0  # a mirror that was noted longer ago than this had nothing to do: the line is not drawn on
_OPEN = {SOURCE: ("old table", "old"), TWIN: ("new table", "new"), "": ("neither", "")}


@dataclass(frozen=True, slots=True)
class _Series:
    label: str
    style: str


_OLD, _NEW = _Series("old table", SOURCE), _Series("new table", TWIN)


def chart(line: Timeline, width: int = WIDE) -> ET.Element:
    """For the page; its styles are STYLE."""
    canvas = Canvas(width, line.seconds)
    for span in line.refusing:
        canvas.shade(span.start, span.end, f"some client was refused for {span.end - span.start:.1f} s")
    _bands(canvas, line)
    tall, low = (150, 70) if width >= WIDE else (120, 64)
    accepted: list[tuple[_Series, Callable[[Writes], int]]] = [(_OLD, lambda w: w.source), (_NEW, lambda w: w.twin)]
    _bars(canvas, "Writes accepted per second", tall, line, accepted)
    refused: list[tuple[_Series, Callable[[Writes], int]]] = [(_Series("refused", "refused"), lambda w: w.refused)]
    _bars(canvas, "Writes refused per second, each tried again", low, line, refused)
    late = [(_Series("into the new", TWIN), line.to_twin), (_Series("into the old", SOURCE), line.to_source)]
    _lines(canvas, "Mirror: seconds behind", low, late, gap=_GAP)
    copied = [(_Series("copied", "copied"), line.copied), (_Series("compared", "compared"), line.compared)]
    _lines(canvas, "Items copied and compared", low, copied)
    canvas.finish("seconds since the clients began to write")
    return canvas.svg


def picture(line: Timeline) -> str:
    """The same as a file of its own, styles and all."""
    svg = chart(line)
    svg.insert(0, ET.Element("style"))
    # Whoever shows it may be dark where the reader's system is light.
    svg[0].text = f"{STYLE}.timeline {{ background: var(--sheet); }}"
    svg.set("xmlns", "http://www.w3.org/2000/svg")
    return ET.tostring(svg, encoding="unicode") + "\n"


def _bands(canvas: Canvas, line: Timeline) -> None:
    canvas.title("Stage being deployed")
    canvas.band([each.span for each in line.stages], lambda span: "pause" if span.short == "‖" else "stage")
    canvas.title("Table that takes writes", [("old", SOURCE), ("new", TWIN), ("neither", "neither")])
    styles = {span.start: span.label or "neither" for span in line.open}
    named = [Span(span.start, span.end, *_OPEN[span.label]) for span in line.open]
    canvas.band(named, lambda span: styles[span.start])


def _bars(
    canvas: Canvas,
    title: str,
    height: int,
    line: Timeline,
    series: Sequence[tuple[_Series, Callable[[Writes], int]]],
) -> None:
    most = max((sum(count(bar) for _, count in series) for bar in line.bars), default=0)
    panel = canvas.panel(title, height, most / line.width, [(one.label, one.style) for one, _ in series])
    for bar in line.bars:
        base = 0.0
        for one, count in series:
            if found := count(bar) / line.width:
                said = f"{bar.span.start:.0f} s: {found:g} per second, {one.label}"
                panel.bar(bar.span.start, bar.span.end, base, base + found, one.style, said)
                base += found


def _lines(
    canvas: Canvas, title: str, height: int, series: Sequence[tuple[_Series, Sequence[Point]]], gap: float = 0.0
) -> None:
    most = max((value for _, points in series for _, value in points), default=0.0)
    panel = canvas.panel(title, height, most, [(one.label, one.style) for one, _ in series])
    for one, points in series:
        _line(panel, points, one.style, gap)


def _line(panel: Panel, points: Sequence[Point], style: str, gap: float) -> None:
    run: list[Point] = []
    for point in points:
        if run and gap and point[0] - run[-1][0] > gap:
            panel.line(run, style)
            run = []
        run.append(point)
    panel.line(run if gap else steps(run, panel.canvas.seconds), style)

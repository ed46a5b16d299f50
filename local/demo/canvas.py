"""Panels over one axis of time, drawn from top to bottom. Every length is in the SVG's own units, which are pixels
where it is shown at its full width."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from local.demo.timeline import Point, Span

_LEFT, _RIGHT = 46.0, 10.0
_LETTER = 6.6  # a letter's width at the size of the labels, rather too much than too little
_TITLE, _BAND = 22.0, 24.0
_TICKS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600)


class Canvas:
    """`finish` draws the axis of time, and only then is the SVG as high as it must be."""

    def __init__(self, width: int, seconds: float) -> None:
        self.width, self.seconds = width, seconds
        self.svg = ET.Element("svg", {"role": "img", "class": "timeline"})
        ET.SubElement(self.svg, "title").text = "Time line of the run"
        self._behind = ET.SubElement(self.svg, "g")
        self._shades: list[tuple[float, float, str]] = []
        self.bottom = 0.0

    def x(self, at: float) -> float:
        """Where a second is."""
        return _LEFT + (self.width - _LEFT - _RIGHT) * min(max(at, 0.0), self.seconds) / self.seconds

    def shade(self, start: float, end: float, said: str) -> None:
        """A span that is marked through all panels."""
        self._shades.append((start, end, said))

    def title(self, text: str, series: Sequence[tuple[str, str]] = ()) -> None:
        """What stands above a panel: its name and its unit, and to the right which colour is what."""
        self.bottom += _TITLE
        self._text(0, self.bottom - 6, text, "title")
        at = self.width - _RIGHT
        for label, style in reversed(series):
            at -= len(label) * _LETTER
            self._text(at, self.bottom - 6, label, "legend")
            self.rect((at - 14, self.bottom - 15, 10, 10), style)
            at -= 14 + 8

    def band(self, spans: Iterable[Span], style: Callable[[Span], str]) -> None:
        """Spans side by side, each named as well as its width allows."""
        for span in spans:
            start, end = self.x(span.start), self.x(span.end)
            box = self.rect((start, self.bottom, max(end - start - 1, 0.5), _BAND), style(span))
            _tell(box, f"{span.label or 'neither'}: {span.start:.1f} s to {span.end:.1f} s")
            fits = [name for name in (span.label, span.short) if name and len(name) * _LETTER + 6 < end - start]
            if fits:
                self._text((start + end) / 2, self.bottom + 16, fits[0], f"on on-{style(span)}")
        self.bottom += _BAND + 6

    def panel(self, title: str, height: int, most: float, series: Sequence[tuple[str, str]]) -> "Panel":
        """A panel with an axis from 0 to `most` or a little above."""
        self.title(title, series)
        top, step = self.bottom + 4, _step(most)
        scale = step * max(1, -(-most // step))
        self.bottom = top + height
        made = Panel(self, top, height, scale)
        mark = 0.0
        while mark <= scale:
            self._line(_LEFT, made.y(mark), self.width - _RIGHT, made.y(mark), "grid" if mark else "axis")
            self._text(_LEFT - 6, made.y(mark) + 4, f"{mark:g}", "tick end")
            mark += step
        self.bottom += 8
        return made

    def finish(self, label: str) -> None:
        step = next((each for each in _TICKS if (self.width - _LEFT) * each / self.seconds >= 44), _TICKS[-1])
        for at in range(0, int(self.seconds) + 1, step):
            self._line(self.x(at), self.bottom - 8, self.x(at), self.bottom - 3, "axis")
            self._text(self.x(at), self.bottom + 10, f"{at}", "tick middle")
        for start, end, said in self._shades:
            box = (self.x(start), 0.0, self.x(end) - self.x(start), self.bottom - 8)
            _tell(self.rect(box, "shade", self._behind), said)
        self._text((self.width + _LEFT) / 2, self.bottom + 28, label, "tick middle")
        self.bottom += 34
        self.svg.set("viewBox", f"0 0 {self.width} {self.bottom:.0f}")

    def rect(self, box: tuple[float, float, float, float], style: str, parent: ET.Element | None = None) -> ET.Element:
        names = ("x", "y", "width", "height")
        sizes = {name: f"{size:.1f}" for name, size in zip(names, box, strict=True)}
        return ET.SubElement(self.svg if parent is None else parent, "rect", {"class": style, **sizes})

    def _line(self, x1: float, y1: float, x2: float, y2: float, style: str) -> None:
        ends = {"x1": f"{x1:.1f}", "y1": f"{y1:.1f}", "x2": f"{x2:.1f}", "y2": f"{y2:.1f}"}
        ET.SubElement(self.svg, "line", {"class": style, **ends})

    def _text(self, x: float, y: float, text: str, style: str) -> None:
        ET.SubElement(self.svg, "text", {"class": style, "x": f"{x:.1f}", "y": f"{y:.1f}"}).text = text


@dataclass(frozen=True, slots=True)
class Panel:
    canvas: Canvas
    top: float
    height: float
    scale: float

    def y(self, value: float) -> float:
        return self.top + self.height * (1 - value / self.scale)

    def bar(self, start: float, end: float, low: float, high: float, style: str, said: str) -> None:
        left, right = self.canvas.x(start), self.canvas.x(end)
        gap = 1.0 if right - left > 4 else 0.0
        box = (left + gap / 2, self.y(high), right - left - gap, self.y(low) - self.y(high))
        _tell(self.canvas.rect(box, style), said)

    def line(self, points: Sequence[Point], style: str) -> None:
        """A point alone is drawn as a dot."""
        at = [(f"{self.canvas.x(x):.1f}", f"{self.y(y):.1f}") for x, y in points]
        if len(at) == 1:
            ET.SubElement(self.canvas.svg, "circle", {"class": style, "cx": at[0][0], "cy": at[0][1], "r": "2"})
        elif at:
            drawn = {"class": f"line {style}", "points": " ".join(map(",".join, at))}
            ET.SubElement(self.canvas.svg, "polyline", drawn)


def steps(points: Sequence[Point], until: float) -> list[Point]:
    """What holds until the next point, and the last one until the end, as a line."""
    ends = [*(x for x, _ in points[1:]), until]
    return [corner for (x, y), end in zip(points, ends, strict=False) for corner in ((x, y), (end, y))]


def _step(most: float) -> float:
    """The distance of two to four marks up to `most`: 1, 2 or 5, or a power of ten of these."""
    size = 0.1
    while True:
        for each in (1, 2, 5):
            if size * each * 4 >= most:
                return size * each
        size *= 10


def _tell(element: ET.Element, said: str) -> None:
    ET.SubElement(element, "title").text = said

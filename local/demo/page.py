"""One page that shows a run: no script, nothing from a network, readable in any browser."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from string import Template
from xml.etree import ElementTree as ET

from local.cli.words import plural
from local.demo.chart import NARROW, STYLE, WIDE, chart, picture
from local.demo.figures import Figure, calls_made, faults, turn_times
from local.demo.run import Run
from local.demo.timeline import Point, Timeline, Writes, timeline
from local.traffic.check import Verdict

_PAGE = Template(Path(__file__).with_name("page.html").read_text())
_PICTURE = ".svg"


def write_page(run: Run, path: Path, now: datetime) -> None:
    """Write the page of a run; its time line alone where `path` is an SVG."""
    line = timeline(run)
    path.write_text(picture(line) if path.suffix == _PICTURE else page(run, line, now))


def page(run: Run, line: Timeline, now: datetime) -> str:
    """The page as text."""
    verdict = run.verdict
    return _PAGE.substitute(
        seed=run.seed,
        date=now.strftime("%Y-%m-%d %H:%M"),
        seconds=f"{line.seconds:.0f}",
        judged="good" if verdict.clean else "bad",
        verdict=escape(_judged(verdict)),
        tiles="\n".join(map(_tile, _most_important(verdict))),
        style=STYLE,
        wide=_svg(line, WIDE),
        narrow=_svg(line, NARROW),
        stages=_stages(line),
        calls=_figures(calls_made(verdict)),
        faults=_figures(faults(verdict)),
        turns=_turns(run),
        bars=_bars(line),
    )


def _judged(verdict: Verdict) -> str:
    if verdict.clean:
        return f"✓ Nothing was lost: each of {verdict.acknowledged:,} acknowledged writes is accounted for in the end."
    return f"✗ {plural(len(verdict.findings), 'finding')}: this run is not as it must be."


def _most_important(verdict: Verdict) -> list[Figure]:
    lost, *_ = faults(verdict)
    failed = next(figure for figure in faults(verdict) if figure.title == "reads that failed")
    return [
        lost,
        failed,
        Figure("writes acknowledged", f"{verdict.acknowledged:,}"),
        Figure("writes refused, then tried again", f"{verdict.refusals.writes:,}"),
        Figure("longest wait of one client", f"{verdict.refusals.longest_wait:.1f} s"),
    ]


def _tile(figure: Figure) -> str:
    return f"<div><dt>{escape(figure.title)}</dt><dd{_class(figure)}>{escape(figure.value)}</dd></div>"


def _class(figure: Figure) -> str:
    return "" if figure.good is None else f' class="{"good" if figure.good else "bad"}"'


def _svg(line: Timeline, width: int) -> str:
    return ET.tostring(chart(line, width), encoding="unicode")


def _figures(figures: Iterable[Figure]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(figure.title.strip())}</th><td{_class(figure)}>{escape(figure.value)}</td></tr>'
        for figure in figures
    )
    return f"<table><tbody>{rows}</tbody></table>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    above = "".join(f'<th scope="col">{escape(each)}</th>' for each in head)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(each)}</td>" for each in rest)}</tr>'
        for first, *rest in rows
    )
    return f"<table><thead><tr>{above}</tr></thead><tbody>{body}</tbody></table>"


def _stages(line: Timeline) -> str:
    head = ("stage", "from, s", "took, s", "writes to the old table", "to the new table", "refused", "mirror late, s")
    return _table(head, (_stage(line, found) for found in line.stages))


def _stage(line: Timeline, found: Writes) -> tuple[str, ...]:
    span = found.span
    late = [value for at, value in (*line.to_twin, *line.to_source) if span.start <= at < span.end]
    return (
        span.label,
        f"{span.start:.1f}",
        f"{span.end - span.start:.1f}",
        f"{found.source:,}",
        f"{found.twin:,}",
        f"{found.refused:,}",
        f"{max(late):.1f}" if late else "–",
    )


def _turns(run: Run) -> str:
    head = ("turn to", "seal to open, s", "then until all were let in, s", "writes refused, s")
    rows = (
        (each.to, f"{each.sealed:.1f}", f"{each.deployment:.1f}", f"{each.refused:.1f}")
        for each in turn_times(run.verdict, run.turns)
    )
    return _table(head, rows)


def _bars(line: Timeline) -> str:
    head = (
        "from, s",
        "to the old table",
        "to the new table",
        "refused by the old",
        "refused by the new",
        "copied",
        "compared",
    )
    return _table(head, (_bar(line, bar) for bar in line.bars))


def _bar(line: Timeline, bar: Writes) -> tuple[str, ...]:
    counts = (bar.source, bar.twin, bar.refused_source, bar.refused_twin)
    jobs = (_holds(points, bar.span.end) for points in (line.copied, line.compared))
    return (f"{bar.span.start:.0f}", *(f"{count:,}" for count in counts), *jobs)


def _holds(points: Sequence[Point], at: float) -> str:
    """The value of the last point before a moment."""
    return next((f"{value:,.0f}" for when, value in reversed(points) if when < at), "–")

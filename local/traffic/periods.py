"""Which table took the writes, and when: at any moment at most one of the two may.

The periods are worked out from the acknowledged writes alone. As each write took effect at some moment of its interval,
there are many ways to divide the time; `periods` takes the one with the fewest changes of table. More changes than
there were turns means that both tables took writes at once.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from local.traffic.history import Call, Op


def periods(calls: Iterable[Call]) -> list[str]:
    """The tables in the order in which they took writes, with as few changes as the acknowledged writes allow."""
    writes = [call for call in calls if call.took_effect]
    candidates = [_from(first, writes) for first in sorted({call.table for call in writes})]
    return min(candidates, key=len, default=[])


def _from(first: str, writes: Sequence[Call]) -> list[str]:
    """Let `first` begin and every period last as long as the writes of the other table allow."""
    tables, current = [first], first
    waiting = list(writes)
    while True:
        others = [call for call in waiting if call.table != current]
        if not others:
            return tables
        change = min(call.end for call in others)
        waiting = [call for call in waiting if call.table != current or call.start > change]
        current = min(others, key=lambda call: call.end).table
        tables.append(current)


def owner_reads(calls: Iterable[Call]) -> list[Call]:
    """The answered reads that certainly met the table that took the writes at that time.

    Such a read lies between two acknowledged writes of its own table with no write of the other near them. All others
    may have met the table that follows, which is allowed to be a little late.
    """
    everything = list(calls)
    writes = [call for call in everything if call.may_have_taken_effect]
    reads = [call for call in everything if call.op is Op.READ and call.took_answer]
    certain: list[Call] = []
    for table in {call.table for call in reads}:
        own = sorted((call for call in writes if call.table == table and call.took_effect), key=lambda call: call.end)
        ends = [call.end for call in own]
        by_start = sorted(own, key=lambda call: call.start)
        starts = [call.start for call in by_start]
        foreign = _spans([call for call in writes if call.table != table])
        for read in (call for call in reads if call.table == table):
            before, after = bisect_right(ends, read.start) - 1, bisect_left(starts, read.end)
            if before >= 0 and after < len(starts):
                span = own[before].start, by_start[after].end
                if not _touches(foreign, *span):
                    certain.append(read)
    return certain


def _spans(calls: Iterable[Call]) -> list[tuple[float, float]]:
    """The intervals of the calls, those that overlap joined, in order."""
    joined: list[tuple[float, float]] = []
    for start, end in sorted((call.start, call.latest) for call in calls):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined


def _touches(spans: Sequence[tuple[float, float]], start: float, end: float) -> bool:
    place = bisect_right(spans, (end, float("inf"))) - 1
    return place >= 0 and spans[place][1] >= start

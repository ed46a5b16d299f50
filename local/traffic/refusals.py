"""How long clients could not write: the price of a turn, as they felt it."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from local.traffic.history import Call, Outcome

# Refusals closer together than this belong to the same turn.
SAME_TURN_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Refusals:
    writes: int  # a batch counts once for each of its keys, as it does among the acknowledged
    spans: tuple[tuple[float, float], ...]  # times in which some client was waiting to be let in again, one a turn
    longest_wait: float  # seconds that one client waited
    given_up: tuple[Call, ...]  # refused, and never again tried with success

    @property
    def seconds(self) -> float:
        """Seconds in which at least one client was being refused."""
        return sum(end - start for start, end in self.spans)


def refusals(calls: Iterable[Call]) -> Refusals:
    """From the first refusal of a client to the end of its next write that is not refused."""
    by_client: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        if call.is_write:
            by_client[call.client].append(call)
    refused, waits, given_up = 0, [], []
    for own in by_client.values():
        since: Call | None = None
        for call in sorted(own, key=lambda call: call.end):
            if call.outcome is Outcome.REFUSED:
                refused += 1
                since = since or call
            elif since:
                waits.append((since.start, call.end))
                since = None
        if since:
            given_up.append(since)
    longest = max((end - start for start, end in waits), default=0.0)
    return Refusals(refused, tuple(_joined(waits)), longest, tuple(given_up))


def _joined(waits: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    spans: list[tuple[float, float]] = []
    for start, end in sorted(waits):
        if spans and start - spans[-1][1] < SAME_TURN_SECONDS:
            spans[-1] = spans[-1][0], max(spans[-1][1], end)
        else:
            spans.append((start, end))
    return spans

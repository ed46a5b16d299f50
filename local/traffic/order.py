"""What one client may read of one key: never something older than its own writes or than what it has read before.

This holds on whatever table the client reads, the one that follows included, so it needs no knowledge of the migration.
A write is older than another for certain when it ended before the other began. `floor` is a time: the client is known
to have seen a write that began at or after it; so a value whose every write ended before the floor is stale.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from local.traffic.history import Call, Op, Outcome

_BEFORE_ALL = float("-inf")


@dataclass(slots=True)
class StaleReads:
    missed_own_write: list[Call] = field(default_factory=list)
    went_back: list[Call] = field(default_factory=list)
    never_written: list[Call] = field(default_factory=list)


def stale_reads(calls: Iterable[Call]) -> StaleReads:
    """The reads of one key that a client must not have got, each listed once."""
    by_end = sorted(calls, key=lambda call: call.end)
    written: dict[str | None, list[tuple[float, float]]] = defaultdict(list)  # value: (earliest, latest) of its writes
    written[None].append((_BEFORE_ALL, _BEFORE_ALL))  # before any write there is nothing
    for call in by_end:
        if call.may_have_taken_effect:
            written[None if call.op is Op.DELETE else call.value].append((call.start, call.latest))
    found = StaleReads()
    own: dict[str, float] = {}
    floor: dict[str, float] = {}
    for call in by_end:  # a client makes one call at a time, so its calls end in the order in which they began
        client = call.client
        if call.took_effect:
            own[client] = call.start
            floor[client] = max(floor.get(client, _BEFORE_ALL), call.start)
        elif call.op is Op.READ and call.outcome is Outcome.ACKNOWLEDGED:
            seen = floor.get(client, _BEFORE_ALL)
            fitting = [start for start, latest in written[call.value] if start <= call.end and latest >= seen]
            if not written[call.value]:
                found.never_written.append(call)
            elif fitting:
                floor[client] = max(seen, min(fitting))
            elif any(latest >= own.get(client, _BEFORE_ALL) for _, latest in written[call.value]):
                found.went_back.append(call)
            else:
                found.missed_own_write.append(call)
    return found

"""When has the mirror caught up with everything that is older than a turn? Pure.

A turn copies every key written after its mark itself. What was written before the mark it never sees, so the mirror
must have brought it over, and no invocation that began before may still be writing: its write would land behind the
turn's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from replication.errors import NotSettled
from replication.register import WORKER, Standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from replication.register import Progress, Registered
    from replication.stream import Seen


@dataclass(frozen=True)
class Sight:
    """What was seen of the mirror of the owner's stream in one look."""

    at: float
    work: Sequence[Registered]  # not signed off: batches of this stream, and workers
    progress: Progress | None
    problems: Sequence[str]  # of the mappings
    sound: bool  # nothing has failed that no comparison has looked at since
    compared_since: float  # when the last comparison that found both tables equal began
    unmirrored: Seen | None  # the oldest record read since the mark that the mirror has not signed off anything after


@dataclass
class Settling:
    """Decides over a series of sights."""

    marked_at: float
    settle: float
    limit: float
    lag_limit: float

    def __post_init__(self) -> None:
        self._since = self.marked_at  # since when all has been well
        self._reasons: tuple[str, ...] = ()

    def done(self, sight: Sight) -> bool:
        """Whether all has been well for long enough. Raises NotSettled when that has not come in time."""
        if not sight.sound:
            # No waiting helps, not even when a repetition has made it good: the first attempt may have left a write
            # behind that still lands.
            raise NotSettled(
                "A write of the mirror has failed since the tables were last compared. Wait for the next "
                "comparison, then update the stack again."
            )
        self._reasons = tuple(self._unwell(sight))
        if self._reasons:
            self._since = sight.at
        late_at = sight.progress.late_at if sight.progress else None
        if late_at is not None and late_at > self._since:
            self._since = late_at  # what was late may have been older than the mark: watch for a whole while again
        waited = sight.at - self._since
        # An invocation that began within the while, or of which we know that it holds such records, may be writing
        # what is older than the mark. So the while is over when all that is under way began after it and holds none.
        under_way = [
            one
            for one in sight.work
            if not self._made_good(one, sight)
            and (one.began < self._since + self.settle or (one.lane != WORKER and one.oldest_at <= self.marked_at + 2))
        ]
        if not self._reasons and waited >= self.settle and not under_way:
            return True
        if sight.at - self.marked_at >= self.limit:
            raise NotSettled(self._explained(under_way, late_at))
        return False

    @staticmethod
    def _made_good(one: Registered, sight: Sight) -> bool:
        """A worker died over a page, and a comparison that began after that found nothing wrong."""
        return one.lane == WORKER and one.deadline < min(sight.at, sight.compared_since)

    def _unwell(self, sight: Sight) -> Iterable[str]:
        yield from sight.problems
        failed = [one for one in sight.work if one.failing]
        if failed:
            yield (
                f"The mirror cannot write {len(failed)} of its batches, the first because of {failed[0].error}: the "
                "log of the replicator function says more; a repair brings their keys over."
            )
        oldest = sight.unmirrored
        # A record of after the mark that waits for most of the while tells of older ones that may wait for all of it.
        # The stream rounds times down to the second.
        if oldest is not None and sight.at - oldest.at > min(self.lag_limit + 1, max(3, self.settle / 2)):
            yield f"A record waits to be mirrored since {sight.at - oldest.at:.0f} s: the mirror stands still."

    def _explained(self, under_way: Sequence[Registered], late_at: float | None) -> str:
        reasons = list(self._reasons)
        if under_way and not reasons:
            put_off = sum(one.standing is Standing.PUT_OFF for one in under_way)
            reasons.append(
                "Not all that writes the other table has ended: invocations under way: "
                f"{len(under_way) - put_off}; batches put off that have not come again: {put_off}."
            )
        if late_at is not None and late_at > self.marked_at and not reasons:
            reasons.append(f"The mirror is more than {self.lag_limit:.0f} s behind.")
        told = " ".join(reasons) or f"There was no while of {self.settle:.0f} s in which all was well."
        why = f"The mirror did not settle within {self.limit:.0f} s, so nothing was changed."
        return f"{why} {told} Then update the stack again."

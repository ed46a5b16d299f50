"""Takes out of the register what nobody will sign off any more.

The mirror's batches come again, and sign off then. Two kinds of work do not come again:

  - A worker that died: another one goes on from its last page, under a name of its own.
  - A batch of an earlier migration under the same id (off, and replicate again). Race: an invocation has read the
    record, the migration is removed with all that is registered, and now the invocation registers, is refused by the
    table that was closed for good, and puts the batch off. Its mapping is gone, so nobody ends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replication.register import WORKER, Standing

if TYPE_CHECKING:
    from replication.pair import Pair
    from replication.register import Registered
    from replication.worker import Means

_LATEST_REPORT = 5.0  # seconds after its deadline by which nothing of an invocation is under way any more


def sweep(means: Means, pair_id: str) -> int:
    """Forgets dead workers and the batches of earlier migrations, once they are certainly over. Returns how many.

    A page of a dead worker may be half copied, or a write of it may have landed behind newer ones: comparisons begun
    before are void, and the next one finds it.
    """
    now = means.patience.clock()
    found = means.register.work(pair_id)
    # Read after the register: whoever has registered for a record that is not this one did so for an earlier one.
    pair = means.state.find(pair_id)
    over = [one for one in found if one.standing is not Standing.RUNNING or one.deadline + _LATEST_REPORT < now]
    dead = [one for one in over if one.lane == WORKER and one.standing is Standing.RUNNING]
    former = [one for one in over if pair is not None and _is_former(one, pair)]
    if dead:
        means.state.note_failure(pair_id, now)
    for one in (*dead, *former):
        means.register.forget_attempt(one)
    return len(dead) + len(former)


def _is_former(one: Registered, pair: Pair) -> bool:
    """Whether it was registered for a record before this one; what an earlier version registered does not say."""
    return one.life is not None and pair.born is not None and one.life != pair.born

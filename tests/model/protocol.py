"""The protections of the protocol, each by name, so that each can be taken out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Protocol:
    """All True is what EncryptMigrate does. A False is what a simpler protocol would leave out."""

    # ---- the steps of a turn
    settle: bool = True  # what is older than the mark is mirrored, and who did it is over, before anything is changed
    seal: bool = True  # the owner is closed to clients before the look
    spread: bool = True  # after a change of policy the turn waits until it is in effect everywhere
    fence: bool = True  # the other table is closed to the replicator by a change of its own, before the look
    drain: bool = True  # no invocation that began before the fence is under way when the look begins
    look: bool = True  # every key written since the mark is copied from the sealed owner
    read_again: bool = True  # what was read ahead of the look counts no more once a newer record of the key has come
    answered: bool = True  # a write of the look that got no answer is not sent again: the turn is undone
    open_refuses_ours: bool = True  # a table that clients write is closed to the replicator and to workers
    hold: bool = True  # the old owner stays closed to everybody until its stream has been read for strays
    open_then_release: bool = True  # ... and is not handed to the replicator together with the opening of the new one

    # ---- who may act
    token: bool = True  # the record is written by the holder of the newest token alone
    one_holder: bool = True  # two invocations of one request never hold the same token
    own_fence: bool = True  # a fence lets through the one holder that made it, not whoever turns
    revision: bool = True  # a policy is changed only if it is still the one seen before the token was last proved
    fresh_revisions: bool = True  # every document names its token, so that no revision ever comes back
    undo_in_order: bool = True  # undoing closes the other table to the turn, waits, and only then opens the owner
    forward_only: bool = True  # once the owner has changed a turn is finished, not undone

    # ---- the register
    owner_read: bool = True  # each invocation of the replicator reads the owner, none remembers it
    echoes_end: bool = True  # ... and takes what is older than the last look for an echo, whoever owns now
    registers_first: bool = True  # ... after it has registered
    registers_put_off: bool = True  # a batch that is put off stays in the register until it has come again
    by_age: bool = True  # settling asks how old the records of a batch are, not only when the batch began
    workers_register: bool = True  # a copy worker's page is in the register until its second look found nothing
    workers_check: bool = True  # a copy worker reads the owner anew for each page, and takes none during a turn

    # ---- evidence
    failure_voids: bool = True  # a death, an unanswered write, a poisoned record: each voids the comparison
    failure_undoes: bool = True  # a turn does not settle once the comparison is void
    compare_from_start: bool = True  # a comparison counts from when it began, not from when it ended
    compare_waits: bool = True  # it begins only when what got no answer can no longer land
    damage_looks_back: bool = True  # a turn back that does not settle looks at all that the stream still holds
    late_found: bool = True  # records older than the mark that come after settling are noticed

"""Puts policies on tables, and knows which of them are ours.

A change names the revision it replaces, so that two who act for one pair cannot overwrite each other unawares. What is
read back may be old for a while (reading a policy is eventually consistent), so the revision that the record remembers
comes first, and reading is repeated when it does not fit. Two changes of one table lie PolicyInterval apart, because
DynamoDB refuses the second until then.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from replication.errors import PolicyConflict, StaleTurn, TableGone
from replication.pair import Damage, Pair, Placed, Side
from replication.policies import LARGEST, Mode, Roles, digest, document, left_behind, put_by_us

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from replication.state import State

_NONE = "NO_POLICY"  # the revision that DynamoDB wants to be told where no policy is expected
_PAUSE = 1.0  # seconds between two attempts
_MISMATCH = "PolicyNotFoundException"  # also what a change is refused with that expects another revision
# Another change of this table is under way or was made a moment ago, or the service has trouble: wait and try again.
_BUSY = {
    "InternalServerError",
    "LimitExceededException",
    "ResourceInUseException",
    "ServiceUnavailable",
    "ThrottlingException",
}


@dataclass(frozen=True)
class Found:
    """A policy as it was read from a table."""

    document: Mapping[str, Any]
    revision: str


class Access:
    """The policies of the tables of all pairs."""

    def __init__(
        self,
        client: DynamoDBClient,
        state: State,
        roles: Roles,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        *,
        interval: float,
        patience: float,
    ) -> None:
        """`interval`: seconds between two changes of one table; `patience`: seconds until a change is given up."""
        self._client = client
        self._state = state
        self._roles = roles
        self._clock = clock
        self._sleep = sleep
        self._interval = interval
        self._patience = patience

    def place(self, pair: Pair, side: Side, mode: Mode, token: int) -> Pair:
        """Puts a mode on a table, for whoever holds the token; returns the record that remembers it.

        `pair` must be as a write under that very token has returned it: the revision that is replaced is the one that
        this write has seen, so that a holder who hangs before the change cannot make it any more. Repeating it under
        the same token changes nothing.

        Raises StaleTurn when a later token has put a policy there, PolicyConflict when it cannot be put within the
        patience, TableGone.
        """
        placed = pair.revisions.get(side)
        if placed is not None and (placed.mode, placed.token) == (mode, token):
            return pair
        wanted = self._document(pair, side, mode, token)
        revision = self._put(pair, side, wanted, token)
        return self._state.note_policy(
            pair.pair_id, token, side, Placed(revision, mode, token, self._clock(), digest(wanted))
        )

    def leave(self, pair: Pair, side: Side, token: int, *, closed: bool) -> None:
        """Gives a table back: with the user's own policy alone, or, `closed`, with a Deny on all writes beside it.

        A table that is gone is left alone. Raises like `place`.
        """
        own = pair.policy(side)
        try:
            if closed:
                self._put(pair, side, left_behind(token, pair.table(side).arn, own), token)
            else:
                self._put(pair, side, json.loads(own) if own else None, token)
        except TableGone:
            return

    def read(self, table_arn: str) -> Found | None:
        """The policy of a table, perhaps not its newest. Raises TableGone."""
        try:
            answer = self._client.get_resource_policy(ResourceArn=table_arn)
        except ClientError as error:
            if _code(error) == _MISMATCH:
                return None
            if _code(error) == "ResourceNotFoundException":
                raise TableGone(f"The table {table_arn} is gone.") from error
            raise
        return Found(json.loads(answer["Policy"]), answer["RevisionId"])

    def amiss(self, pair: Pair, side: Side, mode: Mode) -> bool:
        """Whether a table at rest has another policy than this mode, or than the template's own one asks for."""
        placed = pair.revisions.get(side)
        if placed is None or placed.mode != mode:
            return True
        wanted = self._document(pair, side, mode, placed.token)
        return placed.digest != digest(wanted) or self.altered(pair, side)

    def altered(self, pair: Pair, side: Side) -> bool:
        """Whether somebody else has changed the policy that we put there last, of a pair at rest. Raises TableGone.

        Not while what is read may still be older than that.
        """
        placed = pair.revisions.get(side)
        if placed is None or self._clock() - placed.at < self._patience:
            return False
        found = self.read(pair.table(side).arn)
        if found is not None and found.revision == placed.revision:
            return False
        if found is not None and digest(found.document) == placed.digest:
            return False
        # Race: the gate has put a newer one and has yet to note it, or died before it could.
        return self._ours(pair, side, found) != placed.mode

    def note_altered(self, pair: Pair, side: Side) -> None:
        """Keeps that somebody replaced the policy that we put there last: once for each that we put."""
        table, placed = pair.table(side).name, pair.revisions.get(side)
        if side is pair.owner:
            what = (
                f"Somebody changed the policy of {table}, which takes the writes. It stays as it is, in case that was "
                "wanted: setting the stage one lower, and up again, puts ours back."
            )
        else:
            what = (
                f"Somebody changed the policy of {table}, which keeps other writers off: it may have taken writes that "
                "do not count. The policy is put back, and a comparison follows; then repair what it finds."
            )
        if not any(known.what == what and (placed is None or known.at > placed.at) for known in pair.damage):
            self._state.note_damage(pair.pair_id, Damage(self._clock(), what))

    def _document(self, pair: Pair, side: Side, mode: Mode, token: int) -> dict[str, Any]:
        return document(mode, token, pair.table(side).arn, self._roles, pair.policy(side))

    def _put(self, pair: Pair, side: Side, wanted: Mapping[str, Any] | None, token: int) -> str:
        """Replaces the policy of a table (None: takes it away) once DynamoDB lets it. Returns the new revision."""
        text = json.dumps(wanted, separators=(",", ":")) if wanted else ""
        if len(text.encode()) > LARGEST:
            raise PolicyConflict(
                f"The policy of {pair.table(side).name} would have {len(text.encode())} bytes and DynamoDB allows "
                f"{LARGEST}: shorten the table's own ResourcePolicy."
            )
        arn, placed = pair.table(side).arn, pair.revisions.get(side)
        expected = placed.revision if placed else self._revision(self.read(arn))
        if placed is None:
            self._state.hold(pair.pair_id, token)
        self._wait_for_interval(placed)
        deadline = self._clock() + self._patience
        while True:
            try:
                return self._change(arn, text, expected)
            except ClientError as error:
                problem = error
            if not _passing(problem):
                raise _explained(problem, pair.table(side).name) from problem
            self._sleep(_PAUSE)
            if _code(problem) == _MISMATCH:
                found = self.read(arn)
                if (digest(found.document) if found else None) == (digest(wanted) if wanted else None):
                    return self._revision(found)  # this very change, whose answer was lost
                self._judge(pair, side, found, token)
                expected = self._revision(found)
                # Race: a holder that was given up for dead reads the revision that its successor has just put. So the
                # token is asked for after the reading, as it is before the first attempt by whoever calls this.
                self._state.hold(pair.pair_id, token)
            if self._clock() >= deadline:
                raise _explained(problem, pair.table(side).name) from problem

    def _change(self, arn: str, text: str, expected: str) -> str:
        if text:
            put = self._client.put_resource_policy(ResourceArn=arn, Policy=text, ExpectedRevisionId=expected)
            return put["RevisionId"]
        if expected != _NONE:
            self._client.delete_resource_policy(ResourceArn=arn, ExpectedRevisionId=expected)
        return _NONE

    def _judge(self, pair: Pair, side: Side, found: Found | None, token: int) -> None:
        """Looks at a policy that was not expected there: a later holder's stops us, a stranger's is reported."""
        ours, placed = put_by_us(found.document) if found else None, pair.revisions.get(side)
        if ours is not None and ours[1] > token:
            raise StaleTurn(f"{pair.table(side).name} already has the policy of a later holder of {pair.pair_id}.")
        if placed is None or (found is not None and digest(found.document) == placed.digest):
            return  # it was read too early to be new
        if self._ours(pair, side, found) is None:  # nor put by somebody who died before it could be noted
            self.note_altered(pair, side)

    def _ours(self, pair: Pair, side: Side, found: Found | None) -> Mode | None:
        """The mode of a policy that is word by word what we would have put; None of any other."""
        ours = put_by_us(found.document) if found else None
        if found is None or ours is None or digest(found.document) != digest(self._document(pair, side, *ours)):
            return None
        return ours[0]

    def _wait_for_interval(self, placed: Placed | None) -> None:
        if placed is not None:
            self._sleep(max(0.0, placed.at + self._interval - self._clock()))

    @staticmethod
    def _revision(found: Found | None) -> str:
        return found.revision if found else _NONE


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _passing(error: ClientError) -> bool:
    """Whether trying again can help. A role that was made a moment ago is unknown as a principal for a while."""
    message = str(error.response.get("Error", {}).get("Message", ""))
    return _code(error) in (*_BUSY, _MISMATCH) or (
        _code(error) == "ValidationException" and "principal" in message.lower()
    )


def _explained(error: ClientError, table: str) -> Exception:
    if _code(error) == "ResourceNotFoundException":
        return TableGone(f"The table {table} is gone.")
    return PolicyConflict(f"The policy of {table} could not be changed: {error}")

"""How a job of the population machine ends: what it has come to is noted, and CloudFormation is told."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from replication.answer import Verdict
from replication.errors import Refused, ReplicationError, StaleOrder, StaleWorker, TableGone
from replication.evidence import for_cleanup
from replication.ordered import OVERTAKEN, is_newest
from replication.pair import Pair, PopulationState
from replication.request import Stage
from replication.segments import Mode

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from replication.answer import Answers
    from replication.evidence import Facts
    from replication.machines import PopulationJob
    from replication.pair import Answer
    from replication.population import Conclusion
    from replication.state import State


@dataclass(frozen=True)
class Ending:
    """The last step of a job, good or bad. Each may be repeated."""

    state: State
    answers: Answers
    tables: DynamoDBClient
    facts: Callable[[Pair], Facts]
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    backup_patience: float = 600

    def concluded(self, job: PopulationJob, conclusion: Conclusion) -> None:
        """All segments are done. For a cleanup the evidence is judged and a backup made.

        Raises Refused when the source may not go, StaleOrder when a later request has come; the machine then calls
        `failed`.
        """
        if job.mode is Mode.CLEANUP:
            self._clean_up(job)
        self._tell(job, _judged(conclusion))

    def failed(self, job: PopulationJob, cause: str) -> None:
        """The job could not be ended: CloudFormation is told why."""
        if job.mode is Mode.POPULATE:
            with contextlib.suppress(StaleWorker):  # it was replaced; whoever waits for this one is told all the same
                self.state.note_population(
                    job.pair, job.job, State=PopulationState.FAILED, FinishedAt=self.clock(), Reason=cause
                )
        self._tell(job, Verdict(success=False, reason=cause))

    def _tell(self, job: PopulationJob, verdict: Verdict) -> None:
        """The answer that the record holds counts: a later request may have joined this copy."""
        if job.mode is not Mode.POPULATE:
            if job.answer is not None:
                self.answers.send(job.answer, verdict)
            return
        pair = self.state.find(job.pair)
        found = pair.population if pair else None
        if found is None or found.execution != job.job:
            if job.answer is not None:
                self.answers.send(job.answer, verdict)
        elif found.answer is not None and not found.answered:
            self.answers.send(found.answer, verdict)
            self.state.note_population(job.pair, job.job, Answered=True)

    def _clean_up(self, job: PopulationJob) -> None:
        """The source may go: everything speaks for it, a backup is there, and it can be deleted.

        Its policy stays: no client can write it until CloudFormation deletes it.
        """
        pair, request = self.state.pair(job.pair), job.answer.request_id if job.answer else ""
        if pair.turn is not None:
            raise Refused(["A turn of this pair has begun: update the stack again when it has ended."])
        if not is_newest(pair, request):  # R8: it began late, and the update has been rolled back
            raise StaleOrder(OVERTAKEN)
        reasons = for_cleanup(pair, self.facts(pair), writers_moved=job.writers_moved)
        if reasons:
            raise Refused(reasons)
        self._back_up(pair)
        try:
            self.tables.update_table(TableName=pair.source.name, DeletionProtectionEnabled=False)
        except ClientError as error:
            # DynamoDB says so when protection is off already, which a repetition finds.
            if error.response.get("Error", {}).get("Code") != "ValidationException":
                raise
        self.state.keep(pair.pair_id, request, Stage=Stage.CLEANUP, Paused=None)

    def _back_up(self, pair: Pair) -> None:
        """An on-demand backup of the source under a name that a repetition finds again."""
        name = f"{pair.source.name}-before-cleanup-{pair.epoch}"[:255]
        made = self._find_backup(pair, name)
        if made is None:
            made = self.tables.create_backup(TableName=pair.source.name, BackupName=name)["BackupDetails"]["BackupArn"]
        until = self.clock() + self.backup_patience
        while True:
            status = self.tables.describe_backup(BackupArn=made)["BackupDescription"]["BackupDetails"]["BackupStatus"]
            if status == "AVAILABLE":
                return
            if status == "DELETED" or self.clock() >= until:
                raise ReplicationError(f"The backup {name} is {status}, not AVAILABLE: update the stack again.")
            self.sleep(2.0)

    def _find_backup(self, pair: Pair, name: str) -> str | None:
        try:
            pages = self.tables.get_paginator("list_backups").paginate(TableName=pair.source.name, BackupType="USER")
            found: list[Any] = [one for page in pages for one in page.get("BackupSummaries", [])]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "TableNotFoundException":
                raise TableGone(f"The table {pair.source.name} is gone.") from error
            raise
        mine = [
            one["BackupArn"]
            for one in found
            if one["BackupName"] == name
            and one.get("TableId", pair.source.table_id) == pair.source.table_id
            and one["BackupStatus"] != "DELETED"
        ]
        return mine[0] if mine else None


def _judged(conclusion: Conclusion) -> Verdict:
    """What a comparison means for the update that waits for it."""
    if not conclusion.differences:
        return Verdict(success=True, reason=f"{conclusion.checked} items compared, all equal.")
    which = ", ".join(conclusion.digests[:5])
    return Verdict(
        success=False,
        reason=(
            f"The two tables are different in {conclusion.differences} of {conclusion.checked} keys, for example those "
            f"with digest {which}. Update the stack again: the copy is made anew. If it happens again, look into the "
            "log of the replicator."
        ),
    )


def waiting_answer(pair: Pair) -> Answer | None:
    """The answer that CloudFormation is waiting for from the population of a pair."""
    found = pair.population
    return None if found is None or found.answered else found.answer

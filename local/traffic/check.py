"""The verdict: does the history of all calls explain what the tables hold at the end, and every answer on the way?

It knows nothing of the program under test, of stages or of streams. What it is given: the history, the labels of the
items that the last table holds, how often the writes may have changed from one table to the other, and, where both
tables were looked at while nobody wrote, what each of them held.

It accuses nobody wrongly: where calls overlap or were never answered it takes the side of the tables. What it cannot
see is said in `docs/`: a write that another write of the same value would explain as well, and damage that was
repaired before anybody looked.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from local.traffic.explain import UndecidedError, contradiction
from local.traffic.history import Call, Op, Outcome
from local.traffic.labels import count_of
from local.traffic.order import stale_reads
from local.traffic.periods import owner_reads, periods
from local.traffic.refusals import Refusals, refusals

_EVER = float("inf")
Contents = Mapping[str, str]  # key: label, absent items left out


class Kind(StrEnum):
    LOST = "lost"
    COUNTER = "counter wrong"
    MISSED_OWN_WRITE = "read that missed an own write"
    WENT_BACK = "read that went back in time"
    UNEXPLAINED_READ = "read that no order of the writes explains"
    NEVER_WRITTEN = "read of something that nobody wrote"
    FAILED_READ = "read that failed"
    TORN = "transaction that is there by half"
    GIVEN_UP = "refused write that was never let in"
    BOTH_WRITTEN = "change of table that no turn explains"
    DIFFERENT = "key that differs between the tables at rest"
    UNDECIDED = "key with too many orders to follow"


@dataclass(frozen=True, slots=True)
class Finding:
    kind: Kind
    key: str
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    acknowledged: int
    unknown: int
    reads: int
    owner_reads: int
    refusals: Refusals
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        return not self.findings

    def count(self, kind: Kind) -> int:
        return Counter(finding.kind for finding in self.findings)[kind]


def check(
    calls: Iterable[Call],
    final: Contents,
    *,
    turns: int | None = None,
    at_rest: Sequence[tuple[Contents, Contents]] = (),
) -> Verdict:
    """Judge a whole run.

    `final`: what the table that clients were left with holds. `turns`: how often the owner changed, None when not
    known. `at_rest`: source and twin, read while no client wrote and the mirror had caught up.
    """
    history = list(calls)
    certain = {id(call) for call in owner_reads(history)}
    by_key: dict[str, list[Call]] = defaultdict(list)
    for call in history:
        by_key[call.key].append(call)
    findings: list[Finding] = []
    for key in sorted(by_key.keys() | final.keys()):
        findings += _judge_key(key, by_key[key], final.get(key), certain)
    findings += _torn(history, final, certain)
    findings += [
        Finding(Kind.FAILED_READ, call.key, f"{_told(call)} ended with {call.reason}")
        for call in history
        if call.op is Op.READ and call.outcome is not Outcome.ACKNOWLEDGED
    ]
    refused = refusals(history)
    findings += [Finding(Kind.GIVEN_UP, call.key, _told(call)) for call in refused.given_up]
    if turns is not None:
        order = periods(history)
        surplus = len(order) - 1 - turns
        findings += [Finding(Kind.BOTH_WRITTEN, "", f"{turns} turns, but writes went to {order}")] * max(0, surplus)
    for source, twin in at_rest:
        findings += _differences(source, twin)
    return Verdict(
        acknowledged=sum(call.took_effect for call in history),
        unknown=sum(call.is_write and call.outcome is Outcome.UNKNOWN for call in history),
        reads=sum(call.op is Op.READ and call.took_answer for call in history),
        owner_reads=len(certain),
        refusals=refused,
        findings=tuple(findings),
    )


def _judge_key(key: str, calls: Sequence[Call], final: str | None, certain: set[int]) -> list[Finding]:
    findings = []
    writes = [call for call in calls if call.is_write]
    last = Call(
        0, "at the end", Op.READ, "Scan", key, "", float("inf"), float("inf"), Outcome.ACKNOWLEDGED, value=final
    )
    is_counter = any(count_of(call.value) is not None for call in writes)
    try:
        if at := contradiction([*writes, last]):
            findings.append(Finding(Kind.COUNTER if is_counter else Kind.LOST, key, _unexplained(at, writes)))
        elif at := contradiction([call for call in calls if call.is_write or id(call) in certain] + [last]):
            findings.append(Finding(Kind.UNEXPLAINED_READ, key, _unexplained(at, writes)))
    except UndecidedError:
        findings.append(Finding(Kind.UNDECIDED, key, f"{len(calls)} calls"))
    if is_counter and not findings:
        findings += _miscounted(key, writes, final)
    stale = stale_reads(calls)
    findings += [Finding(Kind.MISSED_OWN_WRITE, key, _told(call)) for call in stale.missed_own_write]
    findings += [Finding(Kind.WENT_BACK, key, _told(call)) for call in stale.went_back]
    findings += [Finding(Kind.NEVER_WRITTEN, key, _told(call)) for call in stale.never_written]
    return findings


def _miscounted(key: str, writes: Sequence[Call], final: str | None) -> list[Finding]:
    """A second opinion on counters that are only counted up: plain arithmetic."""
    up = [call for call in writes if call.before is not None]
    if any(call.before is None and count_of(call.value) != 0 for call in writes):
        return []  # not only created at 0 and counted up
    least = sum(call.took_effect for call in up)
    most = sum(call.may_have_taken_effect for call in up)
    stands = count_of(final)
    if stands is not None and least <= stands <= most:
        return []
    if final is None and not least and not any(call.took_effect for call in writes):
        return []  # it may never have been created
    return [Finding(Kind.COUNTER, key, f"{least} to {most} times counted up, but it stands at {final}")]


def _torn(history: Sequence[Call], final: Contents, certain: set[int]) -> list[Finding]:
    """Keys that are only ever written together, to the same value, must always be read with the same value."""
    together: dict[int, set[str]] = defaultdict(set)
    for call in history:
        if call.is_write:
            together[call.number].add(call.key)
    partners: dict[str, set[frozenset[str]]] = defaultdict(set)
    for call in history:
        if call.is_write:
            atomic = call.via == "TransactWriteItems"
            partners[call.key].add(frozenset(together[call.number] if atomic else {call.key}))
    candidates = {group for sets in partners.values() for group in sets if len(group) > 1}
    groups = {group for group in candidates if all(partners[key] == {group} for key in group)}
    findings = [
        Finding(Kind.TORN, " ".join(sorted(group)), "at the end")
        for group in groups
        if len({final.get(key) for key in group}) > 1
    ]
    answers: dict[int, list[Call]] = defaultdict(list)
    for call in history:
        if call.via == "TransactGetItems" and id(call) in certain:
            answers[call.number].append(call)
    findings += [
        Finding(Kind.TORN, " ".join(sorted(call.key for call in calls)), _told(calls[0]))
        for calls in answers.values()
        if frozenset(call.key for call in calls) in groups and len({call.value for call in calls}) > 1
    ]
    return findings


def _differences(source: Contents, twin: Contents) -> list[Finding]:
    return [
        Finding(Kind.DIFFERENT, key, f"source {source.get(key)}, twin {twin.get(key)}")
        for key in sorted(source.keys() | twin.keys())
        if source.get(key) != twin.get(key)
    ]


def _unexplained(at: Call, writes: Sequence[Call]) -> str:
    """The call that has no explanation, and the last writes before it, among which the missing one is."""
    before = sorted((call for call in writes if call.took_effect and call.end <= at.end and call is not at), key=_end)
    found = f"at the end it holds {at.value}" if at.start == _EVER else _told(at)
    return f"{found}; written before: " + "; ".join(map(_told, before[-3:]))


def _end(call: Call) -> float:
    return call.end


def _told(call: Call) -> str:
    change = f"{call.before} -> {call.value}" if call.op is Op.SWAP else f"{call.value}"
    return f"{call.client} {call.via} {change} on {call.table} from {call.start:.3f} to {call.end:.3f} s"

"""What the demo reads in the state table, and what it makes of it."""

from collections.abc import Mapping
from typing import Any, cast

from local.demo.watch import Seen, Watch
from replication.register import Progress

RECORD: Mapping[str, Any] = {
    "Owner": {"S": "source"},
    "Stage": {"N": "2"},
    "Population": {"M": {"Execution": {"S": "job"}, "State": {"S": "running"}}},
    "Comparison": {"M": {"State": {"S": "running"}}},
}


NOTED: Mapping[str, Any] = {"progress#source": {"Item": {"EndedAt": {"N": "9.5"}, "Lag": {"N": "0.25"}}}}

LATE = Progress(9.5, 0.25, None)


class StateTable:
    """Answers one record of the pair after the other, and what the mirror noted."""

    def __init__(self, *records: Mapping[str, Any]) -> None:
        self._records = iter(records)

    def get_item(self, **request: Any) -> Any:
        item = request["Key"]["Item"]["S"]
        return {"Item": next(self._records)} if item == "pair" else NOTED.get(item, {})

    def query(self, **request: Any) -> Any:
        segments = {
            "segment#job#compare-owner-00000": 20,
            "segment#job#compare-other-00000": 4,
            "segment#job#copy-0": 9,
        }
        prefix = request["ExpressionAttributeValues"][":segments"]["S"]
        return {"Items": [{"Items": {"N": str(n)}} for name, n in segments.items() if name.startswith(prefix)]}


def watch(*records: Mapping[str, Any]) -> tuple[Watch, list[Seen]]:
    shown: list[Seen] = []
    return Watch(cast("Any", StateTable(*records)), "state", "guid/Users", shown.append), shown


def turn(request: str, **more: float) -> Mapping[str, Any]:
    fields = {name: {"N": str(value)} for name, value in more.items()}
    return {"Turn": {"M": {"Request": {"S": request}, "To": {"S": "twin"}, "Phase": {"S": "sealed"}, **fields}}}


def test_progress_and_owner_are_shown() -> None:
    watching, shown = watch(RECORD)
    watching.look()
    assert shown == [Seen("source", 2, "", 9, 12, "running", "running", to_twin=LATE)]


def test_before_there_is_a_record_nothing_is_shown() -> None:
    watching, shown = watch({})
    watching.look()
    assert shown == [Seen(to_twin=LATE)]


def test_the_times_of_a_turn_are_kept_when_the_record_has_lost_them() -> None:
    watching, _ = watch(turn("a", SealedAt=10.0), turn("a", SealedAt=10.0, OpenedAt=14.5), {"Owner": {"S": "twin"}})
    for _ in range(3):
        watching.look()
    (made,) = watching.made()
    assert (made.to, made.seconds) == ("twin", 4.5)


def test_a_turn_that_was_undone_is_not_counted() -> None:
    watching, _ = watch(turn("a", SealedAt=10.0), turn("b", SealedAt=20.0, OpenedAt=21.0))
    for _ in range(2):
        watching.look()
    assert [made.seconds for made in watching.made()] == [1.0]

"""An upgrade of the installation in the middle of a migration: what an earlier version has left is understood.

tests/earlier keeps the records that released versions wrote, of a pair at rest and at every phase of turns there and
back, as they stood in the state table. They are never rewritten; a release adds its own. What macros of released
versions wrote is in tests/golden/earlier.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from replication import request
from replication.codec import pack_item, unpack_item
from replication.pair import Pair, Phase
from tests.test_contract import delivered, resources

TESTS = Path(__file__).parents[2]
RECORDS = {
    f"{path.stem}, {label}": record
    for path in sorted((TESTS / "earlier").glob("*.json"))
    for label, record in json.loads(path.read_text()).items()
}
TEMPLATES = sorted((TESTS / "golden" / "earlier").glob("*/*/stage*.yaml"))


def test_every_phase_of_a_turn_is_there() -> None:
    phases = {record["Turn"]["M"]["Phase"]["S"] for record in RECORDS.values() if "Turn" in record}
    assert phases == set(Phase) - {Phase.UNDOING, Phase.UNDONE}


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_a_record_is_read_and_nothing_of_it_is_lost_when_it_is_written_again(record: dict[str, Any]) -> None:
    pair = Pair.from_item(unpack_item(record))
    assert missing(record, pack_item(pair.to_item())) == []


def missing(before: Any, after: Any, path: str = "") -> list[str]:
    """What one wire item holds and the other does not, or otherwise."""
    if not isinstance(before, dict):
        return [] if before == after else [path]
    if not isinstance(after, dict):
        return [path]
    return [each for name, value in before.items() for each in missing(value, after.get(name), f"{path}/{name}")]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: "-".join((*path.parts[-3:-1], path.stem)))
def test_the_gate_understands_what_an_earlier_macro_wrote(path: Path) -> None:
    gates = [request.read_gate(delivered(properties)) for properties in resources(path, request.GATE)]
    assert {gate.stage for gate in gates} == {int(path.stem.removeprefix("stage"))}
    for properties in resources(path, request.POPULATION):
        assert request.read_population(delivered(properties)).pair

"""What the macro writes, the gate reads: the halves share no code, so their contract is held here.

CloudFormation stands between them: it resolves references and hands over every scalar as text.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from migration import companions, options
from replication import request
from tests.macro.templates import load

ROOT = Path(__file__).parents[1]
STAGES = sorted((ROOT / "tests" / "golden").glob("*/stage*.yaml"))

HANDLED_BY_CLOUDFORMATION = {"ServiceToken", "ServiceTimeout"}
READ_FIRST = {"Version"}

GATE_PROPERTIES = {
    *HANDLED_BY_CLOUDFORMATION,
    *READ_FIRST,
    "Stage",
    "SourceLogicalId",
    "TwinLogicalId",
    "Source",
    "Twin",
    "Replication",
    "ReverseReplication",
    "SourcePolicy",
    "TwinPolicy",
    "StreamConsumers",
    "ChangingExports",
    "WritersMoved",
}
GONE_AT_CLEANUP = {"Source", "Replication", "ReverseReplication", "SourcePolicy"}
POPULATION_PROPERTIES = {*HANDLED_BY_CLOUDFORMATION, *READ_FIRST, "Pair", "WriteRate"}


def delivered(value: Any) -> Any:
    """A property as CloudFormation hands it to a custom resource; what a function gives is a text, or left out."""
    if isinstance(value, dict):
        if "Fn::If" in value:
            return delivered(value["Fn::If"][1])
        if len(value) == 1 and (next(iter(value)) == "Ref" or next(iter(value)).startswith("Fn::")):
            return "resolved"
        return {name: delivered(member) for name, member in value.items()}
    if isinstance(value, list):
        return [delivered(member) for member in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def resources(path: Path, resource_type: str) -> Iterator[dict[str, Any]]:
    for resource in load(path)["Resources"].values():
        if isinstance(resource, dict) and resource["Type"] == resource_type:
            yield resource["Properties"]


def camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def label(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


@pytest.mark.parametrize("path", STAGES, ids=label)
def test_the_gate_understands_what_the_macro_writes(path: Path) -> None:
    stage = int(path.stem.removeprefix("stage"))
    gates = list(resources(path, request.GATE))
    assert gates
    for properties in gates:
        found = request.read_gate(delivered(properties))
        assert found.stage == stage
        assert (found.source is None) is (stage == 4)
        assert (found.replication is None) is (stage == 4)
        assert found.source_logical_id + "Encrypted" == found.twin_logical_id
        assert (found.twin_policy is not None) is ("TwinPolicy" in properties)
        assert found.stream_consumers is ("StreamConsumers" in properties)
        assert len(found.changing_exports) == len(properties.get("ChangingExports", []))


@pytest.mark.parametrize("path", STAGES, ids=label)
def test_the_population_is_understood_and_exists_at_stage_2_and_3(path: Path) -> None:
    populations = list(resources(path, request.POPULATION))
    assert bool(populations) is (path.stem in {"stage2", "stage3"})
    for properties in populations:
        found = request.read_population(delivered(properties))
        assert found.write_rate == properties.get("WriteRate")


def test_the_macro_writes_the_properties_of_the_contract_and_no_others() -> None:
    written: dict[str, set[str]] = {request.GATE: set(), request.POPULATION: set()}
    at_cleanup: set[str] = set()
    for path in STAGES:
        for resource_type, names in written.items():
            for properties in resources(path, resource_type):
                names.update(properties)
                if path.stem == "stage4":
                    at_cleanup.update(properties)
    assert written == {request.GATE: GATE_PROPERTIES, request.POPULATION: POPULATION_PROPERTIES}
    assert at_cleanup == GATE_PROPERTIES - GONE_AT_CLEANUP


def test_the_gate_reads_the_properties_of_the_contract_and_no_others() -> None:
    for read, written in (
        (request.GateProperties, GATE_PROPERTIES),
        (request.PopulationProperties, POPULATION_PROPERTIES),
    ):
        fields = {camel(field.name) for field in dataclasses.fields(read)}
        assert fields | HANDLED_BY_CLOUDFORMATION | READ_FIRST == written


def test_both_halves_mean_the_same_version_and_limits() -> None:
    assert companions.CONTRACT_VERSION == request.VERSION
    highest = {"Version": "1", "Pair": "guid/Users", "WriteRate": str(options.HIGHEST_WRITE_RATE)}
    assert request.read_population(highest).write_rate == options.HIGHEST_WRITE_RATE


def test_the_installer_exports_what_the_macro_imports() -> None:
    exported = {
        output["Export"]["Name"] for output in load(ROOT / "template.yaml")["Outputs"].values() if "Export" in output
    }
    imported = {companions.REPLICATOR_EXPORT, companions.GATE_EXPORT, companions.FAILED_RECORDS_EXPORT}
    assert imported <= exported

"""An upgrade of the macro in the middle of a migration: an update at the same stage changes nothing that hurts.

tests/golden/earlier holds what released versions made of some templates: `<version>/<case>/input.yaml`, `stage1.yaml`
and so on. They are never rewritten. A release adds its own folder; what may differ from them is what CloudFormation can
change in place.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from migration.stages import Stage
from tests.macro.reading import names
from tests.macro.templates import Template, expanded, load

EARLIER = Path(__file__).parents[1] / "golden" / "earlier"
FILES = sorted(EARLIER.glob("*/*/stage*.yaml"))

# A change of these makes another resource of it: an empty table, a mapping that begins anew, a gate that turns back.
FIXED = {
    "AWS::DynamoDB::Table": ("TableName", "KeySchema", "ImportSourceSpecification", "StreamSpecification"),
    "AWS::Lambda::EventSourceMapping": ("EventSourceArn", "FunctionName", "StartingPosition"),
    "Custom::MigrationGate": ("ServiceToken", "SourceLogicalId", "TwinLogicalId", "Source", "Twin"),
    "Custom::MigrationPopulation": ("ServiceToken", "Pair"),
    "AWS::ApplicationAutoScaling::ScalableTarget": ("ResourceId", "ScalableDimension", "ServiceNamespace"),
    "AWS::Pipes::Pipe": ("Name", "Source"),
}


def harm(earlier: Template, now: Template) -> Iterator[str]:
    """What would hurt if the stack were updated from one to the other."""
    for logical_id, before in earlier["Resources"].items():
        after = now["Resources"].get(logical_id)
        if after is None or after["Type"] != before["Type"]:
            yield f"{logical_id} goes"
            continue
        for name in FIXED.get(before["Type"], ()):
            if before["Properties"].get(name) != after["Properties"].get(name):
                yield f"{logical_id} is replaced: {name} changes"
        if before.get("DeletionPolicy") == "Retain" and after.get("DeletionPolicy") != "Retain":
            yield f"{logical_id} is no longer kept"
        if lost := tables_named(before, earlier) - tables_named(after, earlier):
            yield f"{logical_id} does not name {', '.join(sorted(lost))} any more"
    for output_id, output in earlier.get("Outputs", {}).items():
        if "Export" in output and now.get("Outputs", {}).get(output_id) != output:
            yield f"the export {output_id} changes"


def tables_named(resource: Any, template: Template) -> set[str]:
    tables = {each for each, other in template["Resources"].items() if other["Type"] == "AWS::DynamoDB::Table"}
    return tables & names({"r": resource})


def test_there_are_earlier_versions() -> None:
    assert FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: "-".join((*path.parts[-3:-1], path.stem)))
def test_an_update_at_the_same_stage_changes_nothing_that_hurts(path: Path) -> None:
    stage = Stage(int(path.stem.removeprefix("stage")))
    now = expanded(load(path.parent / "input.yaml"), stage)
    assert list(harm(load(path), now)) == []


def test_harm_is_seen() -> None:
    template = load(EARLIER / "0.1.0" / "users" / "stage3.yaml")
    other = load(EARLIER / "0.1.0" / "users" / "stage2.yaml")
    assert list(harm(template, other)) == ["UsersEncrypted is no longer kept"]
    del other["Resources"]["UsersReplication"]
    other["Resources"]["UsersEncrypted"]["Properties"]["TableName"] = "other"
    assert "UsersReplication goes" in harm(template, other)
    assert "UsersEncrypted is replaced: TableName changes" in harm(template, other)

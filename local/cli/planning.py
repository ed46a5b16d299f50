"""What `plan` tells about a template, without AWS: every stage, the cutover, the copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.cli.bottlenecks import Advice, Limit, limits_of, right_tool
from local.cli.capacity import Estimate, Load, Provisioned, estimate, turn_seconds
from local.cli.changes import Change, changes
from local.cli.cutover import Refused, refused_services
from local.cli.dump import to_json
from local.cli.in_place import InPlace, in_place
from local.cli.prices import Prices
from local.cli.template import Template
from migration.checks import RESOURCE_LIMIT
from migration.stages import Stage
from migration.standings import OUTPUT_LIMIT
from migration.tables import Table
from migration.warnings import Notice
from replication.waits import Waits

TEMPLATE_LIMIT_BYTES = 1_000_000
NEAR = 0.8
"""Share of a limit from which on it is worth knowing."""

WAY_BACK = {
    Stage.REPLICATE: "stage off: the twin goes, nothing else has changed",
    Stage.POPULATE: "stage replicate",
    Stage.CUTOVER: "stage populate: the old table has followed, no write is lost",
    Stage.CLEANUP: "none, but for the backup that is made first",
}


@dataclass(frozen=True)
class Copying:
    """What populating one table takes."""

    table: str
    estimate: Estimate
    limits: tuple[Limit, ...]
    advice: Advice


@dataclass(frozen=True)
class Plan:
    """All that can be said beforehand."""

    tables: tuple[Table, ...]
    in_place: tuple[InPlace, ...]
    stages: dict[Stage, tuple[Change, ...]]
    turn_seconds: float
    refused: tuple[Refused, ...]
    warnings: tuple[Notice, ...]
    copying: Copying | None


def plan(template: Template, copying: Copying | None = None) -> Plan:
    """The plan for a template. Raises TemplateRefused."""
    tables = template.tables()
    at = {stage: template.at(stage) for stage in Stage}
    stages = {stage: tuple(changes(at[Stage(stage - 1)], at[stage], tables)) for stage in WAY_BACK}
    load = copying.estimate.load if copying else Load(0, 0)
    return Plan(
        tuple(tables),
        tuple(in_place(table) for table in tables),
        stages,
        turn_seconds(load, Waits()),
        tuple(refused_services(stages[Stage.CUTOVER], stages[Stage.REPLICATE], template.fragment, tables)),
        (*template.warnings(), *near_limits(at)),
        copying,
    )


def near_limits(at: Mapping[Stage, Mapping[str, Any]]) -> Iterator[Notice]:
    """What of CloudFormation's limits the template comes near to at the stage at which it is largest."""
    sizes: tuple[tuple[str, int, Callable[[Mapping[str, Any]], int]], ...] = (
        ("resources", RESOURCE_LIMIT, lambda template: len(template["Resources"])),
        ("outputs", OUTPUT_LIMIT, lambda template: len(template.get("Outputs", {}))),
        ("bytes", TEMPLATE_LIMIT_BYTES, lambda template: len(to_json(dict(template), None).encode())),
    )
    for what, limit, measure in sizes:
        sizes_at = {stage: measure(template) for stage, template in at.items()}
        stage, most = max(sizes_at.items(), key=lambda each: each[1])
        if most > NEAR * limit:
            yield Notice(
                "Template",
                f"it has {most:,} {what} at stage {stage.name.lower()}, of {limit:,} that CloudFormation allows",
                "Exclude some tables and migrate them afterwards, or move resources to another stack",
            )


def copying(table: Table, items: int, item_bytes: int, live_writes: float, prices: Prices) -> Copying:
    """What populating the table takes, with the capacity that the template gives it."""
    properties = {**table.properties, **table.options.properties}
    warm = properties.get("WarmThroughput")
    load = Load(
        items,
        item_bytes,
        live_writes,
        write_rate=table.options.write_rate if isinstance(table.options.write_rate, int) else None,
        indexes=len(_listed(properties.get("GlobalSecondaryIndexes")))
        + len(_listed(properties.get("LocalSecondaryIndexes"))),
        source=_provisioned(table.properties),
        twin=_provisioned(properties),
        warm_writes=_number(warm.get("WriteUnitsPerSecond")) if isinstance(warm, dict) else None,
    )
    found = estimate(load, prices, Waits())
    return Copying(table.id, found, tuple(limits_of(found)), right_tool(found, prices))


def _provisioned(properties: Any) -> Provisioned | None:
    given = properties.get("ProvisionedThroughput")
    if properties.get("BillingMode") == "PAY_PER_REQUEST" or not isinstance(given, dict):
        return None
    reads, writes = _number(given.get("ReadCapacityUnits")), _number(given.get("WriteCapacityUnits"))
    return Provisioned(reads, writes) if reads and writes else None


def _number(value: Any) -> int | None:
    """A number that the template says itself; parameters are not looked up."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and value.isdigit() else None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

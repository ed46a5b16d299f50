"""Whose writes are refused at the cutover, for how long, why, and what would shorten it.

From the seal on nobody may write the old table, and the twin takes writes of whoever has its new configuration. A
service is refused until CloudFormation has brought it that, and until whatever stands between the two (a canary, a
container that is replaced, another stack) has let it through. Nothing is lost: the caller gets an error for each write.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from local.cli.changes import Change, What
from local.cli.rollout import rollout
from local.cli.unnamed import unnamed
from local.cli.writers import FOR_EVER, writer
from migration.ids import twin_id
from migration.intrinsics import is_mapping, mentioned
from migration.tables import Table


@dataclass(frozen=True)
class Refused:
    """One service. Seconds are counted from the moment when the turn lets clients into the twin."""

    logical_id: str
    type: str
    tables: tuple[str, ...]
    least: float
    most: float | None
    why: str
    shorten: str


def refused_services(
    found: Sequence[Change], permitted: Iterable[Change], template: Mapping[str, Any], tables: Iterable[Table]
) -> list[Refused]:
    """Everything whose writes are refused, the longest first; `found` is what the cutover changes in the template,
    `permitted` what stage replicate changes."""
    services = [
        *_of_resources(found, template),
        *_of_exports(template, {table.id for table in tables}),
        *_of_names_from_elsewhere(permitted, found, template),
    ]
    return sorted(
        services, key=lambda service: (-(math.inf if service.most is None else service.most), service.logical_id)
    )


def _of_resources(found: Iterable[Change], template: Mapping[str, Any]) -> Iterator[Refused]:
    for change in found:
        kind = writer(change.type)
        if change.section == "Resources" and change.what is not What.REMOVED and kind is not None:
            service = Refused(
                change.logical_id, change.type, change.tables, kind.least, kind.most, kind.why, kind.shorten
            )
            yield _slowed(service, template)


def _of_names_from_elsewhere(
    permitted: Iterable[Change], found: Iterable[Change], template: Mapping[str, Any]
) -> Iterator[Refused]:
    for service in unnamed(permitted, found, template):
        yield Refused(
            service.logical_id,
            service.type,
            service.tables,
            0,
            FOR_EVER,
            f"it may use {', '.join(service.tables)}, but has the name from elsewhere than the template: as long as it "
            "keeps that name, what it writes is refused",
            "pass it the name with Ref, in an environment variable, before the cutover",
        )


def _slowed(service: Refused, template: Mapping[str, Any]) -> Refused:
    """With what a deployment preference, an alias or an ECS service adds."""
    found = rollout(service.logical_id, template)
    if found is None:
        return service
    most = None if service.most is None or found.seconds is None else service.most + found.seconds
    return replace(service, most=most, why=f"{service.why}; {found.why}", shorten=found.shorten or service.shorten)


def _of_exports(template: Mapping[str, Any], tables: set[str]) -> Iterator[Refused]:
    """Stacks that import a table by an export: they name the old one until they import the export of the twin."""
    outputs = template.get("Outputs", {})
    for output_id, output in outputs.items():
        export = output.get("Export") if is_mapping(output) else None
        named = tuple(dict.fromkeys(name for name in mentioned(output) if name in tables))
        if is_mapping(export) and named:
            yield Refused(
                output_id,
                "Export",
                named,
                0,
                FOR_EVER,
                "stacks that import it go on writing the old table, and are refused from the cutover on",
                f"let their roles use the export of output {twin_id(output_id)} too, from stage replicate on, and "
                "their code in an update of theirs right after the cutover",
            )

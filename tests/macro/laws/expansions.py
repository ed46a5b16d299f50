"""One template and what the macro makes of it at every stage, as the laws look at it."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from typing import Any

from migration.expand import expand, migrating
from migration.stages import Stage
from tests.macro.reading import Template

OFF, REPLICATE, POPULATE, CUTOVER, CLEANUP = Stage
BOTH_TABLES = (REPLICATE, POPULATE, CUTOVER)
STAGES = (*BOTH_TABLES, CLEANUP)

COMPANIONS = ("Encrypted", "Replication", "ReverseReplication", "MigrationGate", "Population")
FOLLOWER = re.compile(r"^AWS::(ApplicationAutoScaling::|Serverless::Connector$)")
SNAPSHOT = re.compile(r"^AWS::(Lambda::Version|ApiGateway(V2)?::(Deployment|Stage))$")


@dataclass(frozen=True)
class Run:
    """One template, its migrating tables, and what the macro makes of it at each stage."""

    template: Template
    before: Template
    """A copy of the template from before anything was made of it."""
    tables: tuple[str, ...]
    results: dict[Stage, Template]

    def resources(self, stage: Stage) -> dict[str, Any]:
        return (self.template if stage is OFF else self.results[stage]).get("Resources") or {}

    def outputs(self, stage: Stage) -> dict[str, Any]:
        return (self.template if stage is OFF else self.results[stage]).get("Outputs") or {}


def run(template: Template) -> Run:
    """Every stage of a template; raises TemplateRefused where the macro does."""
    before = copy.deepcopy(template)
    tables = tuple(table.id for table in migrating(template))
    return Run(template, before, tables, {stage: expand(template, stage) for stage in STAGES})


def is_follower(resource: Any) -> bool:
    return isinstance(resource, dict) and bool(FOLLOWER.match(str(resource.get("Type"))))


def reaching(edges: dict[str, set[str]], goals: set[str]) -> set[str]:
    """Whatever comes after one of the goals, and the goals themselves."""
    found = set(goals)
    while True:
        more = {each for each, before in edges.items() if before & found} - found
        if not more:
            return found
        found |= more

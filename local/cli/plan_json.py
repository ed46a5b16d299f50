"""A plan for machines. Seconds and US dollars; null is open-ended."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from local.cli.planning import WAY_BACK, Copying, Plan
from local.cli.prices import AS_OF, REGION


def plan_json(plan: Plan) -> dict[str, Any]:
    """The plan as plain values."""
    return {
        "tables": [
            {
                "table": table.id,
                "twin": table.twin,
                "changeInPlaceWouldDo": instead.would_do,
                "inPlace": dict(instead.properties) if instead.would_do else None,
                "needsNewTable": list(instead.reasons),
            }
            for table, instead in zip(plan.tables, plan.in_place, strict=True)
        ],
        "stages": [
            {
                "stage": int(stage),
                "name": stage.name.lower(),
                "wayBack": WAY_BACK[stage],
                "changes": [asdict(change) for change in found],
            }
            for stage, found in plan.stages.items()
        ],
        "cutover": {"turnSeconds": plan.turn_seconds, "refused": [asdict(service) for service in plan.refused]},
        "warnings": [asdict(notice) for notice in plan.warnings],
        "copy": None if plan.copying is None else _copying(plan.copying),
    }


def _copying(copying: Copying) -> dict[str, Any]:
    found = copying.estimate
    return {
        "table": copying.table,
        "load": asdict(found.load),
        "seconds": found.seconds,
        "phases": [asdict(phase) for phase in found.phases],
        "lambdaInvocations": round(found.invocations),
        "costs": found.costs,
        "cost": found.cost,
        "prices": {"region": REGION, "asOf": AS_OF},
        "limits": [{**asdict(limit), "share": limit.share} for limit in copying.limits],
        "advice": asdict(copying.advice),
    }

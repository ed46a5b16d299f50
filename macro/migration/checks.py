"""What is looked at before a template is given back: an invalid one can hang a stack."""

from __future__ import annotations

from typing import Any

from migration.errors import Problem
from migration.graph import circle, graph_of

RESOURCE_LIMIT = 500
"""Resources in one template, a quota of CloudFormation."""


def result_problems(resources: dict[str, Any], before: int) -> list[Problem]:
    """What CloudFormation would stumble over in the rewritten resources; `before` is how many the user wrote."""
    problems = []
    if len(resources) > RESOURCE_LIMIT:
        problems.append(
            Problem(
                "Template",
                f"{before} resources and the {len(resources) - before} of the migration are more than {RESOURCE_LIMIT}",
                "Exclude some tables and migrate them afterwards, or move resources to another stack",
            )
        )
    found = circle(graph_of(resources))
    if found:
        problems.append(
            Problem(
                found[0],
                f"circular dependency {' -> '.join(found)}",
                "Take one of these references away; a policy of a role can be an AWS::IAM::Policy of its own",
            )
        )
    return problems

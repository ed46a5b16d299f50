"""Whether a stack's cleanup is done: finished before, a template would delete the old table at the next update."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.cli.failures import Refused, TemplateRefused
from local.cli.rewrite import same
from local.cli.template import Template, parsed_stage
from local.cli.tree import parse, plain
from migration.intrinsics import is_mapping
from migration.options import KEY
from migration.stages import Stage, parse_stage

if TYPE_CHECKING:
    from local.cli.cloud import Cloud

_DONE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")
_WAY_ON = "Update the stack with stage cleanup, wait until it is done, and finish then."


@dataclass(frozen=True)
class Evidence:
    """What shows that the stack is at stage cleanup."""

    what: str


def evidence(template: Template, deployed_stage: str | None, deployed: tuple[Cloud, str] | None) -> Evidence:
    """What shows it; raises Refused where nothing does, or something speaks against it."""
    if deployed is not None:
        return _of_stack(template, *deployed)
    if deployed_stage is not None:
        source, stage = "--deployed-stage", _given(deployed_stage)
    else:
        source, stage = "the stage that the template itself asks for", _of_file(template)
    if stage is not Stage.CLEANUP:
        said = "nothing says which" if stage is None else f"{stage.name.lower()} by {source}"
        raise Refused(
            f"The deployed stage is not known to be cleanup: {said}.", way_on=f"{_WAY_ON} Name the stack with --stack."
        )
    return Evidence(f"stage cleanup by {source}")


def _given(stage: str) -> Stage | None:
    return parsed_stage(stage)


def _of_file(template: Template) -> Stage | None:
    try:
        return template.stage(None, {})
    except TemplateRefused:
        return None


def _of_stack(template: Template, cloud: Cloud, name: str) -> Evidence:
    stack = cloud.stack(name)
    if stack.status not in _DONE:
        raise Refused(f"Stack {name} is {stack.status}: its cleanup is not done.", way_on=_WAY_ON)
    original = plain(parse(cloud.template_of(name)))
    deployed = Template(template.path, "", original)
    given = stack.parameters.get(deployed.stage_parameter or "", deployed.transform_parameters.get("Stage"))
    stage = parse_stage(given)
    if stage is not Stage.CLEANUP:
        said = "at no stage" if stage is None else f"at stage {stage.name.lower()}"
        raise Refused(f"Stack {name} is {said}, not at cleanup.", way_on=_WAY_ON)
    if not same(_tables_of(deployed), _tables_of(template)):
        raise Refused(
            f"{template.path} is not what is deployed in {name}: its tables differ.",
            way_on="Deploy the file at stage cleanup first, or take the file that was deployed.",
        )
    return Evidence(f"stack {name} is {stack.status} at stage cleanup")


def _tables_of(template: Template) -> dict[str, object]:
    """The tables as they were written, less what SAM and CDK note in their metadata when they package."""
    return {
        table.id: {**table.resource, "Metadata": _ours(table.resource.get("Metadata"))} for table in template.tables()
    }


def _ours(metadata: Any) -> Any:
    return metadata.get(KEY) if is_mapping(metadata) else None

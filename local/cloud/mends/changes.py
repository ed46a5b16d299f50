"""Change sets: ministack sees no change where only the target of an Fn::GetAtt, or only an output, has changed.

It compares properties with everything resolved that can be; what an attribute of another resource will be cannot, and
becomes the same on both sides. Here such a reference is compared as it is written. A template of which only the outputs
have changed can be executed, as in CloudFormation.
"""

import json
from typing import TYPE_CHECKING, Any

from local.cloud import emulator

if TYPE_CHECKING:
    from local.cloud.settings import Settings


def mend(_settings: "Settings") -> None:
    sets = emulator.module("services.cloudformation.changesets")
    handlers = emulator.module("services.cloudformation")._ACTION_HANDLERS
    resolve, create = sets._resolve_props_for_diff, handlers["CreateChangeSet"]

    def resolve_keeping_references(template: Any, *rest: Any) -> Any:
        if not template:
            return resolve(template, *rest)
        resources = {key: _with_references(value) for key, value in template.get("Resources", {}).items()}
        return resolve({**template, "Resources": resources}, *rest)

    def create_with_outputs(form: dict[str, Any]) -> Any:
        answer = create(form)
        if answer[0] == 200:
            _allow_changed_outputs(sets, form)
        return answer

    emulator.replace(sets, "_resolve_props_for_diff", resolve_keeping_references)
    handlers["CreateChangeSet"] = create_with_outputs


def _with_references(resource: dict[str, Any]) -> dict[str, Any]:
    return {**resource, "Properties": as_written(resource.get("Properties") or {})}


def as_written(node: Any) -> Any:
    """The node with references to attributes as plain text, so that two of them can be compared."""
    if isinstance(node, list):
        return [as_written(item) for item in node]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        name, argument = next(iter(node.items()))
        if name == "Fn::GetAtt":
            return "GetAtt " + (".".join(map(str, argument)) if isinstance(argument, list) else str(argument))
        if name == "Fn::ImportValue":
            return {"ImportValue": as_written(argument)}
        if name == "Fn::Sub":
            # Both: as it is written, and with the parameters in it resolved.
            return {"written": json.dumps(argument, sort_keys=True, default=str), "resolved": node}
    return {key: as_written(value) for key, value in node.items()}


def _allow_changed_outputs(sets: Any, form: dict[str, Any]) -> None:
    stack = emulator.module("services.cloudformation.handlers")._resolve_stack(form["StackName"][0])
    _, change_set = sets._find_change_set(form["ChangeSetName"][0], stack["StackName"])
    if change_set["Status"] != "FAILED" or "didn't contain changes" not in change_set["StatusReason"]:
        return
    if change_set["_template"].get("Outputs", {}) != stack.get("_template", {}).get("Outputs", {}):
        change_set.update(Status="CREATE_COMPLETE", ExecutionStatus="AVAILABLE", StatusReason="")

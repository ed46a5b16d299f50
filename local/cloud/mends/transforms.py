"""Macros named in a template's Transform, which ministack passes over silently.

CloudFormation calls the transforms in the order of the list, each with the whole template less `Transform`; a macro
that stands before AWS::Serverless-2016-10-31 sees SAM types, one behind it the finished resources. The function gets
the parameters' values with defaults filled in and lists as lists. When a transform fails, the change set is there and
has FAILED, and the reason is the transform's.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-macros-author.html

Not so here: CreateStack and UpdateStack refuse the call with the same reason, where AWS begins the operation and rolls
it back; and a macro inside a template (Fn::Transform) is not called.
"""

import json
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from local.cloud import emulator
from local.cloud.mends import macro

if TYPE_CHECKING:
    from local.cloud.settings import Settings

OPERATIONS = ("CreateChangeSet", "CreateStack", "UpdateStack")
# What stands in for a template that could not be made, until the change set is marked as failed.
STAND_IN = {"Failed": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}


class TransformFailed(ValueError):
    """A transform did not give a template; the message is CloudFormation's."""


@dataclass(frozen=True)
class Expansion:
    template: dict[str, Any]
    failure: str | None = None


_expansion: ContextVar[Expansion | None] = ContextVar("expansion", default=None)


def mend(_settings: "Settings") -> None:
    service = emulator.module("services.cloudformation")
    engine = emulator.module("services.cloudformation.engine")
    apply = engine._apply_transforms
    _mend_requests(service, apply)
    _mend_answers(service._ACTION_HANDLERS)

    def apply_expanded(template: dict[str, Any], given: Any = None, previous: Any = None) -> Any:
        expansion = _expansion.get()
        return expansion.template if expansion else apply(template, given, previous)

    emulator.replace(engine, "_apply_transforms", apply_expanded)


def _mend_requests(service: Any, apply: Any) -> None:
    handle = service.handle_request

    async def handle_with_macros(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Any:
        form = parse_qs(body.decode(errors="replace"), keep_blank_values=True) if body else dict(query)
        template = _template_with_macros(form)
        if template is None:
            return await handle(method, path, headers, body, query)
        # The macro's function may take as long as it likes: not on the loop that serves everything.
        in_thread = emulator.module("core.concurrency").run_reentrant
        token = _expansion.set(await in_thread(_expand, template, form, apply))
        try:
            return await handle(method, path, headers, body, query)
        finally:
            _expansion.reset(token)

    emulator.replace(service, "handle_request", handle_with_macros)


def _mend_answers(handlers: dict[str, Any]) -> None:
    create_change_set = handlers["CreateChangeSet"]

    def create_change_set_expanded(form: dict[str, Any]) -> Any:
        answer = create_change_set(form)
        expansion = _expansion.get()
        if expansion and expansion.failure and answer[0] == 200:
            _mark_failed(form, expansion.failure)
        return answer

    def refuse_failed(action: str) -> Any:
        original = handlers[action]

        def checked(form: dict[str, Any]) -> Any:
            expansion = _expansion.get()
            if expansion and expansion.failure:
                return emulator.module("services.cloudformation.helpers")._error("ValidationError", expansion.failure)
            return original(form)

        return checked

    handlers["CreateChangeSet"] = create_change_set_expanded
    for action in ("CreateStack", "UpdateStack"):
        handlers[action] = refuse_failed(action)


def _template_with_macros(form: dict[str, Any]) -> dict[str, Any] | None:
    """The request's template when it names macros of the account; whatever is wrong with it, ministack says."""
    if form.get("Action", [""])[0] not in OPERATIONS:
        return None
    body, refused = emulator.module("services.cloudformation.helpers")._resolve_template(form)
    if refused or not body:
        return None
    try:
        template = emulator.module("services.cloudformation.engine")._parse_template(body)
    except Exception:  # noqa: BLE001  # any parser's error: ministack meets it again and answers it
        return None
    named = template.get("Transform") if isinstance(template, dict) else None
    return template if named and any(_is_macro(entry) for entry in _entries(named)) else None


def _entries(named: Any) -> list[dict[str, Any]]:
    """The entries of Transform, each as {Name, Parameters}."""
    listed = named if isinstance(named, list) else [named]
    return [entry if isinstance(entry, dict) else {"Name": entry} for entry in listed]


def _is_macro(entry: dict[str, Any]) -> bool:
    return not str(entry.get("Name", "")).startswith("AWS::")


def _expand(template: dict[str, Any], form: dict[str, Any], apply_own: Any) -> Expansion | None:
    engine = emulator.module("services.cloudformation.engine")
    given = emulator.module("services.cloudformation.helpers")._extract_members(form, "Parameters")
    stack = emulator.module("services.cloudformation.handlers")._resolve_stack(form["StackName"][0]) or {}
    previous = stack.get("_resolved_params", {})
    try:
        values = parameter_values(engine._resolve_parameters(template, given, previous))
    except ValueError:
        return None  # the parameters are refused by what follows, in its own words
    fragment = {key: value for key, value in template.items() if key != "Transform"}
    try:
        for entry in _entries(template["Transform"]):
            if _is_macro(entry):
                fragment = _call(entry, fragment, values)
            else:
                fragment = apply_own({**fragment, "Transform": entry["Name"]}, given, previous)
                fragment.pop("Transform", None)
    except TransformFailed as failure:
        return Expansion({"Parameters": template.get("Parameters", {}), "Resources": STAND_IN}, str(failure))
    except Exception as error:  # noqa: BLE001  # the SAM translator's own errors have no common base
        reason = f"Transform AWS::Serverless-2016-10-31 failed with: {getattr(error, 'message', error)}"
        return Expansion({"Parameters": template.get("Parameters", {}), "Resources": STAND_IN}, reason)
    return Expansion(fragment)


def parameter_values(resolved: dict[str, dict[str, str]]) -> dict[str, Any]:
    """`templateParameterValues`: lists as lists, everything else as text."""
    return {name: _value(entry["Value"], entry.get("Type", "String")) for name, entry in resolved.items()}


def _value(text: str, kind: str) -> Any:
    if kind == "CommaDelimitedList" or kind.startswith("List<"):
        return [part.strip() for part in text.split(",")] if text else []
    return text


def _call(entry: dict[str, Any], fragment: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    responses = emulator.module("core.responses")
    functions = emulator.module("services.lambda_svc")
    name = f"{responses.get_account_id()}::{entry['Name']}"
    function = macro.function_of(entry["Name"])
    if function is None:
        raise TransformFailed(f"No transform named {name} found.")
    record, config, _ = functions._get_func_record_for_ref(function)
    if record is None:
        raise TransformFailed(f"Received malformed response from transform {name}")
    event = {
        "region": responses.get_region(),
        "accountId": responses.get_account_id(),
        "fragment": json.loads(json.dumps(fragment, default=str)),
        "transformId": name,
        "params": entry.get("Parameters", {}),
        "requestId": responses.new_uuid(),
        "templateParameterValues": values,
    }
    result = functions._execute_function_with_config_scope(
        functions._execution_record_for_config(record, config), event
    )
    return _fragment_of(result, event["requestId"], name)


def _fragment_of(result: dict[str, Any], request_id: str, name: str) -> dict[str, Any]:
    answer = result.get("body")
    if isinstance(answer, str | bytes):
        try:
            answer = json.loads(answer)
        except ValueError:
            answer = None
    if result.get("error") or not isinstance(answer, dict) or answer.get("requestId") != request_id:
        raise TransformFailed(f"Received malformed response from transform {name}")
    if answer.get("status") != "success":
        message = answer.get("errorMessage")
        raise TransformFailed(
            f"Transform {name} failed with: {message}"
            if message
            else f"Transform {name} failed without an error message."
        )
    if not isinstance(answer.get("fragment"), dict):
        raise TransformFailed(f"Received malformed response from transform {name}")
    found: dict[str, Any] = answer["fragment"]
    return found


def _mark_failed(form: dict[str, Any], reason: str) -> None:
    sets = emulator.module("services.cloudformation.changesets")
    stack = emulator.module("services.cloudformation.handlers")._resolve_stack(form["StackName"][0])
    _, change_set = sets._find_change_set(form["ChangeSetName"][0], stack["StackName"])
    change_set.update(Status="FAILED", ExecutionStatus="UNAVAILABLE", StatusReason=reason, Changes=[])

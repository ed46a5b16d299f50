"""IAM: what ministack leaves out when it decides on calls of DynamoDB.

- A table's resource policy takes part: it can allow on its own, and its Deny holds for everybody, the account's root
  included, as it does in AWS. On backups, exports and imports it has no say.
- aws:PrincipalArn of a role's session is the role's ARN.
- PartiQL statements are authorised by PartiQLSelect, PartiQLInsert, PartiQLUpdate and PartiQLDelete on their table.
- Calls that name their resource otherwise than by TableName (policies, streams, backups, tags) are decided on that
  resource, not on `*`.
- DynamoDB refuses with HTTP 400, and names the resource.
- Calls about one event source mapping are GetEventSourceMapping, UpdateEventSourceMapping and DeleteEventSourceMapping:
  ministack takes the first for a list, and decides on the others not at all.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn
"""

import json
import re
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from local.cloud import emulator
from local.cloud.mends import policies

if TYPE_CHECKING:
    from local.cloud.settings import Settings

# As ministack names them.
SERVICES = ("dynamodb", "dynamodbstreams")
# Parts of the names of actions that a table's policy cannot decide on.
NOT_BY_TABLE = ("Backup", "Restore", "Export", "Import")
# Where a request of DynamoDB or its streams carries the ARN of what it is about.
ARN_MEMBERS = ("ResourceArn", "StreamArn", "BackupArn", "SourceBackupArn", "ExportArn", "TableArn", "SourceTableArn")


# What the request that is being decided on wants to do.
_action: ContextVar[str] = ContextVar("action", default="")


def mend(_settings: "Settings") -> None:
    evaluator = emulator.module("core.iam_evaluator")
    actions = emulator.module("core.iam_actions")
    tables = emulator.module("services.dynamodb")
    tables.local_table_policy = _policy_of
    evaluator._RESOURCE_POLICY_LOOKUPS["dynamodb"] = ("dynamodb", "local_table_policy")
    _mend_principal(evaluator)
    _mend_root(evaluator)
    _mend_resources(actions)
    _mend_partiql(actions)
    _mend_refusals(actions)
    _mend_mappings(actions)


def _policy_of(arn: str) -> tuple[str, str] | None:
    """(policy, owning account) that holds for the caller, for a table or one of its indexes."""
    parts = arn.split(":", 5)
    if any(part in _action.get() for part in NOT_BY_TABLE):
        return None
    if len(parts) < 6 or not parts[5].startswith("table/") or "/stream/" in parts[5]:
        return None
    table = ":".join(parts[:5]) + ":table/" + parts[5].split("/")[1]
    policy = policies.effective(table)
    return (policy, parts[4]) if policy else None


def _mend_principal(evaluator: Any) -> None:
    resolve = evaluator._resolve_condition_key

    def resolve_role(key: str, context: Any) -> Any:
        if key.lower() == "aws:principalarn":
            return _role_arn(context.principal_arn)
        return resolve(key, context)

    emulator.replace(evaluator, "_resolve_condition_key", resolve_role)


def _role_arn(arn: str) -> str:
    """The role of a session; anything else is itself."""
    if ":assumed-role/" not in arn:
        return arn
    account, name = arn.split(":")[4], arn.split("/")[1]
    role = emulator.module("services.iam")._roles.get_scoped(account, None, name)
    return role["Arn"] if role else f"arn:aws:iam::{account}:role/{name}"


def role_may(role_arn: str, action: str, resource: str) -> bool:
    """Whether the policies of the role itself allow a service that acts with it to do this."""
    evaluator = emulator.module("core.iam_evaluator")
    account, name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    context = evaluator.EvalContext(
        principal_arn=f"arn:aws:sts::{account}:assumed-role/{name}/service",
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource,
        region=emulator.module("core.responses").get_region(),
    )
    decision: str = evaluator.evaluate(context, evaluator._gather_role_policies(name, account)).decision
    return decision == "Allow"


def _mend_root(evaluator: Any) -> None:
    enforce = evaluator.enforce
    account_of = emulator.module("core.responses").get_account_id

    def enforce_on_root(
        key: str,
        action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: dict[str, Any] | None = None,
    ) -> Any:
        _action.set(action)
        denied = enforce(key, action, service, region, resource_arn=resource_arn, service_context=service_context)
        caller = evaluator.caller_arn()
        if denied or service != "dynamodb" or not caller.endswith(":root"):
            return denied
        found = _policy_of(resource_arn)
        if found is None:
            return None
        context = evaluator.EvalContext(
            principal_arn=caller,
            principal_type="Account",
            principal_account=account_of(),
            action=action,
            resource_arn=resource_arn,
            region=region,
            service_context=service_context or {},
        )
        result = evaluator.evaluate_resource_policy(found[0], context)
        if result.decision != "Deny":
            return None
        result.principal_arn = caller
        result.resource_policy_arn = resource_arn
        return result

    emulator.replace(evaluator, "enforce", enforce_on_root)


def _mend_mappings(actions: Any) -> None:
    action_of = actions._lambda_action

    def action_of_mapping(method: str, path: str) -> str | None:
        if re.fullmatch(r"/[^/]+/event-source-mappings/[^/]+/?", path):
            return {"GET": "Get", "PUT": "Update", "DELETE": "Delete"}[method] + "EventSourceMapping"
        found: str | None = action_of(method, path)
        return found

    emulator.replace(actions, "_lambda_action", action_of_mapping)


def _mend_resources(actions: Any) -> None:
    arns_of = actions.dynamodb_resource_arns
    decode_iterator = emulator.module("services.dynamodb_streams")._decode_iterator

    def all_arns(body: bytes, region: str, account: str) -> list[str]:
        found: list[str] = arns_of(body, region, account)
        if found:
            return found
        request = _request(body)
        named = [request[member] for member in ARN_MEMBERS if isinstance(request.get(member), str)]
        if named:
            return named[:1]
        iterator = decode_iterator(str(request.get("ShardIterator", ""))) or {}
        return [iterator["arn"]] if "arn" in iterator else []

    emulator.replace(actions, "dynamodb_resource_arns", all_arns)
    _mend_stream_resources(actions, all_arns)


def _mend_stream_resources(actions: Any, arns_of: Any) -> None:
    extract = actions.extract_resource_arn

    def extract_stream(service: str, *request: Any) -> str:
        *_, body, _query, region, account = request
        arns: list[str] = arns_of(body, region, account) if service == "dynamodbstreams" else []
        found: str = arns[0] if arns else extract(service, *request)
        return found

    emulator.replace(actions, "extract_resource_arn", extract_stream)
    arn_of = actions.extract_resource_arn

    def arn_of_streams_too(service: str, *request: Any) -> str:
        found: str = arn_of("dynamodb" if service == "dynamodbstreams" else service, *request)
        return found

    emulator.replace(actions, "extract_resource_arn", arn_of_streams_too)


def _mend_partiql(actions: Any) -> None:
    checks_of = actions.dynamodb_transaction_checks

    def checks_with_partiql(action: str, body: bytes, region: str, account: str) -> list[tuple[str, str]]:
        request = _request(body)
        if action == "dynamodb:ExecuteStatement":
            statements = [request]
        elif action == "dynamodb:BatchExecuteStatement":
            statements = request.get("Statements") or []
        elif action == "dynamodb:ExecuteTransaction":
            statements = request.get("TransactStatements") or []
        else:
            checks: list[tuple[str, str]] = checks_of(action, body, region, account)
            return checks
        found = [_statement_check(entry, region, account) for entry in statements]
        return [check for check in found if check]

    emulator.replace(actions, "dynamodb_transaction_checks", checks_with_partiql)


def _mend_refusals(actions: Any) -> None:
    refuse = actions.access_denied_response

    def refuse_as_dynamodb(service: str, action: str, principal: str, request_id: str, **more: Any) -> Any:
        status, headers, body = refuse(service, action, principal, request_id, **more)
        if service not in SERVICES or status != 403:
            return status, headers, body
        named = f"perform: {action} on resource: {more.get('resource_arn', '*')} "
        return 400, headers, body.replace(f"perform: {action} ".encode(), named.encode())

    emulator.replace(actions, "access_denied_response", refuse_as_dynamodb)


def _statement_check(entry: dict[str, Any], region: str, account: str) -> tuple[str, str] | None:
    """(action, ARN) that authorise a PartiQL statement; None where it cannot be read, which DynamoDB refuses itself."""
    try:
        read = emulator.module("services.dynamodb")._parse_partiql(entry.get("Statement"), entry.get("Parameters", []))
    except (TypeError, ValueError):
        return None
    index = f"/index/{read['index']}" if read.get("index") else ""
    action = f"dynamodb:PartiQL{read['op'].capitalize()}"
    return action, f"arn:aws:dynamodb:{region}:{account}:table/{read['table']}{index}"


def _request(body: bytes) -> dict[str, Any]:
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return {}
    return request if isinstance(request, dict) else {}

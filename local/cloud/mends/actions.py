"""Which action on which resource a request is: what ministack takes for something else, or decides on as `*`.

- PartiQL statements are PartiQLSelect, PartiQLInsert, PartiQLUpdate and PartiQLDelete on their table.
- Calls of DynamoDB and its streams that name their resource otherwise than by TableName (policies, streams, backups,
  tags) are about that resource.
- Calls about one event source mapping are GetEventSourceMapping, UpdateEventSourceMapping and DeleteEventSourceMapping:
  ministack takes the first for a list, and decides on the others not at all.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
"""

import json
import re
from typing import TYPE_CHECKING, Any

from local.cloud import emulator

if TYPE_CHECKING:
    from local.cloud.settings import Settings

# Where a request of DynamoDB or its streams carries the ARN of what it is about.
ARN_MEMBERS = ("ResourceArn", "StreamArn", "BackupArn", "SourceBackupArn", "ExportArn", "TableArn", "SourceTableArn")
MAPPING_PATH = re.compile(r"/[^/]+/event-source-mappings/[^/]+/?")


def mend(_settings: "Settings") -> None:
    actions = emulator.module("core.iam_actions")
    _mend_tables(actions)
    _mend_partiql(actions)
    _mend_mappings(actions)


def _mend_tables(actions: Any) -> None:
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
    _mend_streams(actions, all_arns)


def _mend_streams(actions: Any, arns_of: Any) -> None:
    extract = actions.extract_resource_arn

    def extract_stream(service: str, *request: Any) -> str:
        *_, body, _query, region, account = request
        arns: list[str] = arns_of(body, region, account) if service == "dynamodbstreams" else []
        found: str = arns[0] if arns else extract(service, *request)
        return found

    emulator.replace(actions, "extract_resource_arn", extract_stream)


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


def _mend_mappings(actions: Any) -> None:
    action_of = actions._lambda_action

    def action_of_mapping(method: str, path: str) -> str | None:
        if MAPPING_PATH.fullmatch(path):
            return {"GET": "Get", "PUT": "Update", "DELETE": "Delete"}[method] + "EventSourceMapping"
        found: str | None = action_of(method, path)
        return found

    emulator.replace(actions, "_lambda_action", action_of_mapping)

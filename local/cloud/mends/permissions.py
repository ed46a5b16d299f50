"""IAM: what ministack leaves out when it decides on calls of DynamoDB.

- A table's resource policy takes part: it can allow on its own, and its Deny holds for everybody, the account's root
  included, as it does in AWS. On backups, exports and imports it has no say.
- aws:PrincipalArn of a role's session is the role's ARN.
- DynamoDB refuses with HTTP 400, and names the resource.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn
"""

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

# What the request that is being decided on wants to do.
_action: ContextVar[str] = ContextVar("action", default="")


def mend(_settings: "Settings") -> None:
    evaluator = emulator.module("core.iam_evaluator")
    tables = emulator.module("services.dynamodb")
    tables.local_table_policy = _policy_of
    evaluator._RESOURCE_POLICY_LOOKUPS["dynamodb"] = ("dynamodb", "local_table_policy")
    _mend_principal(evaluator)
    _mend_root(evaluator)
    _mend_refusals(emulator.module("core.iam_actions"))


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


def _mend_refusals(actions: Any) -> None:
    refuse = actions.access_denied_response

    def refuse_as_dynamodb(service: str, action: str, principal: str, request_id: str, **more: Any) -> Any:
        status, headers, body = refuse(service, action, principal, request_id, **more)
        if service not in SERVICES or status != 403:
            return status, headers, body
        named = f"perform: {action} on resource: {more.get('resource_arn', '*')} "
        return 400, headers, body.replace(f"perform: {action} ".encode(), named.encode())

    emulator.replace(actions, "access_denied_response", refuse_as_dynamodb)

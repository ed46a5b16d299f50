"""The deployed service, seen from outside: which table its function names, and with which rights it works."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient

TABLE_VARIABLE = "USERS_TABLE"


@dataclass(frozen=True, slots=True)
class Service:
    """A function that finds its table through its environment."""

    functions: "LambdaClient"
    function_name: str

    def table(self) -> str:
        """The table that the function's configuration names now."""
        configuration = self.functions.get_function_configuration(FunctionName=self.function_name)
        return configuration["Environment"]["Variables"][TABLE_VARIABLE]

    def role_arn(self) -> str:
        return self.functions.get_function_configuration(FunctionName=self.function_name)["Role"]


@dataclass(slots=True)
class Container:
    """One running copy of the function: it keeps the configuration that it was started with for `keeps` seconds.

    Lambda starts new containers when the configuration changes but lets the old ones end their work.
    """

    service: Service
    keeps: float
    clock: Callable[[], float]
    _table: str = field(default="", init=False)
    _until: float = field(default=float("-inf"), init=False)

    def table(self) -> str:
        if self.clock() >= self._until:
            self._table = self.service.table()
            self._until = self.clock() + self.keeps
        return self._table


def trust_account(iam: "IAMClient", role_arn: str) -> None:
    """Let the account itself take on a function's role, which only Lambda may; what the role may do stays as it is."""
    name, account = role_arn.rpartition("/")[2], role_arn.split(":")[4]
    # boto3 hands out the document decoded; its stubs call it text
    trust: Any = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    ours = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}
    if ours not in trust["Statement"]:
        document = {**trust, "Statement": [*trust["Statement"], ours]}
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(document))

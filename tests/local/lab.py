"""What the tests of the local cloud make in an account: roles, functions, tables."""

import io
import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.cloud import Account
    from local.cloud.account import Credentials

PYTHON = "python3.11"


def allowed(call: "Callable[..., Any]", **request: Any) -> bool:
    """Whether the call passes its authorisation, whatever else becomes of it."""
    try:
        call(**request)
    except ClientError as error:
        return error.response["Error"]["Code"] != "AccessDeniedException"
    return True


def trust(service: str, account: str) -> dict[str, Any]:
    principals = {"Service": f"{service}.amazonaws.com", "AWS": f"arn:aws:iam::{account}:root"}
    return document({"Effect": "Allow", "Principal": principals, "Action": "sts:AssumeRole"})


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


@dataclass(frozen=True)
class Lab:
    account: "Account"

    def client(self, service: str, credentials: "Credentials | None" = None) -> Any:
        return self.account.client(service, credentials)

    def role(self, name: str, *statements: dict[str, Any], service: str = "lambda") -> str:
        """The ARN of a new role that `service` and the account's root may assume."""
        iam = self.client("iam")
        arn: str = iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps(trust(service, self.account.account))
        )["Role"]["Arn"]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(document(*statements)))
        return arn

    def function(self, name: str, code: str, role: str | None = None, **config: Any) -> str:
        """The ARN of a new function whose module is `code` with a `handler(event, context)`."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("index.py", code)
        arn: str = self.client("lambda").create_function(
            FunctionName=name,
            Runtime=PYTHON,
            Handler="index.handler",
            Role=role or self.role(f"{name}-role"),
            Code={"ZipFile": packed.getvalue()},
            **{"Timeout": 30, **config},
        )["FunctionArn"]
        return arn

    def table(self, name: str, *, stream: bool = False) -> Any:
        """The description of a new table with the hash key `user`."""
        specification = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        return self.client("dynamodb").create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "user", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "user", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            **({"StreamSpecification": specification} if stream else {}),
        )["TableDescription"]

    def bucket(self, name: str) -> str:
        """The name of a new bucket: the names of all accounts' buckets are one space."""
        full = f"{name}-{self.account.account}"
        self.client("s3").create_bucket(Bucket=full)
        return full

    def items(self, table: str) -> list[Any]:
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=table)
        return [item for page in pages for item in page["Items"]]

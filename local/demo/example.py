"""The users stack of `examples/`: packaged once, then deployed at one stage after the other."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local.cloud.account import Account
from local.cloud.stacks import Change, Result, deploy

ROOT = Path(__file__).resolve().parents[2]
SAM = ROOT / ".venv-sam" / "bin" / "sam"
TEMPLATE = ROOT / "examples" / "users" / "template.yaml"
STAGE_PARAMETER = "EncryptMigrateStage"
_BUCKET = "example-code"


@dataclass(frozen=True, slots=True)
class Example:
    """A stack in `account`. `body` is the template with its code uploaded."""

    account: Account
    body: str
    name: str = "users"
    parameters: dict[str, str] = field(default_factory=dict)

    def deploy(
        self,
        stage: str,
        *,
        body: str | None = None,
        on_changes: Callable[[tuple[Change, ...]], None] = lambda _: None,
    ) -> Result:
        """Create or update the stack at a stage; with another template when `body` is given.

        Raises StackFailed with CloudFormation's reason.
        """
        parameters = {**self.parameters, STAGE_PARAMETER: stage}
        return deploy(self.account, self.name, body or self.body, parameters, on_changes=on_changes)

    def resource(self, logical_id: str) -> str | None:
        """The physical id of a resource of the stack; None when it has no such resource."""
        try:
            found = self.account.client("cloudformation").describe_stack_resource(
                StackName=self.name, LogicalResourceId=logical_id
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationError":
                raise
            return None
        detail = found["StackResourceDetail"]
        gone = detail["ResourceStatus"] == "DELETE_COMPLETE"
        return None if gone else str(detail["PhysicalResourceId"])

    def ask(self, method: str, user: str, body: dict[str, Any] | None = None) -> tuple[int, str]:
        """What the stack's API answers: status and body. Goes to the function itself, as API Gateway would."""
        event = {
            "version": "2.0",
            "requestContext": {"http": {"method": method}},
            "pathParameters": {"user": user},
            "body": json.dumps(body) if body else None,
        }
        answer = self.account.client("lambda").invoke(FunctionName=self.the("Api"), Payload=json.dumps(event))
        payload = json.loads(answer["Payload"].read())
        return payload.get("statusCode", 500), payload.get("body", str(payload))

    def the(self, logical_id: str) -> str:
        """The physical id of a resource that must be there. Raises LookupError."""
        if (physical := self.resource(logical_id)) is None:
            raise LookupError(f"{self.name} has no resource {logical_id}")
        return physical


def runtime() -> str:
    """The Lambda runtime of the Python that is here: the emulator runs functions with it."""
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def parameters() -> dict[str, str]:
    """What the example is deployed with here: at its default of one unit a copy of 1,000 items would take hours."""
    return {"Runtime": runtime(), "Capacity": "4000"}


def package(account: Account, template: Path = TEMPLATE) -> str:
    """Upload the code that a template names, and return the template that names the uploads."""
    account.client("s3").create_bucket(Bucket=_BUCKET)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "AWS_ENDPOINT_URL": account.endpoint,
        "AWS_ACCESS_KEY_ID": account.account,
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": account.region,
        "SAM_CLI_TELEMETRY": "0",
    }
    with tempfile.TemporaryDirectory() as folder:
        packaged = Path(folder) / "packaged.yaml"
        command = [str(SAM), "package", "--template-file", str(template), "--s3-bucket", _BUCKET]
        command += ["--output-template-file", str(packaged)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"sam package failed:\n{done.stdout}{done.stderr}")
        return packaged.read_text()

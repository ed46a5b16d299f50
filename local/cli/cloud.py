"""AWS, as far as the commands ask it: the one module with clients. Its errors say what to do, not what boto3 raised."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError, ProfileNotFound

from local.cli.failures import CloudUnreachable, Refused
from migration.companions import FAILED_RECORDS_EXPORT, GATE_EXPORT, REPLICATOR_EXPORT

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient


EXPORTS = (REPLICATOR_EXPORT, GATE_EXPORT, FAILED_RECORDS_EXPORT)
STACK = "AWS::CloudFormation::Stack"
_BEGINNINGS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")


@dataclass(frozen=True)
class Stack:
    """A stack as CloudFormation describes it."""

    name: str
    stack_id: str
    status: str
    reason: str
    parameters: dict[str, str]
    outputs: dict[str, str]


@dataclass(frozen=True)
class Installation:
    """The installer's stack, which of its exports are there, and its resources by logical id."""

    stack: Stack
    exports: frozenset[str]
    resources: dict[str, str]

    @property
    def state_table(self) -> str:
        """Name of the state table. Raises Refused when the stack has none."""
        return self._named("StateTable")

    @property
    def population_machine(self) -> str:
        """ARN of the machine that copies, compares and repairs."""
        return self._named("PopulationMachine")

    @property
    def replicator(self) -> str:
        """Name of the function that mirrors."""
        return self._named("ReplicatorFunction")

    def _named(self, logical_id: str) -> str:
        found = self.resources.get(logical_id)
        if not found:
            raise Refused(
                f"Stack {self.stack.name} has no {logical_id}: it is {self.stack.status}.",
                way_on="Deploy the installer again.",
            )
        return found


@dataclass(frozen=True)
class Event:
    """One line of a stack's history. `at` is seconds since the epoch."""

    at: float
    logical_id: str
    type: str
    status: str
    reason: str


class Cloud:
    """One account and region."""

    def __init__(self, session: Any) -> None:
        self._session = session

    @classmethod
    def connect(cls, region: str | None, profile: str | None) -> Cloud:
        """By the environment, as the AWS CLI does. Raises CloudUnreachable."""
        try:
            return cls(boto3.Session(region_name=region, profile_name=profile))
        except ProfileNotFound as why:
            raise CloudUnreachable(f"{why}.") from why

    def client(self, service: str) -> Any:
        """A client of a service. Raises CloudUnreachable."""
        with asking():
            return self._session.client(service)

    @property
    def _stacks(self) -> CloudFormationClient:
        client: CloudFormationClient = self.client("cloudformation")
        return client

    def stack(self, name: str) -> Stack:
        """A stack by name or id. Raises Refused where there is none, CloudUnreachable."""
        with asking(missing=f"There is no stack {name} in this account and region."):
            found = self._stacks.describe_stacks(StackName=name)["Stacks"][0]
        return Stack(
            found["StackName"],
            found["StackId"],
            found["StackStatus"],
            found.get("StackStatusReason", ""),
            {each["ParameterKey"]: each.get("ParameterValue", "") for each in found.get("Parameters", [])},
            {each["OutputKey"]: each.get("OutputValue", "") for each in found.get("Outputs", [])},
        )

    def installer(self) -> Installation:
        """The stack that EncryptMigrate was installed with: the one that exports what migrated stacks import.

        Raises Refused where there is none, CloudUnreachable.
        """
        with asking():
            pages = self._stacks.get_paginator("list_exports").paginate()
            exports = {each["Name"]: each["ExportingStackId"] for page in pages for each in page["Exports"]}
        found = {name: exports[name] for name in EXPORTS if name in exports}
        if not found:
            raise Refused(
                "EncryptMigrate is not installed in this account and region.",
                way_on="Install it once with `sam build && sam deploy` in the project's folder.",
            )
        stack = self.stack(next(iter(found.values())))
        return Installation(stack, frozenset(found), self._physical_ids(stack.stack_id))

    def _physical_ids(self, stack_id: str) -> dict[str, str]:
        with asking():
            pages = self._stacks.get_paginator("list_stack_resources").paginate(StackName=stack_id)
            return {
                each["LogicalResourceId"]: each.get("PhysicalResourceId", "")
                for page in pages
                for each in page["StackResourceSummaries"]
            }

    def events(self, stack_id: str) -> list[Event]:
        """What happened in the stack's last update, the newest first. Raises CloudUnreachable."""
        found = []
        with asking():
            for page in self._stacks.get_paginator("describe_stack_events").paginate(StackName=stack_id):
                for each in page["StackEvents"]:
                    event = Event(
                        each["Timestamp"].timestamp(),
                        each["LogicalResourceId"],
                        each.get("ResourceType", ""),
                        each.get("ResourceStatus", ""),
                        each.get("ResourceStatusReason", ""),
                    )
                    found.append(event)
                    if event.type == STACK and event.status in _BEGINNINGS:
                        return found
        return found

    def template_of(self, name: str) -> str:
        """The template as it was uploaded, before transforms."""
        with asking(missing=f"There is no stack {name} in this account and region."):
            body: Any = self._stacks.get_template(StackName=name, TemplateStage="Original")["TemplateBody"]
        return body if isinstance(body, str) else json.dumps(body)


@contextmanager
def asking(missing: str | None = None) -> Iterator[None]:
    """Turns what boto3 raises into plain words; `missing` is what to say when what was asked for is not there."""
    try:
        yield
    except NoCredentialsError as why:
        raise CloudUnreachable("There are no AWS credentials. Log in, or name a profile with --profile.") from why
    except NoRegionError as why:
        raise CloudUnreachable("No AWS region is set. Name one with --region.") from why
    except ClientError as why:
        raise _plain(why, missing) from why
    except BotoCoreError as why:
        raise CloudUnreachable(f"AWS could not be reached: {why}") from why


def _plain(why: ClientError, missing: str | None) -> CloudUnreachable | Refused:
    code = why.response.get("Error", {}).get("Code", "")
    message = why.response.get("Error", {}).get("Message", str(why))
    if missing is not None and (code in ("ResourceNotFoundException", "StackNotFound") or "does not exist" in message):
        return Refused(missing)
    if "AccessDenied" in code or code in ("UnauthorizedOperation", "AuthFailure"):
        return CloudUnreachable(f"AWS does not let you {why.operation_name}: {message}")
    if "ExpiredToken" in code or code in ("UnrecognizedClientException", "InvalidClientTokenId"):
        return CloudUnreachable(f"Your AWS credentials are not valid any more ({code}). Log in again.")
    return CloudUnreachable(f"AWS answered {why.operation_name} with {code}: {message}")

"""CloudFormation as far as the commands ask it: stacks that a test has put there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError


@dataclass
class FakeStack:
    """One stack."""

    name: str
    stack_id: str
    template: str = ""
    status: str = "UPDATE_COMPLETE"
    parameters: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    exports: dict[str, str] = field(default_factory=dict)
    resources: dict[str, str] = field(default_factory=dict)
    events: list[tuple[float, str, str, str, str]] = field(default_factory=list)
    """(at, logical id, type, status, reason), the newest first."""


class FakeStacks:
    """The client. A stack is found by its name or id."""

    def __init__(self) -> None:
        self.all: dict[str, FakeStack] = {}
        self.refuses: str | None = None
        """The code with which every call is refused."""

    def deploy(self, name: str, **given: Any) -> FakeStack:
        stack_id = f"arn:aws:cloudformation:us-east-1:123456789012:stack/{name}/guid-of-{name}"
        self.all[name] = FakeStack(name, stack_id, **given)
        return self.all[name]

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        found = self._find(StackName, "DescribeStacks")
        return {
            "Stacks": [
                {
                    "StackName": found.name,
                    "StackId": found.stack_id,
                    "StackStatus": found.status,
                    "Parameters": _pairs(found.parameters, "ParameterKey", "ParameterValue"),
                    "Outputs": _pairs(found.outputs, "OutputKey", "OutputValue"),
                }
            ]
        }

    def get_template(self, StackName: str, TemplateStage: str) -> dict[str, Any]:  # noqa: N803
        assert TemplateStage == "Original"
        return {"TemplateBody": self._find(StackName, "GetTemplate").template}

    def get_paginator(self, operation: str) -> FakeStacks.Pages:
        return FakeStacks.Pages(self, operation)

    @dataclass
    class Pages:
        """A paginator: one page for each thing, so that nobody stops at the first."""

        stacks: FakeStacks
        operation: str

        def paginate(self, StackName: str = "") -> Iterator[dict[str, Any]]:  # noqa: N803
            if self.operation == "list_exports":
                self.stacks.check("ListExports")
                for stack in self.stacks.all.values():
                    for name, value in stack.exports.items():
                        yield {"Exports": [{"ExportingStackId": stack.stack_id, "Name": name, "Value": value}]}
            elif self.operation == "list_stack_resources":
                for logical_id, physical_id in self.stacks.find(StackName).resources.items():
                    one = {"LogicalResourceId": logical_id, "PhysicalResourceId": physical_id}
                    yield {"StackResourceSummaries": [one]}
            else:
                for at, logical_id, kind, status, reason in self.stacks.find(StackName).events:
                    yield {
                        "StackEvents": [
                            {
                                "Timestamp": datetime.fromtimestamp(at, UTC),
                                "LogicalResourceId": logical_id,
                                "ResourceType": kind,
                                "ResourceStatus": status,
                                "ResourceStatusReason": reason,
                            }
                        ]
                    }

    def find(self, name: str) -> FakeStack:
        return self._find(name, "DescribeStackEvents")

    def check(self, operation: str) -> None:
        if self.refuses is not None:
            raise _refusal(self.refuses, f"User is not authorized to perform {operation}", operation)

    def _find(self, name: str, operation: str) -> FakeStack:
        self.check(operation)
        for stack in self.all.values():
            if name in (stack.name, stack.stack_id):
                return stack
        raise _refusal("ValidationError", f"Stack with id {name} does not exist", operation)


def _pairs(given: dict[str, str], key: str, value: str) -> list[dict[str, str]]:
    return [{key: name, value: text} for name, text in given.items()]


def _refusal(code: str, message: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)

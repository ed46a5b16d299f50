"""What CloudFormation says about the stack that asks, and about exports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_cloudformation import CloudFormationClient

_GONE = {"DELETE_COMPLETE", "DELETE_SKIPPED"}


class Stacks:
    """Questions to CloudFormation."""

    def __init__(self, client: CloudFormationClient) -> None:
        self._client = client

    def status(self, stack_id: str) -> str:
        """The status of a stack; `DELETE_COMPLETE` also when there is none."""
        try:
            return str(self._client.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"])
        except ClientError as error:
            if "does not exist" in str(error):
                return "DELETE_COMPLETE"
            raise

    def table(self, stack_id: str, logical_id: str) -> str | None:
        """The name of the table that has this logical id in the stack; None when there is no such table."""
        found = self._resource(stack_id, logical_id)
        is_table = found.get("ResourceType") == "AWS::DynamoDB::Table" and found.get("ResourceStatus") not in _GONE
        return (found.get("PhysicalResourceId") or None) if is_table else None

    def leaving(self, stack_id: str, logical_id: str) -> bool:
        """Whether a resource is being deleted from the stack, or was, as far as the stack still knows of it."""
        return str(self._resource(stack_id, logical_id).get("ResourceStatus")).startswith("DELETE_")

    def _resource(self, stack_id: str, logical_id: str) -> Mapping[str, Any]:
        """What the stack says of one of its resources: nothing when it knows none of this id, or there is no stack."""
        try:
            found = self._client.describe_stack_resource(StackName=stack_id, LogicalResourceId=logical_id)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "ValidationError":
                return {}
            raise
        return cast("Mapping[str, Any]", found["StackResourceDetail"])

    def importers(self, export: str) -> list[str]:
        """The stacks that import an export."""
        try:
            pages = self._client.get_paginator("list_imports").paginate(ExportName=export)
            return [stack for page in pages for stack in page.get("Imports", [])]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "ValidationError":  # not imported by any stack
                return []
            raise


def rolling_back(status: str) -> bool:
    """Whether a request in this status may not be refused: the stack is on its way back, or going away."""
    return "ROLLBACK" in status or status.startswith("DELETE_")

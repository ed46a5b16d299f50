"""Tells CloudFormation how a request of it has ended.

The answer is a PUT to a presigned address that came with the request. The address is checked before anything is sent:
a request can be made up by whoever may invoke the function, and the answer names stacks and tables.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from replication.errors import AnswerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from replication.pair import Answer

LARGEST = 4096  # bytes of an answer
_ATTEMPTS = 6
# The buckets in which CloudFormation waits for answers, in all of S3's ways to write a bucket's host.
_CLOUDFORMATION = re.compile(
    r"cloudformation-custom-resource-response-[a-z0-9-]+\.s3([.-](dualstack\.)?[a-z0-9-]+)?\.amazonaws\.(com|com\.cn|eu)"
)


class Put(Protocol):
    """One HTTP PUT; returns the status. Raises OSError or an HTTPError of urllib3 when there is no answer."""

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> int: ...


@dataclass(frozen=True)
class Verdict:
    """What CloudFormation is told."""

    success: bool
    reason: str = ""


class Answers:
    """Sends answers. `also_allowed`: further hosts, with port, that stand for CloudFormation (an emulator's)."""

    def __init__(self, put: Put, sleep: Callable[[float], None], also_allowed: frozenset[str] = frozenset()) -> None:
        self._put = put
        self._sleep = sleep
        self._also_allowed = also_allowed

    def send(self, to: Answer, verdict: Verdict) -> None:
        """Answers, several times if need be: CloudFormation takes the first. Raises AnswerError."""
        self.check(to.response_url)
        sent = body(to, verdict)
        problem = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._sleep(min(2.0**attempt / 2, 8.0))
            try:
                status = self._put(to.response_url, sent, {"Content-Type": ""})
            except OSError as error:
                problem = type(error).__name__
                continue
            if status < 300:
                return
            problem = f"HTTP {status}"
            if status in (403, 404):
                break  # the address has expired or was answered and taken away
        raise AnswerError(f"CloudFormation could not be answered for {to.logical_resource_id}: {problem}.")

    def check(self, url: str) -> None:
        """Raises AnswerError when the address is not one of CloudFormation's."""
        parts = urlsplit(url)
        ours = parts.scheme == "https" and _CLOUDFORMATION.fullmatch(parts.netloc)
        if not ours and parts.netloc not in self._also_allowed:
            raise AnswerError(
                f"The answer would go to {parts.scheme}://{parts.hostname}, which is not CloudFormation's."
            )


def body(to: Answer, verdict: Verdict) -> bytes:
    """The answer, at most 4,096 bytes: a reason that is too long loses its middle."""
    fields: dict[str, Any] = {
        "Status": "SUCCESS" if verdict.success else "FAILED",
        "Reason": verdict.reason or ("See the log of EncryptMigrate's gate." if not verdict.success else ""),
        "PhysicalResourceId": to.physical_resource_id,
        "StackId": to.stack_id,
        "RequestId": to.request_id,
        "LogicalResourceId": to.logical_resource_id,
    }
    while len(encoded := json.dumps(fields).encode()) > LARGEST:
        reason = fields["Reason"]
        if not reason:
            raise AnswerError(f"The ids of {to.logical_resource_id} alone make an answer of more than {LARGEST} bytes.")
        keep = len(reason) * 2 // 5  # of its beginning, and as much of its end
        fields["Reason"] = f"{reason[:keep]} … {reason[-keep:]}" if keep > 1 else ""
    return encoded

"""What CloudFormation is told, and where nothing is ever sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from replication.answer import LARGEST, Answers, Verdict, body
from replication.errors import AnswerError
from tests.replicator.control.world import answer_to

GOOD = [
    "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com/arn%3Aaws?X-Amz-Signature=1",
    "https://cloudformation-custom-resource-response-eucentral1.s3.eu-central-1.amazonaws.com/x",
    "https://cloudformation-custom-resource-response-uswest2.s3-us-west-2.amazonaws.com/x",
    "https://cloudformation-custom-resource-response-cnnorth1.s3.cn-north-1.amazonaws.com.cn/x",
]
BAD = [
    "http://cloudformation-custom-resource-response-useast1.s3.amazonaws.com/x",
    "https://example.com/x",
    "https://mine.s3.amazonaws.com/x",
    "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com.example.com/x",
    "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com:8443/x",
    "https://user@example.com/cloudformation-custom-resource-response-useast1.s3.amazonaws.com",
    "http://169.254.169.254/latest/meta-data",
    "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com:port/x",
    "https://me@cloudformation-custom-resource-response-useast1.s3.amazonaws.com/x",
    "file:///etc/passwd",
    "",
]


class Bucket:
    """The other end: gives these statuses one after the other, then 200."""

    def __init__(self, *statuses: int | Exception) -> None:
        self.statuses = list(statuses)
        self.got: list[bytes] = []

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        assert headers == {"Content-Type": ""}  # anything else does not fit the address's signature
        self.got.append(body)
        status = self.statuses.pop(0) if self.statuses else 200
        if isinstance(status, Exception):
            raise status
        return status


def answers(bucket: Bucket, *also: str) -> tuple[Answers, list[float]]:
    slept: list[float] = []
    return Answers(bucket, slept.append, frozenset(also)), slept


def test_an_answer_repeats_the_ids_of_the_request() -> None:
    bucket = Bucket()
    answers(bucket)[0].send(answer_to("the-request"), Verdict(success=False, reason="why"))
    assert json.loads(bucket.got[0]) == {
        "Status": "FAILED",
        "Reason": "why",
        "PhysicalResourceId": "guid/Users",
        "StackId": answer_to().stack_id,
        "RequestId": "the-request",
        "LogicalResourceId": "UsersMigrationGate",
    }


def test_a_failure_without_a_reason_says_where_to_look() -> None:
    assert json.loads(body(answer_to(), Verdict(success=False)))["Reason"] == "See the log of EncryptMigrate's gate."


@pytest.mark.parametrize("reason", ["x" * 10_000, "ü" * 10_000, '"' * 10_000, "x" * 3_700])
def test_an_answer_is_never_larger_than_cloudformation_takes(reason: str) -> None:
    sent = body(answer_to(), Verdict(success=False, reason=reason))
    assert len(sent) <= LARGEST
    assert json.loads(sent)["Reason"].startswith(reason[0])


def test_ids_that_fill_an_answer_by_themselves_are_an_error() -> None:
    with pytest.raises(AnswerError, match="ids of UsersMigrationGate alone"):
        body(replace(answer_to(), physical_resource_id="x" * 5000), Verdict(success=True))


@pytest.mark.parametrize("url", GOOD)
def test_answers_go_to_the_buckets_of_cloudformation(url: str) -> None:
    answers(Bucket())[0].check(url)


@pytest.mark.parametrize("url", BAD)
def test_answers_go_nowhere_else(url: str) -> None:
    bucket = Bucket()
    with pytest.raises(AnswerError, match="which is not CloudFormation's"):
        answers(bucket)[0].send(replace(answer_to(), response_url=url), Verdict(success=True))
    assert bucket.got == []


def test_an_emulator_may_be_named_in_the_settings() -> None:
    answers(Bucket(), "127.0.0.1:4566")[0].check("http://127.0.0.1:4566/_answer/token")
    with pytest.raises(AnswerError):
        answers(Bucket(), "127.0.0.1:4566")[0].check("http://127.0.0.1:4567/_answer/token")


def test_an_answer_that_is_not_taken_is_sent_again_after_growing_pauses() -> None:
    bucket = Bucket(500, OSError("reset"), 503)
    sender, slept = answers(bucket)
    sender.send(answer_to(), Verdict(success=True))
    assert len(bucket.got) == 4
    assert slept == sorted(slept)


def test_an_answer_that_is_never_taken_is_an_error_and_not_for_ever() -> None:
    bucket = Bucket(*[500] * 20)
    with pytest.raises(AnswerError, match="HTTP 500"):
        answers(bucket)[0].send(answer_to(), Verdict(success=True))
    assert len(bucket.got) == 6


def test_an_address_that_has_expired_is_not_tried_again() -> None:
    bucket = Bucket(403)
    with pytest.raises(AnswerError, match="HTTP 403"):
        answers(bucket)[0].send(answer_to(), Verdict(success=True))
    assert len(bucket.got) == 1

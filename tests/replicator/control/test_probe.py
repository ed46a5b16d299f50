"""A probe tells a refusal by the policy from everything else that can go wrong."""

from __future__ import annotations

import io
import json
from typing import Any, cast

import pytest
from botocore.exceptions import ConnectTimeoutError

from replication.errors import TableGone
from replication.probe import Outcome, Probes, attempt, improbable_key, to_json
from replication.values import from_event
from tests.replicator.control.iam import refusal

DESCRIBED = {
    "KeySchema": [{"AttributeName": "h", "KeyType": "HASH"}, {"AttributeName": "r", "KeyType": "RANGE"}],
    "AttributeDefinitions": [
        {"AttributeName": "h", "AttributeType": "B"},
        {"AttributeName": "r", "AttributeType": "N"},
        {"AttributeName": "i", "AttributeType": "S"},
    ],
}


class Tables:
    """boto3's client: answers every delete like this."""

    def __init__(self, answer: Exception | None = None, describe: Exception | None = None) -> None:
        self.answer = answer
        self.describe = describe
        self.asked: list[dict[str, Any]] = []

    def describe_table(self, **_: Any) -> dict[str, Any]:
        if self.describe:
            raise self.describe
        return {"Table": DESCRIBED}

    def delete_item(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        if self.answer is not None:
            raise self.answer
        return {}


class Function:
    """The replicator as it is invoked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        self.asked.append(json.loads(Payload))
        return {"Payload": io.BytesIO(json.dumps(self.answer).encode())}


def probes(tables: Tables, function: Any = None) -> Probes:
    client = cast("Any", tables)
    return Probes(client, lambda: client, lambda token: client, cast("Any", function), "replicator")


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (refusal("AccessDeniedException"), Outcome.REFUSED),
        (refusal("ConditionalCheckFailedException"), Outcome.ALLOWED),
        (refusal("ProvisionedThroughputExceededException"), Outcome.UNSURE),
        (refusal("ThrottlingException"), Outcome.UNSURE),
        (refusal("ValidationException"), Outcome.UNSURE),
        (refusal("ExpiredTokenException"), Outcome.UNSURE),
        (ConnectTimeoutError(endpoint_url="x"), Outcome.UNSURE),
    ],
)
def test_only_the_policys_refusal_is_one(answer: Exception, outcome: Outcome) -> None:
    assert probes(Tables(answer)).client("Users") is outcome
    assert probes(Tables(answer)).look("Users", 1) is outcome


def test_a_table_that_is_gone_is_said_to_be() -> None:
    with pytest.raises(TableGone):
        probes(Tables(refusal("ResourceNotFoundException"))).client("Users")


@pytest.mark.parametrize("error", [refusal("AccessDeniedException"), refusal("ThrottlingException")])
def test_a_table_that_cannot_be_described_proves_nothing(error: Exception) -> None:
    """Being refused to describe it must not pass for being refused to write it."""
    assert probes(Tables(describe=error)).client("Users") is Outcome.UNSURE


def test_a_probe_can_never_delete_anything() -> None:
    tables = Tables()
    attempt(cast("Any", tables), "Users", improbable_key(DESCRIBED))
    (asked,) = tables.asked
    assert asked["ConditionExpression"] == "attribute_exists(#k) AND attribute_not_exists(#k)"
    assert set(asked["Key"]) == {"h", "r"}


def test_the_replicator_is_asked_with_a_key_that_arrives_as_it_was_sent() -> None:
    function = Function({"Probe": "refused"})
    assert probes(Tables(), function).replicator("Users") is Outcome.REFUSED
    assert from_event(function.asked[0]["Probe"]["Key"]) == improbable_key(DESCRIBED)
    assert to_json(improbable_key(DESCRIBED)) == function.asked[0]["Probe"]["Key"]


@pytest.mark.parametrize("answer", [{}, {"Probe": "perhaps"}, {"errorMessage": "no"}, None, "text"])
def test_a_replicator_that_fails_proves_nothing(answer: Any) -> None:
    assert probes(Tables(), Function(answer)).replicator("Users") is Outcome.UNSURE

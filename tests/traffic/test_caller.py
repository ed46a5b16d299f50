"""What a call writes to the history, against tables that answer, refuse, or do not answer."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from moto import mock_aws

from local.traffic.caller import Caller, Change
from local.traffic.history import Call, History, Op, Outcome, read_history
from local.traffic.items import LABEL, key_of, make_item
from local.traffic.labels import count_label


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("dynamodb", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
        client.create_table(
            TableName="Users",
            KeySchema=[{"AttributeName": "user", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "user", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client


class Bench:
    """A caller on a client, and the lines that it has written."""

    def __init__(self, path: Path, dynamodb: Any) -> None:
        self.history = History(path)
        self.ticks = iter(range(1000))
        self.caller = Caller("a", dynamodb, self.history, lambda: float(next(self.ticks)))

    def lines(self) -> list[Call]:
        self.history.flush()
        return list(read_history(self.history.path))


@pytest.fixture
def bench(tmp_path: Path, dynamodb: Any) -> Iterator[Bench]:
    bench = Bench(tmp_path / "history.jsonl", dynamodb)
    yield bench
    bench.history.close()


def test_a_put_and_a_read_are_lines_with_interval_and_value(bench: Bench) -> None:
    bench.caller.put("Users", "k", "red")
    assert bench.caller.read("Users", "k") == "red"
    put, read = bench.lines()
    assert (put.op, put.value, put.start, put.end, put.outcome) == (Op.PUT, "red", 0, 1, Outcome.ACKNOWLEDGED)
    assert (read.op, read.value, read.start, read.end) == (Op.READ, "red", 2, 3)


def test_an_update_turns_the_whole_item_into_another(bench: Bench, dynamodb: Any) -> None:
    labels = ["red", *(f"a-{n}" for n in range(20))]
    bench.caller.put("Users", "k", labels[0])
    for before, label in pairwise(labels):
        assert bench.caller.update("Users", "k", before, label) is Outcome.ACKNOWLEDGED
        assert bench.caller.read("Users", "k") == label


def test_a_condition_that_does_not_hold_is_a_failure_that_says_so(bench: Bench) -> None:
    bench.caller.create("Users", "k", "red")
    bench.caller.create("Users", "k", "blue")
    bench.caller.update("Users", "k", "green", "blue")
    bench.caller.transact_update("Users", "k", "green", "blue")
    first, *others = bench.lines()
    assert (first.took_effect, first.before, first.value) == (True, None, "red")
    assert [(call.outcome, call.condition_failed) for call in others] == [(Outcome.FAILED, True)] * 3


def test_a_counter_is_counted_up_by_condition(bench: Bench) -> None:
    bench.caller.put("Users", "n", count_label(0))
    assert bench.caller.update("Users", "n", count_label(0), count_label(1)) is Outcome.ACKNOWLEDGED
    assert bench.caller.update("Users", "n", count_label(0), count_label(1)) is Outcome.FAILED
    assert bench.caller.read("Users", "n") == count_label(1)


def test_a_batch_is_one_call_with_a_line_for_each_key(bench: Bench) -> None:
    bench.caller.batch_write("Users", [Change(Op.PUT, "k", "red"), Change(Op.DELETE, "l")])
    bench.caller.batch_read("Users", ["k", "l"])
    put, delete, *reads = bench.lines()
    assert (put.number, put.op, put.key, delete.op, delete.key) == (delete.number, Op.PUT, "k", Op.DELETE, "l")
    assert [(call.key, call.value) for call in reads] == [("k", "red"), ("l", None)]


def test_a_transaction_writes_and_reads_all_of_its_keys(bench: Bench) -> None:
    bench.caller.transact_put("Users", ["left", "right"], "red")
    bench.caller.transact_read("Users", ["left", "right"])
    assert [(call.key, call.value) for call in bench.lines()] == [("left", "red"), ("right", "red")] * 2


def test_an_item_that_was_altered_is_read_as_altered(bench: Bench, dynamodb: Any) -> None:
    item = make_item("k", "red")
    dynamodb.put_item(TableName="Users", Item={**item, LABEL: {"S": "blue"}})
    assert str(bench.caller.read("Users", "k")).startswith("altered:")


class Answering:
    """Stands for a DynamoDB client that answers every call with the same."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def __getattr__(self, _: str) -> Any:
        def call(**__: Any) -> Any:
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

        return call


def error(code: str, status: int = 400) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutItem")  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (error("AccessDeniedException"), Outcome.REFUSED),
        (error("ThrottlingException"), Outcome.FAILED),
        (error("InternalServerError", 500), Outcome.UNKNOWN),
        (ReadTimeoutError(endpoint_url="http://127.0.0.1"), Outcome.UNKNOWN),
    ],
)
def test_no_answer_is_unknown_and_a_clear_no_is_not(tmp_path: Path, answer: Exception, outcome: Outcome) -> None:
    bench = Bench(tmp_path / "history.jsonl", Answering(answer))
    assert bench.caller.put("Users", "k", "red") is outcome
    assert [call.outcome for call in bench.lines()] == [outcome]
    bench.history.close()


def test_what_a_batch_left_unprocessed_was_not_written(tmp_path: Path) -> None:
    left = {"UnprocessedItems": {"Users": [{"DeleteRequest": {"Key": key_of("l")}}]}}
    bench = Bench(tmp_path / "history.jsonl", Answering(left))
    bench.caller.batch_write("Users", [Change(Op.PUT, "k", "red"), Change(Op.DELETE, "l")])
    assert [(call.key, call.outcome) for call in bench.lines()] == [
        ("k", Outcome.ACKNOWLEDGED),
        ("l", Outcome.FAILED),
    ]
    bench.history.close()

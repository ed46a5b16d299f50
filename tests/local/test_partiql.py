"""Writes by PartiQL are changes of a table like any other."""

from typing import TYPE_CHECKING

import pytest

from tests.local.lab import Lab

if TYPE_CHECKING:
    from typing import Any


def stream(lab: Lab, arn: str) -> "list[tuple[str, Any, Any]]":
    """Every record of the table's stream: what happened, the item before and after."""
    streams = lab.client("dynamodbstreams")
    (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")[
        "ShardIterator"
    ]
    records = streams.get_records(ShardIterator=iterator)["Records"]
    return [
        (record["eventName"], record["dynamodb"].get("OldImage"), record["dynamodb"].get("NewImage"))
        for record in records
    ]


def test_partiql_writes_are_in_the_stream_with_both_images(lab: Lab) -> None:
    arn = lab.table("Users", stream=True)["LatestStreamArn"]
    execute = lab.client("dynamodb").execute_statement
    execute(Statement="""INSERT INTO "Users" VALUE {'user': 'ann', 'age': 7}""")
    execute(Statement="""UPDATE "Users" SET age = 8 WHERE "user" = 'ann' AND age = 7""")
    execute(Statement="""DELETE FROM "Users" WHERE "user" = 'ann'""")
    execute(Statement="""DELETE FROM "Users" WHERE "user" = 'bob'""")
    seven, eight = ({"user": {"S": "ann"}, "age": {"N": age}} for age in "78")
    assert stream(lab, arn) == [("INSERT", None, seven), ("MODIFY", seven, eight), ("REMOVE", eight, None)]


def test_a_partiql_write_that_is_refused_leaves_nothing_in_the_stream(lab: Lab) -> None:
    arn = lab.table("Users", stream=True)["LatestStreamArn"]
    client = lab.client("dynamodb")
    client.put_item(TableName="Users", Item={"user": {"S": "ann"}})
    with pytest.raises(client.exceptions.DuplicateItemException):
        client.execute_statement(Statement="""INSERT INTO "Users" VALUE {'user': 'ann', 'age': 7}""")
    assert [event for event, _, _ in stream(lab, arn)] == ["INSERT"]

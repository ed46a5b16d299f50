"""Reading a stream is decided on the stream, not on everything."""

from typing import Any

from tests.local.lab import Lab, allowed


def reads(lab: Lab, resource: str, stream: str) -> list[bool]:
    """Whether a role that may read `resource` is let in to the stream's description and to an iterator."""
    may = {"Effect": "Allow", "Action": ["dynamodb:DescribeStream", "dynamodb:GetShardIterator"], "Resource": resource}
    root = lab.client("dynamodbstreams")
    (shard,) = root.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]
    client: Any = lab.client("dynamodbstreams", lab.account.assume(lab.role("reader", may)))
    position = {"ShardId": shard["ShardId"], "ShardIteratorType": "LATEST"}
    return [
        allowed(client.describe_stream, StreamArn=stream),
        allowed(client.get_shard_iterator, StreamArn=stream, **position),
    ]


def test_a_role_may_read_the_stream_that_its_policy_names(lab: Lab) -> None:
    stream = lab.table("Users", stream=True)["LatestStreamArn"]
    assert reads(lab, stream.rpartition("/")[0] + "/*", stream) == [True, True]


def test_a_role_may_not_read_another_stream(lab: Lab) -> None:
    stream = lab.table("Users", stream=True)["LatestStreamArn"]
    assert reads(lab, stream.replace("Users", "Orders"), stream) == [False, False]

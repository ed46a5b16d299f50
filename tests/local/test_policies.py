"""Resource policies of tables: who is let in, when, and how they are changed."""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.cloud.mends.policies import History
from tests.local.conftest import SETTINGS
from tests.local.lab import Lab, allowed, document
from tests.waiting import eventually

WRITES = [f"dynamodb:{name}" for name in ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem")]
PARTIQL = [f"dynamodb:PartiQL{name}" for name in ("Insert", "Update", "Delete")]
ITEM = {"user": {"S": "ann"}}


def seal(*except_for: str, actions: list[str] | None = None) -> str:
    statement: dict[str, Any] = {
        "Sid": "Seal",
        "Effect": "Deny",
        "Principal": "*",
        "Action": actions or [*WRITES, *PARTIQL],
        "Resource": "*",
    }
    if except_for:
        statement["Condition"] = {"ArnNotEquals": {"aws:PrincipalArn": list(except_for)}}
    return json.dumps(document(statement))


def put_policy(lab: Lab, arn: str, policy: str, **more: str) -> str:
    revision: str = lab.client("dynamodb").put_resource_policy(ResourceArn=arn, Policy=policy, **more)["RevisionId"]
    return revision


def wait_until_spread() -> None:
    time.sleep(SETTINGS.policy_spread + 0.05)


class TestWhoIsLetIn:
    def test_a_role_without_permission_is_refused_and_one_that_the_table_allows_is_let_in(self, lab: Lab) -> None:
        table = lab.table("Users")
        role = lab.role("service")
        client = lab.client("dynamodb", lab.account.assume(role))
        assert not allowed(client.put_item, TableName="Users", Item=ITEM)
        allow = {"Effect": "Allow", "Principal": {"AWS": role}, "Action": WRITES, "Resource": table["TableArn"]}
        put_policy(lab, table["TableArn"], json.dumps(document(allow)))
        wait_until_spread()
        assert allowed(client.put_item, TableName="Users", Item=ITEM)
        assert not allowed(client.get_item, TableName="Users", Key=ITEM)

    def test_a_denial_holds_for_everybody_but_the_roles_that_it_names(self, lab: Lab) -> None:
        table = lab.table("Users")
        allow = {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}
        spared, other = lab.role("spared", allow), lab.role("other", allow)
        put_policy(lab, table["TableArn"], seal(spared))
        wait_until_spread()
        assert allowed(lab.client("dynamodb", lab.account.assume(spared)).put_item, TableName="Users", Item=ITEM)
        for credentials in (lab.account.assume(other), None):
            client = lab.client("dynamodb", credentials)
            assert not allowed(client.put_item, TableName="Users", Item=ITEM)
            assert not allowed(client.batch_write_item, RequestItems={"Users": [{"PutRequest": {"Item": ITEM}}]})
            assert allowed(client.get_item, TableName="Users", Key=ITEM)

    def test_a_refusal_is_a_bad_request_that_names_caller_action_and_table(self, lab: Lab) -> None:
        lab.table("Users")
        client = lab.client("dynamodb", lab.account.assume(lab.role("service")))
        with pytest.raises(ClientError) as refused:
            client.put_item(TableName="Users", Item=ITEM)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        message = refused.value.response["Error"]["Message"]
        assert "assumed-role/service/local is not authorized to perform: dynamodb:PutItem on resource: arn:" in message

    def test_transactions_are_decided_by_what_they_do_to_each_item(self, lab: Lab) -> None:
        table = lab.table("Users")
        put_policy(lab, table["TableArn"], seal())
        wait_until_spread()
        client = lab.client("dynamodb")
        write = {"Put": {"TableName": "Users", "Item": ITEM}}
        assert not allowed(client.transact_write_items, TransactItems=[write])
        assert allowed(client.transact_get_items, TransactItems=[{"Get": {"TableName": "Users", "Key": ITEM}}])

    @pytest.mark.parametrize(
        ("statement", "denied"),
        [
            ("""INSERT INTO "Users" VALUE {'user': 'ann'}""", True),
            ("""UPDATE "Users" SET a=1 WHERE "user"='ann'""", True),
            ("""DELETE FROM Users WHERE "user"='ann'""", True),
            ("""SELECT * FROM "Users" WHERE "user"='ann'""", False),
        ],
    )
    def test_partiql_is_decided_by_actions_of_its_own(self, lab: Lab, statement: str, denied: bool) -> None:
        table = lab.table("Users")
        put_policy(lab, table["TableArn"], seal(actions=PARTIQL))
        wait_until_spread()
        client = lab.client("dynamodb")
        assert allowed(client.execute_statement, Statement=statement) != denied
        assert allowed(client.batch_execute_statement, Statements=[{"Statement": statement}]) != denied
        assert allowed(client.put_item, TableName="Users", Item={"user": {"S": "bob"}})

    def test_the_policy_itself_is_guarded_by_the_table_that_it_belongs_to(self, lab: Lab) -> None:
        mine, other = lab.table("Mine"), lab.table("Other")
        role = lab.role(
            "gate", {"Effect": "Allow", "Action": "dynamodb:PutResourcePolicy", "Resource": mine["TableArn"]}
        )
        client = lab.client("dynamodb", lab.account.assume(role))
        assert allowed(client.put_resource_policy, ResourceArn=mine["TableArn"], Policy=seal())
        assert not allowed(client.put_resource_policy, ResourceArn=other["TableArn"], Policy=seal())

    def test_reading_a_stream_is_decided_on_the_stream(self, lab: Lab) -> None:
        mine, other = (lab.table(name, stream=True)["LatestStreamArn"] for name in ("Mine", "Other"))
        actions = ["dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords"]
        role = lab.role("reader", {"Effect": "Allow", "Action": actions, "Resource": mine})
        streams = lab.client("dynamodbstreams", lab.account.assume(role))
        shard = streams.describe_stream(StreamArn=mine)["StreamDescription"]["Shards"][0]["ShardId"]
        start = {"ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
        iterator = streams.get_shard_iterator(StreamArn=mine, **start)["ShardIterator"]
        assert allowed(streams.get_records, ShardIterator=iterator)
        assert not allowed(streams.describe_stream, StreamArn=other)
        assert not allowed(streams.get_shard_iterator, StreamArn=other, **start)
        others = lab.client("dynamodbstreams").get_shard_iterator(StreamArn=other, **start)["ShardIterator"]
        assert not allowed(streams.get_records, ShardIterator=others)

    def test_a_role_in_a_path_is_recognised(self, lab: Lab) -> None:
        table = lab.table("Users")
        trusted = document({"Effect": "Allow", "Principal": {"AWS": lab.account.account}, "Action": "sts:AssumeRole"})
        role = lab.client("iam").create_role(
            RoleName="deep", Path="/team/", AssumeRolePolicyDocument=json.dumps(trusted)
        )["Role"]["Arn"]
        allow = {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}
        lab.client("iam").put_role_policy(RoleName="deep", PolicyName="own", PolicyDocument=json.dumps(document(allow)))
        put_policy(lab, table["TableArn"], seal(role))
        wait_until_spread()
        assert allowed(lab.client("dynamodb", lab.account.assume(role)).put_item, TableName="Users", Item=ITEM)

    def test_a_backup_cannot_be_allowed_by_the_table(self, lab: Lab) -> None:
        table = lab.table("Users")
        role = lab.role("service")
        allow = {"Effect": "Allow", "Principal": {"AWS": role}, "Action": "dynamodb:*", "Resource": table["TableArn"]}
        put_policy(lab, table["TableArn"], json.dumps(document(allow)))
        wait_until_spread()
        client = lab.client("dynamodb", lab.account.assume(role))
        assert allowed(client.describe_table, TableName="Users")
        assert not allowed(client.create_backup, TableName="Users", BackupName="last")

    def test_a_role_is_assumed_by_whom_it_trusts_and_who_may(self, lab: Lab) -> None:
        probe = lab.role("probe")
        may = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": probe}
        trusted, stranger = lab.role("trusted", may), lab.role("stranger", may)
        trust = document({"Effect": "Allow", "Principal": {"AWS": trusted}, "Action": "sts:AssumeRole"})
        lab.client("iam").update_assume_role_policy(RoleName="probe", PolicyDocument=json.dumps(trust))

        def assumes(role: str) -> bool:
            client = lab.client("sts", lab.account.assume(role))
            try:
                client.assume_role(RoleArn=probe, RoleSessionName="probe")
            except ClientError:
                return False
            return True

        assert [assumes(role) for role in (trusted, stranger)] == [True, False]


class TestSpread:
    def test_two_callers_see_a_change_at_different_moments_and_both_within_the_time(self, lab: Lab) -> None:
        table = lab.table("Users")
        allow = {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}
        clients = [lab.client("dynamodb", lab.account.assume(lab.role(f"r{i}", allow))) for i in range(8)]
        put_policy(lab, table["TableArn"], seal())
        began = time.monotonic()
        refused: dict[int, float] = {}
        while len(refused) < len(clients):
            assert time.monotonic() - began < SETTINGS.policy_spread + 10  # the machine may be slow
            for number, client in enumerate(clients):
                if number not in refused and not allowed(client.put_item, TableName="Users", Item=ITEM):
                    refused[number] = time.monotonic() - began
        assert max(refused.values()) - min(refused.values()) > 0.1

    def test_a_delay_is_the_same_in_every_run_and_never_longer_than_the_spread(self) -> None:
        now = 100.0
        delays = []
        for _ in range(2):
            history = History(spread=10, interval=15, clock=lambda: now)
            history.add("arn", "{}", "one")
            change = history._changes["arn"][0]
            delays.append([history._delay(change, "arn", f"role/{number}") for number in range(100)])
        assert delays[0] == delays[1]
        assert 0 <= min(delays[0]) < 1
        assert 9 < max(delays[0]) < 10

    def test_a_policy_given_with_the_table_holds_at_once(self) -> None:
        history = History(spread=10, interval=15, clock=lambda: 0.0)
        history.add("arn", "{}", "one", at_once=True)
        seen = history.seen_by("arn", "anybody")
        assert seen is not None
        assert seen.policy == "{}"

    def test_a_policy_taken_away_lets_in_again_after_the_same_kind_of_delay(self, lab: Lab) -> None:
        table = lab.table("Users")
        client = lab.client("dynamodb")
        put_policy(lab, table["TableArn"], seal())
        wait_until_spread()
        assert not allowed(client.put_item, TableName="Users", Item=ITEM)
        time.sleep(SETTINGS.policy_interval)
        client.delete_resource_policy(ResourceArn=table["TableArn"])
        wait_until_spread()
        assert allowed(client.put_item, TableName="Users", Item=ITEM)

    def test_reading_a_policy_back_may_show_the_one_before(self, lab: Lab) -> None:
        table = lab.table("Users")
        client = lab.client("dynamodb")
        revision = put_policy(lab, table["TableArn"], seal())

        def read() -> Any:
            try:
                return client.get_resource_policy(ResourceArn=table["TableArn"])
            except client.exceptions.PolicyNotFoundException:
                return None

        assert eventually(read)["RevisionId"] == revision


class TestChanging:
    def test_a_second_change_within_the_interval_is_refused(self, lab: Lab) -> None:
        table = lab.table("Users")

        def change() -> None:
            for number in range(20):  # a slow machine may take longer than the interval between two of them
                put_policy(lab, table["TableArn"], seal(f"arn:aws:iam::1:role/{number}"))

        with pytest.raises(ClientError, match="ResourceInUseException"):
            change()
        time.sleep(SETTINGS.policy_interval)
        put_policy(lab, table["TableArn"], seal())

    def test_the_interval_begins_with_the_change_before_it(self) -> None:
        now = [100.0]
        history = History(spread=0, interval=15, clock=lambda: now[0])
        assert not history.too_early("arn")
        history.add("arn", "{}", "one")
        now[0] += 14
        assert history.too_early("arn")
        assert not history.too_early("another")
        now[0] += 1
        assert not history.too_early("arn")

    def test_the_same_policy_again_is_no_change(self, lab: Lab) -> None:
        table = lab.table("Users")
        assert put_policy(lab, table["TableArn"], seal()) == put_policy(lab, table["TableArn"], seal())

    def test_a_change_that_expects_another_revision_is_refused(self, lab: Lab) -> None:
        table = lab.table("Users")
        first = put_policy(lab, table["TableArn"], seal(), ExpectedRevisionId="NO_POLICY")
        time.sleep(SETTINGS.policy_interval)
        second = put_policy(lab, table["TableArn"], seal("arn:aws:iam::1:role/x"), ExpectedRevisionId=first)
        assert second != first
        time.sleep(SETTINGS.policy_interval)
        for stale in (first, "NO_POLICY"):
            with pytest.raises(ClientError, match="PolicyNotFoundException"):
                put_policy(lab, table["TableArn"], seal("arn:aws:iam::1:role/y"), ExpectedRevisionId=stale)

    def test_a_new_table_of_the_same_name_has_no_policy(self, lab: Lab) -> None:
        table = lab.table("Users")
        put_policy(lab, table["TableArn"], seal())
        lab.client("dynamodb").delete_table(TableName="Users")
        lab.table("Users")
        wait_until_spread()
        assert allowed(lab.client("dynamodb").put_item, TableName="Users", Item=ITEM)

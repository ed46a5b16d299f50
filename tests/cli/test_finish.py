"""`finish`: the user's file says what is deployed, and nothing else in it has changed."""

from __future__ import annotations

import difflib
import json
import re
from pathlib import Path

import pytest

from local.cli.failures import TemplateRefused
from local.cli.finishing import finish, finished
from local.cli.rewrite import same
from local.cli.template import Template
from local.cli.tree import parse, plain
from migration.intrinsics import mentioned
from migration.stages import Stage
from migration.standings import OUTPUT_LIMIT
from tests.cli.corpus import each_template, prepared, template
from tests.cli.running import encrypt_migrate

USERS = """\
# The users of the shop.
AWSTemplateFormatVersion: "2010-09-09"
Transform:
  - EncryptMigrate            # until all are moved
  - AWS::Serverless-2016-10-31

Metadata:
  AWS::CloudFormation::Interface:
    ParameterGroups:
      - Parameters: [EncryptMigrateStage]
      - Parameters: [Name]
    ParameterLabels:
      EncryptMigrateStage: {default: How far}
  EncryptMigrate:
    KMSMasterKeyId: alias/users

Parameters:
  # raised by the pipeline
  EncryptMigrateStage:
    Type: String
    Default: cleanup
  Name: {Type: String, Default: shop}

Resources:
  # one item per user
  Users:
    Type: AWS::DynamoDB::Table
    Metadata:
      Owner: team-a
      EncryptMigrate: {WriteRate: 500}
    Properties:
      TableName: !Sub '${Name}-users'   # fixed
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: &id
        - {AttributeName: id, AttributeType: S}
      KeySchema:
        - {AttributeName: id, KeyType: HASH}
      ResourcePolicy:
        PolicyDocument:
          Statement:
            - {Effect: Allow, Principal: '*', Action: 'dynamodb:GetItem', Resource: '*'}

  Other:
    Type: AWS::DynamoDB::Table
    Metadata: {EncryptMigrate: {Exclude: true}}
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: *id
      KeySchema: [{AttributeName: id, KeyType: HASH}]

  Api:
    Type: AWS::Serverless::Function
    DependsOn: Users
    Properties:
      Environment:
        Variables: {TABLE: !Ref Users, OTHER: !Ref Other}   # read at start
      Policies:
        - DynamoDBCrudPolicy: {TableName: !Ref Users}
      InlineCode: |
        # not a comment: Users
        pass

Outputs:
  Arn:
    Value: !GetAtt Users.Arn
    Export: {Name: !Sub '${Name}-arn'}
"""


def lines(one: str, other: str) -> tuple[list[str], list[str]]:
    """The lines that went and those that came."""
    found = list(difflib.ndiff(one.splitlines(), other.splitlines()))
    return [each[2:] for each in found if each[:2] == "- "], [each[2:] for each in found if each[:2] == "+ "]


class TestResult:
    def test_the_new_table_stands_under_its_own_id_and_every_reference_names_it(self) -> None:
        found = plain(parse(finish(template(USERS)).text))
        assert "Users" not in mentioned(found).keys() | found["Resources"].keys()
        table = found["Resources"]["UsersEncrypted"]["Properties"]
        assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": "alias/users"}
        assert table["TableName"] == {"Fn::Sub": "${Name}-users-encrypted"}
        assert found["Resources"]["Api"]["DependsOn"] == "UsersEncrypted"

    def test_transform_parameter_and_options_are_gone_and_what_stood_beside_them_is_not(self) -> None:
        after = finish(template(USERS)).text
        assert "EncryptMigrate" not in after.replace("UsersEncrypted", "")
        found = plain(parse(after))
        assert found["Transform"] == ["AWS::Serverless-2016-10-31"]
        assert list(found["Parameters"]) == ["Name"]
        assert found["Metadata"] == {"AWS::CloudFormation::Interface": {"ParameterGroups": [{"Parameters": ["Name"]}]}}
        assert found["Resources"]["UsersEncrypted"]["Metadata"] == {"Owner": "team-a"}
        assert "Metadata" not in found["Resources"]["Other"]

    def test_the_users_own_resource_policy_is_back_in_the_hands_of_cloudformation(self) -> None:
        found = plain(parse(finish(template(USERS)).text))
        policy = found["Resources"]["UsersEncrypted"]["Properties"]["ResourcePolicy"]
        assert policy["PolicyDocument"]["Statement"][0]["Action"] == "dynamodb:GetItem"

    def test_both_exports_stay_because_somebody_may_import_the_second_by_now(self) -> None:
        outputs = plain(parse(finish(template(USERS)).text))["Outputs"]
        assert [output["Value"] for output in outputs.values()] == [{"Fn::GetAtt": ["UsersEncrypted", "Arn"]}] * 2

    def test_outputs_that_say_where_the_migration_stands_are_gone_and_one_of_the_users_own_is_not(self) -> None:
        deployed = template(USERS).at(Stage.CLEANUP)["Outputs"]
        finished_outputs = plain(parse(finish(template(USERS)).text))["Outputs"]
        assert deployed.keys() - finished_outputs.keys() == {"EncryptMigrateUsers"}
        full = {f"Output{number}": {"Value": "x"} for number in range(OUTPUT_LIMIT)}
        data = {**plain(parse(USERS)), "Outputs": {**full, "EncryptMigrateUsers": {"Value": "mine"}}}
        assert plain(parse(finish(template(json.dumps(data))).text))["Outputs"] == data["Outputs"]

    def test_every_comment_and_every_line_without_a_reference_is_as_it_was(self) -> None:
        after = finish(template(USERS)).text
        gone, _ = lines(USERS, after)
        assert [line for line in re.findall(r"^\s*#.*", USERS, re.MULTILINE) if line not in after] == []
        allowed = ("EncryptMigrate", "Users", "-users", "KMSMasterKeyId", "Type: String", "Default: cleanup")
        assert [line for line in gone if not any(word in line for word in allowed)] == ["    ParameterLabels:"]

    def test_a_parameter_that_something_else_uses_stays(self) -> None:
        used = USERS.replace("InlineCode: |", "Description: !Ref EncryptMigrateStage\n      InlineCode: |")
        found = finish(template(used))
        assert found.parameter_kept
        assert "EncryptMigrateStage" in plain(parse(found.text))["Parameters"]

    def test_a_table_under_a_condition_leaves_no_reference_to_its_gate(self) -> None:
        text = """
Transform: EncryptMigrate
Parameters: {EncryptMigrateStage: {Type: String, Default: cleanup}}
Conditions: {Live: !Equals [a, a]}
Resources:
  Users:
    Type: AWS::DynamoDB::Table
    Condition: Live
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
  Api:
    Type: AWS::Lambda::Function
    Properties:
      Environment:
        Variables:
          TABLE: !If [Live, !Ref Users, none]
          ARN: !If [Live, !Sub 'x/${Users.Arn}/${AWS::Region}', none]
"""
        found = plain(parse(finish(template(text)).text))
        assert found["Resources"]["Api"]["Properties"]["Environment"]["Variables"] == {
            "TABLE": {"Fn::If": ["Live", {"Ref": "UsersEncrypted"}, "none"]},
            "ARN": {"Fn::If": ["Live", {"Fn::Sub": "x/${UsersEncrypted.Arn}/${AWS::Region}"}, "none"]},
        }

    def test_json_stays_json(self) -> None:
        text = json.dumps(plain(parse(USERS)), indent=4) + "\n"
        after = finish(template(text)).text
        assert same(json.loads(after), plain(parse(finish(template(USERS)).text)))
        gone, _ = lines(text, after)
        assert '    "AWSTemplateFormatVersion": "2010-09-09",' not in gone


@each_template
def test_every_public_template_is_finished_and_only_what_had_to_change_has(path: Path) -> None:
    """Laid beside the template before the macro came: lines go only where a table, or a name of one, stands."""
    found = template(prepared(path), path)
    try:
        want, _ = finished(found)
    except TemplateRefused as why:
        pytest.skip(f"the macro refuses it: {why}")
    after = finish(found).text
    assert same(plain(parse(after)), want)
    deployed = found.at(Stage.CLEANUP)
    gates = {table.gate for table in found.tables()}
    assert set(plain(parse(after))["Resources"]) == set(deployed["Resources"]) - gates
    standings = {f"EncryptMigrate{table.id}" for table in found.tables()}
    assert set(want.get("Outputs", {})) == set(deployed["Outputs"]) - standings
    assert [line for line in _comments(found.text) if line not in after] == []
    gone, _ = lines(path.read_text(), after)
    assert [line for line in gone if not _may_go(line, found)] == []


def _comments(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.lstrip().startswith("#")]


def _may_go(line: str, found: Template) -> bool:
    """Whether a line of the template as it was before the macro came speaks of a table that moves, or gets a comma.

    Also where the macro says that a resource which follows a table is another one: a new name, a stream from its begin.
    """
    words = ["Transform"]
    for table in found.tables():
        written = found.resources[table.id]
        words += [table.id, str(table.properties.get("TableName", "none"))]
        if written["Type"].endswith("SimpleTable"):
            words += ["SimpleTable", "PrimaryKey", "Name", "Type", "Tags", *map(str, written.get("Properties", {}))]
            words += [str(tag) for tag in (written.get("Properties", {}).get("Tags") or {})]
        if "AWS::Pipes::Pipe" in found.text:
            words.append("Name")
    words += ["StartingPosition", "Description", "DeletionPolicy", "UpdateReplacePolicy"]
    pieces = [part for word in words for part in re.findall(r"[\w-]{3,}", word)]
    return any(piece in line for piece in pieces) or line.strip().strip(",") in ("", "}", "]")


class TestCommand:
    def file(self, folder: Path, text: str = USERS) -> Path:
        path = folder / "template.yaml"
        path.write_bytes(text.encode())
        return path

    def test_it_shows_the_difference_and_asks_before_it_writes(self, tmp_path: Path) -> None:
        path = self.file(tmp_path)
        ran = encrypt_migrate("finish", path, answers="n\n")
        assert "-  Users:" in ran.out
        assert "+  UsersEncrypted:" in ran.out
        assert (ran.code, path.read_text()) == (1, USERS)
        assert "Nothing was written" in ran.said

    def test_said_yes_it_writes_and_says_what_is_left_to_do(self, tmp_path: Path) -> None:
        path = self.file(tmp_path)
        ran = encrypt_migrate("finish", path, "--yes")
        assert ran.code == 0
        assert path.read_text() == finish(template(USERS)).text
        assert "take it out of samconfig.toml" in ran.said

    def test_done_twice_it_finds_nothing_to_finish(self, tmp_path: Path) -> None:
        path = self.file(tmp_path)
        encrypt_migrate("finish", path, "--yes")
        ran = encrypt_migrate("finish", path, "--yes")
        assert (ran.code, "nothing to finish" in ran.said) == (1, True)

    @pytest.mark.parametrize("stage", ["cutover", "3", "populate"])
    def test_before_cleanup_it_refuses_and_says_what_to_do_first(self, tmp_path: Path, stage: str) -> None:
        path = self.file(tmp_path, USERS.replace("Default: cleanup", f"Default: {stage}"))
        ran = encrypt_migrate("finish", path, "--yes")
        assert ran.code == 1
        assert "not known to be cleanup" in ran.said
        assert "→ Update the stack with stage cleanup" in ran.said
        assert encrypt_migrate("finish", path, "--yes", "--deployed-stage", "cleanup").code == 0

    def test_line_ends_and_the_byte_order_mark_are_kept(self, tmp_path: Path) -> None:
        text = "\ufeff" + USERS.replace("\n", "\r\n")
        path = self.file(tmp_path, text)
        encrypt_migrate("finish", path, "--yes")
        after = path.read_bytes().decode()
        assert after.startswith("\ufeff#")
        assert after.count("\r\n") == after.count("\n")

    def test_for_machines_it_answers_in_one_object_and_never_asks(self, tmp_path: Path) -> None:
        path = self.file(tmp_path)
        ran = encrypt_migrate("finish", path, "--json")
        assert (ran.code, ran.json["written"], path.read_text()) == (1, False, USERS)
        assert encrypt_migrate("finish", path, "--json", "--yes").json["parameterGone"] == "EncryptMigrateStage"

"""`plan` and `expand`: what will happen, told before it does, without AWS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.cli.cutover import Refused, refused_services
from local.cli.in_place import in_place
from local.cli.planning import plan
from local.cli.rewrite import same
from local.cli.rollout import traffic_shift
from local.cli.tree import parse, plain
from migration.stages import Stage
from tests.cli.corpus import each_template, prepared, template
from tests.cli.running import encrypt_migrate

HEAD = """
Transform: [EncryptMigrate, AWS::Serverless-2016-10-31]
Parameters: {EncryptMigrateStage: {Type: String, Default: replicate}}
"""
TABLE = """
  Users:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
"""
API = """
  Api:
    Type: AWS::Serverless::Function
    Properties:
      Environment: {Variables: {TABLE: !Ref Users}}
"""
CRUD = "{DynamoDBCrudPolicy: {TableName: !Ref Users}}"
ALLOWED = "PolicyDocument: {Statement: [{Effect: Allow, Action: 'dynamodb:PutItem', Resource: !GetAtt Users.Arn}]}"


def text(resources: str = API, rest: str = "", table: str = TABLE) -> str:
    return f"{HEAD}Resources:{table}{resources}\n{rest}"


def refused(resources: str, rest: str = "") -> dict[str, Refused]:
    return {service.logical_id: service for service in plan(template(text(resources, rest))).refused}


class TestStages:
    def test_each_stage_tells_what_it_adds_changes_and_removes_for_each_table(self) -> None:
        stages = plan(template(text())).stages
        shown = {
            stage: {f"{change.what} {change.logical_id}" for change in found if "Users" in change.tables}
            for stage, found in stages.items()
        }
        assert {"added UsersEncrypted", "added UsersMigrationGate", "changed Users"} <= shown[Stage.REPLICATE]
        assert "added UsersPopulation" in shown[Stage.POPULATE]
        assert "changed Api" in shown[Stage.CUTOVER]
        assert {"removed Users", "removed UsersReplication"} <= shown[Stage.CLEANUP]

    def test_a_change_says_which_property(self) -> None:
        [api] = [change for change in plan(template(text())).stages[Stage.CUTOVER] if change.logical_id == "Api"]
        assert api.places == ("Properties.Environment.Variables.TABLE",)

    def test_a_change_of_order_alone_is_none(self) -> None:
        assert "Api" not in {change.logical_id for change in plan(template(text())).stages[Stage.REPLICATE]}

    @each_template
    def test_every_public_template_has_a_plan(self, path: Path, tmp_path: Path) -> None:
        file = tmp_path / path.name
        file.write_text(prepared(path, "replicate"))
        ran = encrypt_migrate("plan", file, "--json")
        if ran.code == 3:
            pytest.skip(f"the macro refuses it: {ran.json['messages'][0]}")
        assert ran.code == 0
        assert [stage["name"] for stage in ran.json["stages"]] == ["replicate", "populate", "cutover", "cleanup"]
        assert all(stage["changes"] for stage in ran.json["stages"])
        person = encrypt_migrate("plan", file)
        assert all(table["twin"] in person.said for table in ran.json["tables"])


class TestInPlace:
    def first(self, metadata: str) -> Any:
        table = TABLE.replace("    Properties:", f"    Metadata: {{EncryptMigrate: {metadata}}}\n    Properties:")
        return in_place(template(text(table=table)).tables()[0])

    def test_a_key_alone_can_be_changed_in_place_and_the_property_is_told(self) -> None:
        found = self.first("{KMSMasterKeyId: alias/users}")
        assert found.would_do
        assert "KMSMasterKeyId: alias/users" in found.text

    def test_so_can_what_cloudformation_updates_without_a_new_table(self) -> None:
        found = self.first("{Properties: {TableClass: STANDARD_INFREQUENT_ACCESS}}")
        assert (found.would_do, found.properties["TableClass"]) == (True, "STANDARD_INFREQUENT_ACCESS")

    @pytest.mark.parametrize(
        ("option", "reason"),
        [
            ("{TwinName: people}", "TwinName"),
            ("{Properties: {LocalSecondaryIndexes: [{IndexName: i}]}}", "LocalSecondaryIndexes"),
            ("{Properties: {AttributeDefinitions: [{AttributeName: id, AttributeType: N}]}}", "AttributeDefinitions"),
        ],
    )
    def test_a_name_a_local_index_or_a_retyped_attribute_needs_a_new_table(self, option: str, reason: str) -> None:
        found = self.first(option)
        assert not found.would_do
        assert reason in found.reasons[0]

    def test_the_plan_says_so_plainly(self, tmp_path: Path) -> None:
        file = tmp_path / "template.yaml"
        file.write_text(text())
        said = encrypt_migrate("plan", file).said
        assert "a change in place would do" in said
        assert "SSEEnabled: true" in said


class TestCutover:
    def test_a_plain_function_is_refused_for_seconds(self) -> None:
        service = refused(API)["Api"]
        assert (service.least, service.most, service.tables) == (5, 30, ("Users",))

    @pytest.mark.parametrize(
        ("name", "seconds"),
        [
            ("AllAtOnce", 0),
            ("Canary10Percent5Minutes", 300),
            ("LambdaCanary10Percent30Minutes", 1800),
            ("Linear10PercentEvery1Minute", 600),
            ("CodeDeployDefault.LambdaLinear10PercentEvery10Minutes", 6000),
            ("mine", None),
        ],
    )
    def test_the_time_of_a_canary_stands_in_its_name(self, name: str, seconds: float | None) -> None:
        assert traffic_shift(name) == seconds

    def test_a_canary_makes_it_longer_and_all_at_once_would_not(self) -> None:
        api = API + "      AutoPublishAlias: live\n      DeploymentPreference: {Type: Canary10Percent30Minutes}\n"
        service = refused(api)["Api"]
        assert service.most == 1830
        assert service.shorten == "AllAtOnce for this one update"
        assert refused(api.replace("Canary10Percent30Minutes", "AllAtOnce"))["Api"].most == 30

    def test_a_canary_from_globals_counts_too(self) -> None:
        rest = "Globals: {Function: {AutoPublishAlias: live, DeploymentPreference: {Type: Canary10Percent5Minutes}}}\n"
        assert refused(API, rest)["Api"].most == 330

    def test_a_configuration_of_its_own_is_open(self) -> None:
        api = API + "      AutoPublishAlias: live\n      DeploymentPreference: {Type: !Ref Mine}\n"
        assert refused(api)["Api"].most is None

    def test_an_alias_shifted_by_codedeploy_counts(self) -> None:
        found = refused(
            """
  Api:
    Type: AWS::Lambda::Function
    Properties: {Environment: {Variables: {TABLE: !Ref Users}}}
  Live:
    Type: AWS::Lambda::Alias
    UpdatePolicy: {CodeDeployLambdaAliasUpdate: {DeploymentGroupName: !Ref Group}}
    Properties: {FunctionName: !Ref Api}
  Group:
    Type: AWS::CodeDeploy::DeploymentGroup
    Properties: {DeploymentConfigName: CodeDeployDefault.LambdaCanary10Percent15Minutes}
"""
        )
        assert found["Api"].most == 930

    def test_containers_are_replaced_by_their_service(self) -> None:
        found = refused(
            """
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties: {ContainerDefinitions: [{Environment: [{Name: TABLE, Value: !Ref Users}]}]}
  Service:
    Type: AWS::ECS::Service
    Properties: {TaskDefinition: !Ref Task, HealthCheckGracePeriodSeconds: 120}
"""
        )
        assert found["Task"].most == 900 + 120
        assert "Service" in found["Task"].why
        assert "MinimumHealthyPercent" in found["Task"].shorten

    @pytest.mark.parametrize(
        ("kind", "properties"),
        [
            ("AWS::StepFunctions::StateMachine", "{DefinitionString: !Ref Users}"),
            ("AWS::SSM::Parameter", "{Value: !Ref Users}"),
        ],
    )
    def test_what_keeps_what_it_was_started_with_is_open(self, kind: str, properties: str) -> None:
        found = refused(f"\n  It:\n    Type: {kind}\n    Properties: {properties}\n")
        assert found["It"].most is None
        assert found["It"].shorten

    def test_a_nested_stack_is_told(self) -> None:
        found = refused(
            "\n  It:\n    Type: AWS::CloudFormation::Stack\n    Properties: {Parameters: {T: !Ref Users}}\n"
        )
        assert "nested stack" in found["It"].why

    def test_other_stacks_that_import_the_table_are_told_and_how_they_go_on(self) -> None:
        found = refused("", "Outputs: {Name: {Value: !Ref Users, Export: {Name: users}}}\n")
        assert found["Name"].most is None
        assert "NameEncrypted" in found["Name"].shorten

    @pytest.mark.parametrize(
        "role",
        [
            f"Role:\n    Type: AWS::IAM::Role\n    Properties: {{Policies: [{{{ALLOWED}}}]}}",
            (
                "Role: {Type: AWS::IAM::Role}\n"
                f"  Policy:\n    Type: AWS::IAM::Policy\n    Properties: {{Roles: [!Ref Role], {ALLOWED}}}"
            ),
        ],
        ids=["its role", "a policy of its role"],
    )
    def test_who_may_write_but_has_the_name_from_elsewhere_is_refused_until_that_changes(self, role: str) -> None:
        found = refused(
            f"\n  It:\n    Type: AWS::Lambda::Function\n    Properties: {{Role: !GetAtt Role.Arn}}\n  {role}\n"
        )
        assert [(each.logical_id, each.most) for each in found.values()] == [("It", None)]
        assert "pass it the name with Ref" in found["It"].shorten

    def test_so_is_a_function_with_policies_of_its_own(self) -> None:
        found = refused(API.replace("Environment: {Variables: {TABLE: !Ref Users}}", f"Policies: [{CRUD}]"))
        assert found["Api"].most is None

    def test_roles_alarms_and_scaling_write_nothing(self) -> None:
        dimensions = "{Dimensions: [{Name: TableName, Value: !Ref Users}]}"
        found = refused(f"\n  It:\n    Type: AWS::CloudWatch::Alarm\n    Properties: {dimensions}\n")
        assert found == {}

    def test_the_longest_come_first(self) -> None:
        parameter = "\n  It:\n    Type: AWS::SSM::Parameter\n    Properties: {Value: !Ref Users}\n"
        found = template(text(API + parameter))
        stages = plan(found).stages
        services = refused_services(stages[Stage.CUTOVER], stages[Stage.REPLICATE], found.fragment, found.tables())
        assert [service.logical_id for service in services] == ["It", "Api"]


class TestWarnings:
    def test_what_the_macro_cannot_see_is_told(self) -> None:
        table = TABLE.replace("Properties:", "Properties:\n      TableName: users")
        [found] = plan(template(text(table=table))).warnings
        assert (found.where, "fixed name" in found.what) == ("Users", True)

    def test_a_template_near_a_limit_of_cloudformation_is_told_at_which_stage(self) -> None:
        topics = "".join(f"\n  Topic{number}: {{Type: AWS::SNS::Topic}}" for number in range(398))
        [found] = plan(template(text(topics))).warnings
        assert found.what == "it has 404 resources at stage populate, of 500 that CloudFormation allows"

    def test_they_are_shown(self, tmp_path: Path) -> None:
        path = tmp_path / "template.yaml"
        path.write_text(text(table=TABLE.replace("Properties:", "Properties:\n      TableName: users")))
        assert "Worth knowing • Users: it has a fixed name" in encrypt_migrate("plan", path).said
        assert encrypt_migrate("plan", path, "--json").json["warnings"][0]["where"] == "Users"


class TestCommand:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "template.yaml"
        path.write_text(text())
        return path

    def test_with_a_size_it_tells_time_cost_and_what_breaks_first(self, file: Path) -> None:
        ran = encrypt_migrate("plan", file, "--items", 10_000_000, "--size", 2000, "--writes", 50)
        assert ran.code == 0
        for word in ("copy", "compare the source", "writing the twin", "us-east-1", "Right tool at this size"):
            assert word in ran.said

    def test_prices_can_be_given(self, file: Path) -> None:
        costs = [
            encrypt_migrate("plan", file, "--items", 1_000_000, *price, "--json").json["copy"]["costs"][
                "writing the twin"
            ]
            for price in ((), ("--price", "million_writes=1.25"))
        ]
        assert costs[1] == pytest.approx(2 * costs[0])

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (("--table", "Nobody"), "Those are: Users"),
            (("--price", "milk=1"), "There is no price milk"),
            (("--price", "export"), "is not NAME=VALUE"),
            (("--price", "export=much"), "is no number"),
        ],
    )
    def test_what_cannot_be_is_refused_in_words(self, file: Path, options: tuple[str, ...], said: str) -> None:
        ran = encrypt_migrate("plan", file, "--items", 1, *options)
        assert (ran.code, said in ran.said) == (1, True)

    def test_with_several_tables_it_asks_which(self, tmp_path: Path) -> None:
        path = tmp_path / "template.yaml"
        path.write_text(text(table=TABLE + TABLE.replace("Users", "Orders")))
        assert "--table which of Users, Orders" in encrypt_migrate("plan", path, "--items", 1).said

    def test_a_template_that_the_macro_refuses_ends_with_every_reason(self, tmp_path: Path) -> None:
        path = tmp_path / "template.yaml"
        path.write_text(text() + "Metadata: {EncryptMigrate: {Speed: 9, Exclude: 1}}\n")
        ran = encrypt_migrate("plan", path)
        assert ran.code == 3
        assert "unknown option Speed" in ran.said
        assert "option Exclude" in ran.said

    def test_a_file_that_is_no_template_is_told_with_its_line(self, tmp_path: Path) -> None:
        path = tmp_path / "template.yaml"
        path.write_text("a: [")
        assert encrypt_migrate("plan", path).code == 3
        assert encrypt_migrate("plan", tmp_path / "nowhere.yaml").code == 3

    def test_without_the_transform_it_says_what_to_add(self, tmp_path: Path) -> None:
        path = tmp_path / "template.yaml"
        path.write_text(f"Resources:{TABLE}")
        ran = encrypt_migrate("plan", path)
        assert ran.code == 0
        assert "put EncryptMigrate into its Transform" in ran.said

    def test_transforms_that_come_first_are_told(self, tmp_path: Path) -> None:
        path = tmp_path / "template.yaml"
        path.write_text(
            text().replace("[EncryptMigrate, AWS::Serverless-2016-10-31]", "[AWS::Include, EncryptMigrate]")
        )
        assert "AWS::Include" in encrypt_migrate("plan", path).said

    def test_without_a_terminal_there_is_no_colour(self, file: Path) -> None:
        assert "\x1b" not in encrypt_migrate("plan", file).out


class TestExpand:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "template.yaml"
        path.write_text(text())
        return path

    @each_template
    def test_every_public_template_is_printed_at_every_stage_as_the_macro_gives_it(
        self, path: Path, tmp_path: Path
    ) -> None:
        file = tmp_path / path.name
        file.write_text(prepared(path))
        found = template(prepared(path))
        for stage in Stage:
            ran = encrypt_migrate("expand", file, "--stage", stage.name.lower())
            if ran.code == 3:
                pytest.skip(f"the macro refuses it: {ran.said}")
            assert same(plain(parse(ran.out)), found.at(stage))

    def test_the_stage_is_that_of_the_parameter_unless_one_is_given(self, file: Path) -> None:
        assert "UsersEncrypted" in encrypt_migrate("expand", file).out
        assert "UsersPopulation" not in encrypt_migrate("expand", file).out
        assert "UsersPopulation" in encrypt_migrate("expand", file, "--param", "EncryptMigrateStage=populate").out
        assert "UsersPopulation" in encrypt_migrate("expand", file, "-s", "2").out

    def test_it_prints_json_as_well(self, file: Path) -> None:
        printed = json.loads(encrypt_migrate("expand", file, "--format", "json").out)
        assert printed == encrypt_migrate("expand", file, "--json").json
        assert printed["Transform"] == ["AWS::Serverless-2016-10-31"]

    def test_it_shows_what_changes_between_two_stages(self, file: Path) -> None:
        ran = encrypt_migrate("expand", file, "--diff", "populate", "cutover")
        assert "-          TABLE: !Ref Users\n+          TABLE: !Ref UsersEncrypted\n" in ran.out
        assert encrypt_migrate("expand", file, "--diff", "2", "2").out == "No difference.\n"
        assert encrypt_migrate("expand", file, "--diff", "2", "3", "--json").json["to"] == "cutover"

    @pytest.mark.parametrize(
        ("options", "code", "said"),
        [
            (("--stage", "later"), 1, "Stages are: off (0)"),
            (("--param", "Nothing=1"), 1, "The template has no parameter Nothing"),
            (("--param", "EncryptMigrateStage=later"), 3, "unknown stage 'later'"),
        ],
    )
    def test_what_cannot_be_is_refused_in_words(
        self, file: Path, options: tuple[str, ...], code: int, said: str
    ) -> None:
        ran = encrypt_migrate("expand", file, *options)
        assert (ran.code, said in ran.said) == (code, True)

    def test_errors_for_machines_are_one_object_too(self, file: Path) -> None:
        assert encrypt_migrate("expand", file, "--stage", "later", "--json").json["error"] == "Refused"

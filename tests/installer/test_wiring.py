"""What template.yaml names exists, and what the code needs is there: names that no linter can follow."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from replication.settings import Settings
from tests.installer.template import RESOURCES, ROOT, TEMPLATE, functions, of_type

POWERTOOLS = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_LOG_LEVEL"}
"""Read by Powertools itself."""

ON_EVERY_LINE = {"ENCRYPT_MIGRATE_VERSION"}
"""Read by the handlers, for their logs."""

NAMESPACE = "EncryptMigrate"

OF_AN_EMULATOR = {"AWS_ENDPOINT_URL", "RESPONSE_URL_HOSTS"}
"""Never set in AWS: where the answers to CloudFormation may go in an emulator."""


class Recording(Mapping[str, str]):
    """An environment that remembers which of its variables were read."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.read.add(name)
        return self._variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)


def variables(function: Mapping[str, Any]) -> dict[str, Any]:
    return dict(function["Environment"]["Variables"])


def resolved(value: Any) -> str:
    """The value that a variable has when nobody gives a parameter; a made-up one where only AWS knows."""
    if isinstance(value, dict) and value.get("Ref") in TEMPLATE["Parameters"]:
        return str(TEMPLATE["Parameters"][value["Ref"]]["Default"])
    return str(value)


def test_settings_read_exactly_the_variables_that_the_template_sets() -> None:
    environment = Recording({name: resolved(value) for name, value in variables(functions()["TurnFunction"]).items()})
    Settings.read(environment)
    assert environment.read - OF_AN_EMULATOR == set(environment) - POWERTOOLS - ON_EVERY_LINE


@pytest.mark.parametrize("name", functions())
def test_every_handler_exists(name: str) -> None:
    function = functions()[name]
    module, _, attribute = function["Handler"].rpartition(".")
    half = (function.get("CodeUri") or function["Code"]).strip("/")
    assert (ROOT / half / f"{module.replace('.', '/')}.py").is_file()
    assert callable(getattr(importlib.import_module(module), attribute))


@pytest.mark.parametrize("name", functions())
def test_every_function_has_its_own_role_and_a_log_that_it_may_write(name: str) -> None:
    function = functions()[name]
    stem = name.removesuffix("Function")
    assert function["Role"] == {"Fn::GetAtt": [f"{stem}Role", "Arn"]}
    assert function["LoggingConfig"]["LogGroup"] == {"Ref": f"{stem}Logs"}
    assert RESOURCES[f"{stem}Logs"]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


@pytest.mark.parametrize("name", functions())
def test_every_function_says_how_much_memory_and_time_it_needs_and_is_traced(name: str) -> None:
    function = functions()[name]
    assert {"MemorySize", "Timeout"} <= function.keys()
    assert function.get("Tracing", function.get("TracingConfig", {}).get("Mode")) == "Active"


@pytest.mark.parametrize("name", of_type("AWS::Serverless::StateMachine"))
def test_a_machine_fills_in_exactly_what_its_definition_leaves_open(name: str) -> None:
    machine = RESOURCES[name]["Properties"]
    definition = (ROOT / machine["DefinitionUri"]).read_text()
    json.loads(re.sub(r"(?<!\")\$\{\w+\}(?!\")", "0", definition))
    assert set(re.findall(r"\$\{(\w+)\}", definition)) == set(machine["DefinitionSubstitutions"])


def metrics_shown() -> set[str]:
    """The metrics of our own that alarms watch and the dashboard draws."""
    watched = {
        alarm["MetricName"] for alarm in of_type("AWS::CloudWatch::Alarm").values() if alarm["Namespace"] == NAMESPACE
    }
    body = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    searched = re.findall(rf"SEARCH\('{{{NAMESPACE},pair,service}} MetricName=\\\"(\w+)", body)
    assert searched == ["CopyPercent", "ComparePercent"]
    return {*watched, *re.findall(rf'\["{NAMESPACE}", "(\w+)"', body), *searched}


def test_every_metric_that_is_shown_is_published() -> None:
    published = "".join(path.read_text() for path in (ROOT / "replicator/replication").glob("*.py"))
    assert {metric for metric in metrics_shown() if f'"{metric}"' not in published} == set()


def test_the_dashboard_shows_the_capacity_of_tables_that_the_installer_cannot_name() -> None:
    body = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    searched = re.findall(r"SEARCH\('\{AWS/DynamoDB,TableName\} MetricName=\\\"(\w+)", body)
    assert searched == ["ConsumedWriteCapacityUnits", "WriteThrottleEvents"]


def test_the_dashboard_is_valid_json_and_its_widgets_do_not_overlap() -> None:
    board = json.loads(RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"])
    taken = [
        (x, y)
        for widget in board["widgets"]
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24


def test_a_request_of_cloudformation_is_never_repeated_by_lambda() -> None:
    assert functions()["GateFunction"]["EventInvokeConfig"]["MaximumRetryAttempts"] == 0


def test_names_put_together_are_the_names_given() -> None:
    environment = variables(functions()["TurnFunction"])
    assert environment["REPLICATOR_FUNCTION"] == functions()["ReplicatorFunction"]["FunctionName"]
    for variable, machine in {"TURN_MACHINE_ARN": "TurnMachine", "POPULATION_MACHINE_ARN": "PopulationMachine"}.items():
        name = RESOURCES[machine]["Properties"]["Name"]["Fn::Sub"]
        assert environment[variable]["Fn::Sub"].endswith(f":stateMachine:{name}")


def test_a_variable_is_set_from_the_parameter_of_its_name() -> None:
    waits = {name: value["Ref"] for name, value in variables(functions()["TurnFunction"]).items() if "_SECONDS" in name}
    assert {name: "".join(word.capitalize() for word in name.split("_")) for name in waits} == waits


def test_every_parameter_has_a_description_and_its_numbers_a_range() -> None:
    for name, parameter in TEMPLATE["Parameters"].items():
        assert parameter["Description"], name
        if parameter["Type"] == "Number":
            assert "AllowedValues" in parameter or {"MinValue", "MaxValue"} <= parameter.keys(), name


def test_the_names_that_migrated_stacks_import_never_change() -> None:
    """They stand in every stack under migration: another name would leave those stacks without a way on or back."""
    exports = {found["Export"]["Name"]: found["Value"] for found in TEMPLATE["Outputs"].values() if "Export" in found}
    assert exports == {
        "EncryptMigrate-ReplicatorFunctionArn": {"Fn::GetAtt": ["ReplicatorFunction", "Arn"]},
        "EncryptMigrate-GateFunctionArn": {"Fn::GetAtt": ["GateFunction", "Arn"]},
        "EncryptMigrate-FailedRecordsBucketArn": {"Fn::GetAtt": ["FailedRecordsBucket", "Arn"]},
    }


def test_the_roles_that_tables_name_never_change() -> None:
    """Their ARNs stand in the policies of tables under migration, and are made anew with another logical id or name."""
    shared = variables(functions()["TurnFunction"])
    named = {name: value for name, value in shared.items() if name.endswith("_ROLE_ARN")}
    assert named == {
        "REPLICATOR_ROLE_ARN": {"Fn::GetAtt": ["ReplicatorRole", "Arn"]},
        "WORKER_ROLE_ARN": {"Fn::GetAtt": ["WorkerRole", "Arn"]},
        "TURN_ROLE_ARN": {"Fn::GetAtt": ["TurnRole", "Arn"]},
        "LOOK_ROLE_ARN": {"Fn::GetAtt": ["LookRole", "Arn"]},
        "PROBE_ROLE_ARN": {"Fn::GetAtt": ["ProbeRole", "Arn"]},
    }
    roles = [RESOURCES[value["Fn::GetAtt"][0]]["Properties"] for value in named.values()]
    assert not any({"RoleName", "Path"} & role.keys() for role in roles)


def test_the_macro_has_the_name_that_templates_ask_for() -> None:
    assert RESOURCES["Macro"]["Properties"]["Name"] == "EncryptMigrate"


def test_what_holds_the_only_copy_of_something_outlives_the_stack() -> None:
    kept = {name for name, found in RESOURCES.items() if found.get("DeletionPolicy") == "Retain"}
    assert kept == {"StateTable", "FailedRecordsBucket", "FailedRecordsBucketPolicy", "Key"}
    assert all(RESOURCES[name]["UpdateReplacePolicy"] == "Retain" for name in kept)


def test_the_runtime_is_the_newest_that_sam_can_build_and_lambda_runs() -> None:
    """A newer one than `sam build` knows would end the installation at its first command."""

    def pythons(names: Iterable[str]) -> set[int]:
        return {int(found[1]) for name in names for found in re.finditer(r"\bpython3\.(\d+)\b", name)}

    built = pythons(path.read_text() for path in ROOT.glob(".venv-sam/lib/*/site-packages/samcli/lib/build/*.py"))
    run = pythons(
        PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", "AWS::Lambda::Function").schema["properties"][
            "Runtime"
        ]["enum"]
    )
    runtime = TEMPLATE["Parameters"]["Runtime"]
    assert pythons([runtime["Default"]]) == {max(built & run)}
    assert pythons(runtime["AllowedValues"]) == {minor for minor in built & run if minor >= 11}

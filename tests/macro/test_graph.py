"""Circles, and who is made first."""

from __future__ import annotations

from typing import Any

from migration.graph import Graph, depends_on


def resources(**after: str | list[str]) -> dict[str, Any]:
    return {name: {"DependsOn": others} for name, others in after.items()}


def test_depends_on_is_a_list_whatever_it_is() -> None:
    assert depends_on({"DependsOn": "A"}) == ["A"]
    assert depends_on({"DependsOn": ["A", None, "B"]}) == ["A", "B"]
    assert depends_on({}) == depends_on(None) == depends_on({"DependsOn": {}}) == []


def test_a_circle_is_told_from_its_start_to_its_end() -> None:
    graph = Graph(resources(A="B", B="C", C="A", D="A"))
    assert graph.circle_through(["A"]) == ["A", "B", "C", "A"]
    assert graph.circle_through(["D", "B"]) == ["B", "C", "A", "B"]


def test_a_resource_that_names_itself_is_a_circle() -> None:
    assert Graph(resources(A="A")).circle_through(["A"]) == ["A", "A"]


def test_a_circle_that_leads_through_none_of_the_ids_is_not_ours() -> None:
    assert Graph(resources(A="B", B="C", C="B")).circle_through(["A"]) == []


def test_a_function_does_not_come_after_what_its_events_and_its_deployment_name() -> None:
    properties = {
        "Events": {"E": {"Properties": {"RestApiId": {"Ref": "Api"}}}},
        "DeploymentPreference": {"Alarms": [{"Ref": "Api"}]},
        "Policies": [{"DynamoDBReadPolicy": {"TableName": {"Ref": "Users"}}}],
        "Environment": {"Variables": {"TOPIC": {"Ref": "Topic"}}},
    }
    given = {
        "F": {"Type": "AWS::Serverless::Function", "Properties": properties},
        **resources(Api="F", Users=[], Topic=[]),
    }
    graph = Graph(given)
    assert graph.before("F") == ["FRole", "Topic"]
    assert graph.before("FRole") == ["Users"]
    assert graph.circle_through(["Api"]) == []


def test_what_comes_first_is_made_first_and_the_rest_stays_in_its_order() -> None:
    graph = Graph(resources(C=["B"], A=[], B=["Other"], Other=["D"], D=[]))
    assert graph.in_order(["C", "A", "B", "D"]) == ["D", "B", "C", "A"]


def test_a_long_chain_is_no_problem() -> None:
    names = [f"R{number}" for number in range(5000)]
    graph = Graph(resources(**dict(zip(names, [*names[1:], names[0]], strict=True))))
    assert len(graph.circle_through(["R0"])) == 5001
    assert graph.in_order(["R0", "R4999"]) == ["R4999", "R0"]

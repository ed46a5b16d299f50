"""Failures that are ordered, and the order in which a rollback then takes back what was done."""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from local.cloud import Cloud, Fault, Settings, stacks

NAMES = [f"P{number}" for number in range(8)]


@pytest.fixture(scope="module")
def shuffled() -> Iterator[Cloud]:
    with Cloud(Settings(shuffle=1)) as cloud:
        yield cloud


def parameters(value: str, *, after: dict[str, str] | None = None, **more: str) -> str:
    """A template of parameters that have this value, those of `more` theirs; `after` says which waits for which."""
    given = dict.fromkeys(NAMES, value) | more
    resources: dict[str, Any] = {
        name: {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Name": name, "Value": given[name]}}
        for name in given
    }
    for name, first in (after or {}).items():
        resources[name]["DependsOn"] = first
    return json.dumps({"Resources": resources})


def values(cloud: Cloud) -> dict[str, str]:
    found = cloud.client("ssm").describe_parameters()["Parameters"]
    names = [each["Name"] for each in found]
    return {name: cloud.client("ssm").get_parameter(Name=name)["Parameter"]["Value"] for name in names}


def failure(cloud: Cloud, stack: str, template: str, fault: Fault) -> stacks.StackFailed:
    cloud.order(stack, fault)
    with pytest.raises(stacks.StackFailed) as failed:
        stacks.deploy(cloud, stack, template)
    return failed.value


@pytest.fixture
def app(shuffled: Cloud) -> Iterator[str]:
    """A stack at its first values."""
    stacks.deploy(shuffled, "app", parameters("1"))
    yield "app"
    stacks.delete(shuffled, "app")


class TestAFailure:
    @pytest.mark.parametrize("late", [False, True])
    def test_of_a_changed_resource_rolls_everything_back_and_is_told(
        self, shuffled: Cloud, app: str, late: bool
    ) -> None:
        found = failure(shuffled, app, parameters("2"), Fault("P3", late=late))
        assert (found.status, found.reason) == ("UPDATE_ROLLBACK_COMPLETE", "P3: The failure of P3 was ordered.")
        assert set(values(shuffled).values()) == {"1"}

    @pytest.mark.parametrize("late", [False, True])
    def test_of_a_new_resource_leaves_nothing_of_it(self, shuffled: Cloud, app: str, late: bool) -> None:
        found = failure(shuffled, app, parameters("1", New="1"), Fault("New", late=late))
        assert ("New", "CREATE_FAILED") in [(event.logical_id, event.status) for event in found.events]
        assert sorted(values(shuffled)) == NAMES

    def test_that_comes_late_finds_what_was_asked_for_done(self, shuffled: Cloud, app: str) -> None:
        found = failure(shuffled, app, parameters("2"), Fault("P3", late=True))
        sent_back = [event.status for event in found.events if event.logical_id == "P3"]
        assert sent_back == ["UPDATE_IN_PROGRESS", "UPDATE_FAILED", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"]

    def test_meets_one_operation_alone(self, shuffled: Cloud, app: str) -> None:
        failure(shuffled, app, parameters("2"), Fault("P3"))
        stacks.deploy(shuffled, app, parameters("2"))
        assert set(values(shuffled).values()) == {"2"}

    def test_passes_a_resource_that_does_not_change(self, shuffled: Cloud, app: str) -> None:
        shuffled.order(app, Fault("P3"))
        assert stacks.deploy(shuffled, app, parameters("1", New="1")).status == "UPDATE_COMPLETE"

    def test_can_come_while_others_are_done(self, shuffled: Cloud, app: str) -> None:
        found = failure(shuffled, app, parameters("2"), Fault("P3", delay=0.3))
        done = [event.logical_id for event in found.events if event.status == "UPDATE_COMPLETE"]
        assert sorted(done[:7]) == [name for name in NAMES if name != "P3"]


class TestARollback:
    def test_takes_back_in_an_order_of_its_own_for_each_stack(self, shuffled: Cloud) -> None:
        orders = [self.taken_back(shuffled, stack, {}) for stack in ("one", "two")]
        assert sorted(orders[0]) == sorted(orders[1]) == NAMES
        assert len({tuple(order) for order in (*orders, NAMES)}) == 3

    def test_keeps_to_what_depends_on_what(self, shuffled: Cloud) -> None:
        chain = {second: first for first, second in pairwise(NAMES)}
        assert self.taken_back(shuffled, "chain", chain) == NAMES

    @staticmethod
    def taken_back(cloud: Cloud, stack: str, after: dict[str, str]) -> list[str]:
        stacks.deploy(cloud, stack, parameters("1", after=after))
        events = failure(cloud, stack, parameters("2", after=after, New="1"), Fault("New", delay=0.5)).events
        stacks.delete(cloud, stack)
        began = next(place for place, event in enumerate(events) if event.status == "UPDATE_ROLLBACK_IN_PROGRESS")
        return [event.logical_id for event in events[began:] if event.status == "UPDATE_COMPLETE"]

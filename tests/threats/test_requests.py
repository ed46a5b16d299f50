"""Requests to the gate that somebody made up, or that a template of somebody else makes CloudFormation send."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from replication import handlers
from replication.answer import Verdict
from replication.errors import AnswerError, RequestError
from replication.pair import Pair, PopulationState
from replication.request import read
from tests.replicator.control.aws import REGION
from tests.replicator.control.iam import ACCOUNT
from tests.replicator.control.stack import Stack, at_stage
from tests.replicator.control.test_handlers import CONTEXT, wire
from tests.replicator.control.world import PAIR_ID, STACK_ID

OTHER_STACK = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/other/other-guid"
FORGED = {
    "another stack": OTHER_STACK,
    "the same guid under another name": STACK_ID.replace("/app/", "/other/"),
    "another account": STACK_ID.replace(ACCOUNT, "999999999999"),
    "no ARN at all": STACK_ID.rsplit("/", 1)[-1],
}


@pytest.fixture(params=["UPDATE_IN_PROGRESS", "DELETE_COMPLETE"])
def stack(request: pytest.FixtureRequest) -> Stack:
    """A pair at cutover; CloudFormation says either that the stack is being updated or that there is none."""
    found = at_stage(Stack(), 3)
    found.cloudformation.status = request.param
    return found


def standing(stack: Stack) -> tuple[Pair, Any, int]:
    """The record, the policies of both tables, and how much was started."""
    return stack.world.pair, stack.policies(), len(stack.machines.turns) + len(stack.machines.jobs)


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
@pytest.mark.parametrize(("kind", "stage"), [("Create", 1), ("Update", 1), ("Update", 4), ("Delete", 3)])
def test_a_forged_stack_id_reaches_no_pair(stack: Stack, forged: str, kind: str, stage: int) -> None:
    """The pair's id is made of the last part of the stack's, which whoever makes up a request can copy."""
    before = standing(stack)
    event = stack.event(kind, stage, WritersMoved="true") | {"StackId": forged, "PhysicalResourceId": PAIR_ID}
    with suppress(RequestError):  # where CloudFormation knows the stack, it is told; else it holds nothing up
        stack.gate.handle(read(event))
    assert standing(stack) == before


def test_a_stack_cannot_stop_the_copy_of_another_by_naming_its_pair() -> None:
    """Its creation is refused, and on its way back CloudFormation deletes what it has just been given the id of."""
    stack = at_stage(Stack(), 1)
    event = {
        "RequestType": "Create",
        "ResponseURL": "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com/answer",
        "StackId": STACK_ID,
        "RequestId": "request",
        "LogicalResourceId": "UsersPopulation",
        "ResourceType": "Custom::MigrationPopulation",
        "ResourceProperties": {"Version": "1", "Pair": PAIR_ID},
    }
    assert stack.populating.handle(read(event)) is None
    hostile = event | {"StackId": OTHER_STACK}
    with pytest.raises(RequestError, match="another stack"):
        stack.populating.handle(read(hostile))
    deleted = hostile | {"RequestType": "Delete", "PhysicalResourceId": f"{PAIR_ID}/population"}
    assert stack.populating.handle(read(deleted)) == Verdict(success=True)
    population = stack.world.pair.population
    assert population is not None
    assert population.state is PopulationState.RUNNING
    assert stack.machines.stopped == []


def test_a_template_that_names_a_table_of_another_stack_is_refused_and_touches_nothing() -> None:
    stack = Stack()
    before = stack.policies()
    stack.cloudformation.tables["Users"] = "SomebodyElses"
    with pytest.raises(RequestError, match="not the table Users of this stack"):
        stack.ask("Create", 1)
    assert stack.policies() == before


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/answer",
        "http://cloudformation-custom-resource-response-useast1.s3.amazonaws.com/answer",
        "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com@evil.example/answer",
        "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com.evil.example/answer",
        "https://somebodys-bucket.s3.amazonaws.com/cloudformation-custom-resource-response-useast1",
        "https://evil.example/?cloudformation-custom-resource-response-useast1.s3.amazonaws.com",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
    ],
)
def test_nothing_is_done_and_nothing_sent_for_a_hostile_response_url(url: str) -> None:
    stack = at_stage(Stack(), 1)
    before = standing(stack)
    wire(gate=stack.gate, stacks=stack.gate.stacks)
    try:
        with pytest.raises(AnswerError, match="not CloudFormation's"):
            handlers.gate(stack.event("Delete", 1) | {"ResponseURL": url}, CONTEXT)
    finally:
        handlers._wired.clear()
    assert standing(stack) == before

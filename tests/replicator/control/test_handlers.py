"""The functions' edges: whatever comes in, CloudFormation gets its answer, and machines get what they go on with."""

from __future__ import annotations

import http.server
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from replication import handlers
from replication.answer import Verdict
from replication.codec import to_map
from replication.errors import AnswerError, NotUnderstood, Refused, RequestError, StaleTurn
from replication.mirror import Outcome
from replication.pair import Side
from replication.progress import Progress
from replication.stacks import Stacks
from tests.replicator.control.iam import Caller
from tests.replicator.control.stack import QUIET, Stack
from tests.replicator.control.world import PAIR_ID, SOURCE, World

CONTEXT = cast(
    "Any",
    SimpleNamespace(
        aws_request_id="invocation",
        function_name="f",
        memory_limit_in_mb=128,
        invoked_function_arn="arn:f",
        get_remaining_time_in_millis=lambda: 900_000,
    ),
)


class Parts:
    """Stands for the wiring; each test puts in what it needs."""

    def __init__(self, **parts: Any) -> None:
        self.__dict__.update(parts)


@pytest.fixture(autouse=True)
def unwired() -> Iterator[None]:
    handlers._wired.clear()
    yield
    handlers._wired.clear()


def wire(**parts: Any) -> None:
    handlers._wired[:] = [cast("Any", Parts(**parts))]


class Inbox(http.server.BaseHTTPRequestHandler):
    """The emulator's end of the answers."""

    got: list[dict[str, Any]]

    def do_PUT(self) -> None:
        self.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing on the screen."""


@pytest.fixture
def inbox() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An address that is allowed like an emulator's, and what has come to it."""
    got: list[dict[str, Any]] = []
    server = http.server.HTTPServer(("127.0.0.1", 0), type("Box", (Inbox,), {"got": got}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = f"127.0.0.1:{server.server_port}"
    os.environ["RESPONSE_URL_HOSTS"] = host
    yield f"http://{host}/answer", got
    del os.environ["RESPONSE_URL_HOSTS"]
    server.shutdown()
    server.server_close()


class Gate:
    """Says, or raises, always the same."""

    def __init__(self, says: Any) -> None:
        self.says = says

    def handle(self, _request: Any) -> Any:
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


class TestGate:
    def ask(self, inbox: tuple[str, list[dict[str, Any]]], says: Any, **changes: Any) -> list[dict[str, Any]]:
        stack = Stack()
        stack.cloudformation.status = changes.pop("status", "UPDATE_IN_PROGRESS")
        wire(gate=Gate(says), populating=Gate(says), stacks=Stacks(cast("Any", stack.cloudformation)))
        event = stack.event("Update", 2) | {"ResponseURL": inbox[0]} | changes
        handlers.gate({name: value for name, value in event.items() if value is not None}, CONTEXT)
        return inbox[1]

    def test_answers_what_was_decided(self, inbox: Any) -> None:
        (answer,) = self.ask(inbox, Verdict(success=True, reason="fine"))
        assert (answer["Status"], answer["Reason"], answer["PhysicalResourceId"]) == ("SUCCESS", "fine", PAIR_ID)

    def test_leaves_the_answer_to_an_execution_that_was_started(self, inbox: Any) -> None:
        assert self.ask(inbox, None) == []

    def test_answers_a_refusal_with_its_reasons(self, inbox: Any) -> None:
        (answer,) = self.ask(inbox, Refused(["One.", "Two."]))
        assert (answer["Status"], answer["Reason"]) == ("FAILED", "(1) One. (2) Two.")

    def test_answers_even_when_it_breaks(self, inbox: Any) -> None:
        (answer,) = self.ask(inbox, ZeroDivisionError("division by zero"))
        assert answer["Status"] == "FAILED"
        assert "ZeroDivisionError: division by zero" in answer["Reason"]

    @pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"])
    def test_that_breaks_holds_up_no_stack_that_is_on_its_way_back(self, inbox: Any, status: str) -> None:
        (answer,) = self.ask(inbox, ZeroDivisionError("x"), status=status)
        assert answer["Status"] == "SUCCESS"

    def test_without_settings_says_which(self, inbox: Any) -> None:
        handlers.gate(Stack().event("Update", 2) | {"ResponseURL": inbox[0]}, CONTEXT)
        (answer,) = inbox[1]
        assert answer["Status"] == "FAILED"
        assert "STATE_TABLE is not set; REPLICATOR_ROLE_ARN is not set" in answer["Reason"]

    def test_answers_a_resource_that_it_does_not_know(self, inbox: Any) -> None:
        (answer,) = self.ask(inbox, None, ResourceType="Custom::Other")
        assert (answer["Status"], "Custom::Other is none of" in answer["Reason"]) == ("FAILED", True)

    @pytest.mark.parametrize(
        ("broken", "missing"),
        [
            ({"RequestType": "Upsert"}, "RequestType is 'Upsert'"),
            ({"ResourceProperties": "x"}, "ResourceProperties is no map"),
            ({"ResourceType": None}, "ResourceType is missing"),
        ],
    )
    def test_answers_an_event_that_cannot_be_understood(self, inbox: Any, broken: Any, missing: str) -> None:
        (answer,) = self.ask(inbox, None, **broken)
        assert (answer["Status"], missing in answer["Reason"]) == ("FAILED", True)

    def test_an_event_that_does_not_say_where_to_answer_fails_loudly(self) -> None:
        for event in ({}, {"RequestType": "Create"}, {"ResponseURL": 7}, "text"):
            with pytest.raises(RequestError):
                handlers.gate(cast("Any", event), CONTEXT)

    def test_nothing_is_done_for_whoever_wants_the_answer_elsewhere(self) -> None:
        decided: list[Any] = []
        wire(gate=SimpleNamespace(handle=decided.append))
        with pytest.raises(AnswerError):
            handlers.gate(Stack().event("Update", 2) | {"ResponseURL": "https://example.com/"}, CONTEXT)
        assert decided == []


class TestTurn:
    @pytest.fixture
    def world(self) -> World:
        world = World(traffic=False)
        wire(crew=world.crew)
        return world

    def event(self, world: World, action: str = "turn") -> dict[str, Any]:
        order = to_map(world.order(Side.TWIN))
        return {"Action": action, "Order": json.loads(json.dumps(order)), "Pair": PAIR_ID}

    def test_goes_through_what_its_machine_asks_for(self, world: World) -> None:
        # the deadline is of the real clock, long after the one of this world
        opened = handlers.turn(self.event(world), CONTEXT)
        assert opened == {"Ended": "opened", "Pair": PAIR_ID, "HoldSeconds": 5}
        world.account.sleep(6)
        assert handlers.turn({"Action": "release", "Pair": PAIR_ID}, CONTEXT)["Ended"] == "released"
        assert handlers.turn({"Action": "recover", "Pair": PAIR_ID}, CONTEXT)["Ended"] == "done"

    def test_that_failed_before_it_began_is_answered(self, world: World) -> None:
        failed = self.event(world, "recover") | {
            "Error": {"Error": "ClientError", "Cause": '{"errorMessage": "No key."}'}
        }
        assert handlers.turn(failed, CONTEXT)["Ended"] == "done"
        assert (world.answers[0]["Status"], world.answers[0]["Reason"]) == ("FAILED", "No key.")

    def test_that_was_taken_over_lets_the_other_go_on(self, world: World) -> None:
        class Taken:
            def find(self, pair_id: str) -> Any:
                raise StaleTurn("taken")

        wire(crew=SimpleNamespace(state=Taken(), waits=world.waits, clock=world.account.clock))
        assert handlers.turn(self.event(world), CONTEXT)["Ended"] == "superseded"

    @pytest.mark.parametrize(
        "event", [{}, {"Action": "other"}, {"Action": "turn"}, {"Action": "turn", "Order": {"To": "x"}}]
    )
    def test_what_it_does_not_understand_is_an_error(self, world: World, event: Any) -> None:
        with pytest.raises(NotUnderstood):
            handlers.turn(event, CONTEXT)


class TestMirror:
    def test_gives_lambda_the_record_that_failed(self) -> None:
        outcome = Outcome(3, written=1, failed="17", error=Refused(["no"]))
        wire(mirror=SimpleNamespace(run=lambda event, invocation, deadline: outcome))
        assert handlers.mirror({"Records": []}, CONTEXT) == {"batchItemFailures": [{"itemIdentifier": "17"}]}

    @pytest.mark.parametrize(("trusted", "told"), [(True, "allowed"), (False, "refused")])
    def test_tells_a_turn_whether_it_may_write_a_table(self, trusted: bool, told: str) -> None:
        items = World(traffic=False).account.client(Caller("stranger", trusted=trusted))
        wire(items=items)
        asked = {"Probe": {"Table": SOURCE, "Key": {"id": {"S": "nobody's"}}}}
        assert handlers.mirror(asked, CONTEXT) == {"Probe": told}

    def test_metrics_are_published_under_the_names_that_the_alarms_know(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        wire(mirror=SimpleNamespace(run=lambda *_: Outcome(3, written=3, lag=0.5)))
        handlers.mirror({"Records": []}, CONTEXT)
        published = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
        (found,) = published
        assert (found["RecordsMirrored"], found["Lag"], found["service"]) == ([3.0], [0.5], "encrypt-migrate")
        assert found["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "EncryptMigrate"


class TestWatchdog:
    def test_publishes_how_far_the_job_of_each_pair_is(self, capsys: pytest.CaptureFixture[str]) -> None:
        copying = replace(QUIET, name="app/Orders", progress=Progress(42.0, None))
        wire(watchdog=SimpleNamespace(run=lambda: [QUIET, copying]))
        handlers.watchdog({}, CONTEXT)
        published = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
        (found,) = [one for one in published if "pair" in one]
        assert (found["pair"], found["CopyPercent"], "ComparePercent" in found) == ("app/Orders", [42.0], False)
        (of_all,) = [one for one in published if "pair" not in one]
        assert of_all["Pairs"] == [2.0]


class TestWork:
    @pytest.mark.parametrize(
        "event", [{"Job": {}}, {"Job": {"Pair": "p", "Job": "j", "Mode": "compare"}, "Step": "other"}]
    )
    def test_what_it_does_not_understand_is_an_error(self, event: Any) -> None:
        wire()
        with pytest.raises(NotUnderstood):
            handlers.work(event, CONTEXT)

    def test_the_cause_of_a_failure_is_told_in_words(self) -> None:
        failed: list[str] = []
        wire(ending=SimpleNamespace(failed=lambda job, cause: failed.append(cause)))
        job = {"Pair": "p", "Job": "j", "Mode": "compare"}
        for error in ({"Cause": '{"errorMessage": "Why."}'}, {"Error": "States.Timeout", "Cause": "x"}, None):
            handlers.work({"Job": job, "Step": "failed", "Error": error}, CONTEXT)
        assert failed == ["Why.", "States.Timeout: x", "The task failed for no known reason."]

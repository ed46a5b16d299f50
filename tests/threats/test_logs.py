"""What items hold is told to nobody: not to a log, a metric or a trace, whatever happens, and at no level.

The real handlers run with their real logger at DEBUG, on items whose keys and values cannot be missed.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError

from migration.handler import handler as macro
from migration.handler import logger as macro_logger
from replication import handlers
from replication.codec import to_map
from replication.mirror import Mirror
from replication.pair import Damage, Side
from replication.population import Population
from replication.segments import Mode, Part
from tests.installer.template import ROOT
from tests.replicator.control.test_handlers import CONTEXT, wire
from tests.replicator.control.world import CLIENTS, SOURCE
from tests.replicator.control.world import World as Turning
from tests.replicator.data.engine import event_record, no_answer, refusal
from tests.replicator.data.world import PAIR_ID, TWIN, World, world

KEY, VALUE, NUMBER, BYTES = "k-hidden-key", "v-hidden-value", "47114711", b"b-hidden-bytes"
HIDDEN = ("hidden", NUMBER, base64.b64encode(BYTES).decode()[:16])
ITEM: dict[str, Any] = {
    "id": {"S": KEY},
    "value": {"S": VALUE},
    "more": {"M": {"number": {"N": NUMBER}, "bytes": {"L": [{"B": BYTES}]}}},
}
QUOTES_A_NUMBER = refusal(
    "ValidationException", message=f"The parameter cannot be converted to a numeric value: {VALUE}"
)
QUOTES_A_SET = refusal("ValidationException", message=f"Input collection [{VALUE}, {VALUE}] contains duplicates.")
QUOTES_A_REQUEST = ParamValidationError(report=f"Invalid type for parameter Item.value, value: {VALUE}")


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], str]]:
    """Everything that has been said until now: log, metrics, and the loggers of Powertools itself."""
    out = StringIO()
    package = logging.getLogger("aws_lambda_powertools")
    package.propagate = True  # as POWERTOOLS_DEBUG lets it speak
    for each in (handlers.logger, macro_logger):
        each.registered_handler.setStream(out)  # type: ignore[attr-defined]
        each.setLevel("DEBUG")
    with caplog.at_level(logging.DEBUG, "aws_lambda_powertools"):
        yield lambda: out.getvalue() + capsys.readouterr().out + caplog.text
    package.propagate = False
    handlers._wired.clear()
    for each in (handlers.logger, macro_logger):
        each.setLevel("INFO")


def shown(text: str) -> list[str]:
    return [hidden for hidden in HIDDEN if hidden in text]


def failure(call: Callable[[], Any]) -> str:
    """The exception with all its causes, as a traceback would show them; empty when there is none."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - any would be shown
        return "".join(traceback.format_exception(error))
    return ""


@contextmanager
def hidden() -> Iterator[World]:
    """A world of today: the handlers know their deadline by the real clock."""
    with world() as at:
        at.time.now = time.time()
        yield at


def mirror(at: World, *records: Any) -> str:
    wire(mirror=Mirror(at.state, at.register, at.tables, at.time.clock))
    return failure(lambda: handlers.mirror({"Records": list(records)}, CONTEXT))


def record(number: int = 0, item: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    made = event_record(SOURCE, number, {"id": ITEM["id"]}, item or ITEM)
    made["dynamodb"].update(changes)
    return made


class TestMirror:
    def test_of_what_is_mirrored(self, told: Callable[[], str]) -> None:
        with hidden() as at:
            raised = mirror(at, record())
            assert at.engine.items(TWIN)
        said = told()
        assert "Mirrored." in said
        assert shown(said + raised) == []

    @pytest.mark.parametrize(
        "error",
        [QUOTES_A_NUMBER, QUOTES_A_SET, QUOTES_A_REQUEST, no_answer(), refusal("AccessDeniedException")],
        ids=["number", "set", "request", "unanswered", "refused"],
    )
    def test_of_what_the_table_refuses(self, told: Callable[[], str], error: Exception) -> None:
        def fail(operation: str, _: Any) -> None:
            if operation == "batch_write_item":
                raise error

        with hidden() as at:
            at.engine.before = fail
            raised = mirror(at, record(0), record(1))
        said = told()
        assert "Records are not mirrored yet." in said
        assert shown(said + raised) == []

    @pytest.mark.parametrize(
        "poison",
        [
            {"NewImage": {"id": {"S": KEY}, "value": {"B": VALUE}}},
            {"NewImage": {"id": {"S": KEY}, "value": {"N": [NUMBER]}}},
            {"NewImage": VALUE},
            {"Keys": {"id": {"N": VALUE}}},
            {"SequenceNumber": None},
            {"ApproximateCreationDateTime": VALUE},
        ],
        ids=["base64", "type", "image", "key", "no sequence", "time"],
    )
    def test_of_records_that_cannot_be_read(self, told: Callable[[], str], poison: dict[str, Any]) -> None:
        with hidden() as at:
            raised = mirror(at, record(0, **poison)) + mirror(at, record(0), record(1, **poison))
        assert raised or "not mirrored" in told()
        assert shown(told() + raised) == []

    def test_of_a_foreign_stream(self, told: Callable[[], str]) -> None:
        with hidden() as at:
            foreign = record() | {"eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/Other/stream/x"}
            raised = mirror(at, foreign)
        assert "UnknownStream" in raised
        assert shown(told() + raised) == []


class TestWork:
    def steps(self, at: World) -> str:
        """Copy and comparison, as the machine asks for them."""
        ending = SimpleNamespace(concluded=lambda *_: None, failed=lambda *_: None)
        wire(means=at.means, population=Population(at.means), ending=ending)
        job = {"Pair": PAIR_ID, "Job": "job", "Mode": "populate"}
        segment = {"Job": job, "Step": "segment", "Number": 0, "Of": 1}
        raised = [failure(lambda: handlers.work({"Job": job, "Step": "plan"}, CONTEXT))]
        raised += [failure(partial(handlers.work, {**segment, "Part": part}, CONTEXT)) for part in Part]
        raised.append(failure(lambda: handlers.work({"Job": job, "Step": "conclude"}, CONTEXT)))
        return "".join(raised)

    def test_of_what_is_copied_and_compared(self, told: Callable[[], str]) -> None:
        with hidden() as at:
            at.engine.put(SOURCE, ITEM)
            at.engine.put(TWIN, {**ITEM, "id": {"S": f"{KEY}-2"}})
            at.plan(Mode.POPULATE)
            raised = self.steps(at)
            assert at.engine.items(SOURCE).items() <= at.engine.items(TWIN).items()
        said = told()
        assert "The job has ended." in said
        assert shown(said + raised) == []

    @pytest.mark.parametrize("error", [QUOTES_A_NUMBER, QUOTES_A_REQUEST], ids=["number", "request"])
    def test_of_what_the_table_refuses(self, told: Callable[[], str], error: Exception) -> None:
        def fail(operation: str, _: Any) -> None:
            if operation == "batch_write_item":
                raise error

        with hidden() as at:
            at.engine.put(SOURCE, ITEM)
            at.plan(Mode.POPULATE)
            at.engine.before = fail
            raised = self.steps(at)
        assert "ItemRejected" in raised
        assert shown(told() + raised) == []


class TestTurn:
    def turn(self, at: Turning) -> str:
        wire(crew=at.crew)
        order = json.loads(json.dumps(to_map(at.order(Side.TWIN))))
        return failure(lambda: handlers.turn({"Action": "turn", "Order": order, "Pair": PAIR_ID}, CONTEXT))

    def written(self, at: Turning) -> None:
        """Clients write the hidden item all the time, so that the turn has keys to look at again."""

        def meanwhile() -> None:
            at.client_writes(CLIENTS[0], KEY, int(NUMBER) * 10 + at.random.randrange(9), SOURCE)
            at.meanwhile()

        at.account.meanwhile = meanwhile
        at.account.sleep(2)

    def test_of_the_keys_that_it_looks_at_again(self, told: Callable[[], str]) -> None:
        at = Turning(traffic=False)
        self.written(at)
        raised = self.turn(at)
        assert any(fields.get("keys") for _, fields in at.logged)
        assert shown(told() + raised + json.dumps(at.logged) + json.dumps(at.answers)) == []

    def test_of_keys_that_it_cannot_bring_along(self, told: Callable[[], str]) -> None:
        at = Turning(traffic=False)
        self.written(at)

        def fail(caller: str, operation: str) -> None:
            at.mirroring &= operation != "put_resource_policy"  # from the seal on, so that the look has to write
            if (caller, operation) == ("look", "batch_write_item"):
                at.mirroring = True
                raise QUOTES_A_NUMBER

        at.account.before = fail
        raised = self.turn(at)
        assert "could not be brought" in json.dumps(at.answers)
        assert shown(told() + raised + json.dumps(at.logged) + json.dumps(at.answers)) == []


class TestWatchdog:
    def test_of_damage_and_failing_records(self, told: Callable[[], str]) -> None:
        """What it says of pairs comes from records that name digests alone."""
        with hidden() as at:
            at.engine.before = lambda operation, _: (_ for _ in ()).throw(QUOTES_A_NUMBER)
            mirror(at, record())
            at.state.note_damage(PAIR_ID, Damage(1.0, "something"))
            pair = at.state.pair(PAIR_ID)
            assert shown(repr(pair)) == []
        assert shown(told()) == []


class TestMacro:
    def test_of_parameters_and_of_what_a_template_holds(self, told: Callable[[], str]) -> None:
        """CloudFormation hands the values of NoEcho parameters to a macro in plain text."""
        table = {"Type": "AWS::DynamoDB::Table", "Properties": {"KeySchema": VALUE, "Tags": [{"Key": VALUE}]}}
        for resources in ({"Users": table}, {"Users": {**table, "Properties": VALUE}}, {}):
            event = {
                "requestId": "r",
                "templateParameterValues": {"EncryptMigrateStage": "replicate", "Password": VALUE},
                "fragment": {"Parameters": {"Password": {"NoEcho": True, "Default": VALUE}}, "Resources": resources},
                "params": {},
            }
            macro(event, None)
        said = told()
        assert "template" in said
        assert shown(said) == []


def test_not_even_when_somebody_asks_powertools_to_log_events() -> None:
    """The environment of a function can be changed by hand: POWERTOOLS_LOGGER_LOG_EVENT would log every record."""
    program = (
        "import types, sys\n"
        "from replication import handlers\n"
        "context = types.SimpleNamespace(aws_request_id='i', function_name='f', memory_limit_in_mb=1,"
        " invoked_function_arn='a', get_remaining_time_in_millis=lambda: 1)\n"
        f"event = {dict.fromkeys(('Records', 'Order', 'Job'), VALUE)}\n"
        "for entry in (handlers.mirror, handlers.gate, handlers.turn, handlers.work, handlers.watchdog):\n"
        "    try: entry(event, context)\n"
        "    except Exception as error: print(type(error), error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={
            "PYTHONPATH": str(ROOT / "replicator"),
            "PATH": os.environ["PATH"],
            "POWERTOOLS_LOGGER_LOG_EVENT": "true",
            "POWERTOOLS_DEBUG": "true",
            "POWERTOOLS_LOG_LEVEL": "DEBUG",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(run.stdout.splitlines()) >= 5
    assert shown(run.stdout + run.stderr) == []

"""The run of the demo: which stage is deployed when, and what must be seen on the way."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from local.cloud import Cloud
from local.cloud.installer import SHORT_WAITS, build_and_deploy
from local.cloud.stacks import StackFailed
from local.demo.example import Example, package, parameters
from local.demo.run import Look, Run, StageTime
from local.demo.screen import Screen
from local.demo.watch import Seen, Watch
from local.traffic.check import Contents, check
from local.traffic.history import Outcome
from local.traffic.traffic import Traffic

WAITS = SHORT_WAITS
_CATCH_UP_SECONDS = 300.0  # nobody writes meanwhile: what is still different then will stay so
_CALM_SECONDS = 2.0  # so that there are writes in every stage


@dataclass(frozen=True, slots=True)
class Step:
    short: str
    title: str
    stage: str
    refused: bool = False
    turns: int = 0


STEPS = (
    Step("1", "1 replicate", "replicate"),
    Step("3✗", "3 cutover, too early", "cutover", refused=True),
    Step("2", "2 populate", "populate"),
    Step("3", "3 cutover", "cutover", turns=1),
    Step("◂2", "back to 2 populate", "populate", turns=1),
    Step("3", "3 cutover again", "cutover", turns=1),
    Step("4", "4 cleanup", "cleanup"),
)


class Unexpected(RuntimeError):
    """Something that the demo must show did not happen."""


@dataclass(slots=True)
class Journey:
    """`run` goes through all stages once. Raises Unexpected, StackFailed."""

    cloud: Cloud
    screen: Screen
    folder: Path
    seed: int
    _stages: list[StageTime] = field(default_factory=list)
    _looks: list[Look] = field(default_factory=list)
    _at_rest: list[tuple[Contents, Contents]] = field(default_factory=list)

    def run(self) -> Run:
        account = self.cloud.tenant(self.cloud.account)
        with self._timed("set-up"):
            installed = build_and_deploy(self.cloud, WAITS)
            self.screen.say("installer deployed")
            example = Example(account, package(account), parameters=parameters())
            created = example.deploy("off", on_changes=self.screen.changes)
        source = example.the("Users")
        with Traffic(account, example.the("Api"), self.folder, self.seed) as traffic:
            with self._timed(f"0 off: {self.screen.items} items", "0"):
                keys = traffic.load(self.screen.items)
                traffic.start(keys)
                time.sleep(_CALM_SECONDS)
            pair = f"{created.stack_id.rpartition('/')[2]}/Users"
            watch = Watch(account.client("dynamodb"), installed["StateTable"], pair, self._seen)
            with watch, self._counting(traffic):
                for step in STEPS:
                    self._take(step, example, traffic)
            traffic.stop()
            self._must_be_encrypted(example)
            turns = sum(step.turns for step in STEPS)
            calls, final = traffic.calls(), traffic.contents(traffic.service.table())
            verdict = check(calls, final, turns=turns, at_rest=self._at_rest)
            return Run(self.seed, verdict, calls, source, tuple(self._stages), tuple(watch.made()), tuple(self._looks))

    def _seen(self, seen: Seen) -> None:
        if not self._looks or self._looks[-1].seen != seen:
            self._looks.append(Look(time.monotonic(), seen))
        self.screen.seen(seen)

    def _take(self, step: Step, example: Example, traffic: Traffic) -> None:
        with self._timed(step.title, step.short):
            if step.refused:
                self._be_refused(step, example, traffic)
            else:
                example.deploy(step.stage, on_changes=self.screen.changes)
            self._ask_api(example)
            time.sleep(_CALM_SECONDS)
        if step.stage == "cutover" and not step.refused:
            with self._timed("both tables compared at rest", "‖"):
                self._compare_at_rest(example, traffic)

    def _ask_api(self, example: Example) -> None:
        """The function of the stack itself works at every stage, whatever table it was given."""
        asked = [("PUT", 204), ("GET", 200), ("DELETE", 204), ("GET", 404)]
        answered = [example.ask(method, "ada", {"name": "Ada"})[0] for method, _ in asked]
        if answered != [status for _, status in asked]:
            raise Unexpected(f"the API answered {answered}")

    def _be_refused(self, step: Step, example: Example, traffic: Traffic) -> None:
        before = traffic.count(Outcome.REFUSED)
        try:
            example.deploy(step.stage, on_changes=self.screen.changes)
        except StackFailed as refusal:
            self.screen.say(f"  [yellow]refused[/] and rolled back ({refusal.status}): {refusal.reason}")
            if "GATE" not in refusal.reason.upper():
                raise
        else:
            raise Unexpected("a cutover without a population was not refused")
        noticed = traffic.count(Outcome.REFUSED) - before
        if noticed:
            raise Unexpected(f"a refused stage cost {noticed} writes")
        self.screen.say("  the traffic did not notice")

    def _compare_at_rest(self, example: Example, traffic: Traffic) -> None:
        with traffic.paused():
            self._at_rest.append(both_at_rest(traffic, example))

    def _must_be_encrypted(self, example: Example) -> None:
        dynamodb = example.account.client("dynamodb")
        table = dynamodb.describe_table(TableName=example.the("UsersEncrypted"))["Table"]
        if table.get("SSEDescription", {}).get("Status") != "ENABLED":
            raise Unexpected("the table that is left is not encrypted")
        if example.resource("Users") is not None:
            raise Unexpected("the old table is still there")

    @contextmanager
    def _timed(self, title: str, short: str = "") -> Iterator[None]:
        self.screen.stage(title)
        began = time.monotonic()
        yield
        self._stages.append(StageTime(title, began, time.monotonic() - began, short))

    @contextmanager
    def _counting(self, traffic: Traffic) -> Iterator[None]:
        """Show the count of writes while inside."""
        over = threading.Event()

        def count() -> None:
            while not over.wait(0.2):
                self.screen.writes(traffic.count(Outcome.ACKNOWLEDGED), traffic.count(Outcome.REFUSED))

        thread = threading.Thread(target=count, name="count", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def both_at_rest(traffic: Traffic, example: Example) -> tuple[Contents, Contents]:
    """What source and twin hold while nobody writes: when they are equal, or the mirror has had time to catch up."""
    source, twin = example.the("Users"), example.the("UsersEncrypted")
    until = time.monotonic() + _CATCH_UP_SECONDS
    while True:
        both = traffic.contents(source), traffic.contents(twin)
        if both[0] == both[1] or time.monotonic() > until:
            return both
        time.sleep(0.3)

"""All clients of one service together, the items they start with, and the tables as they are when nobody writes."""

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from botocore.config import Config

from local.cloud.account import Account
from local.traffic.caller import Caller, Change
from local.traffic.client import Client, Keys, Signals
from local.traffic.history import Call, History, Op, Outcome, read_history
from local.traffic.items import KEY, LARGE, label_of
from local.traffic.labels import count_label
from local.traffic.service import Container, Service, trust_account

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LOADER = "load"  # who puts the first items, before the clients begin
# Seconds for which a client keeps its configuration: most start anew at once, some stay warm for several seconds.
KEEPS_CONFIGURATION = (0.5, 0.5, 5.0, 0.5, 8.0, 0.5)
_ONE_TRY = Config(retries={"mode": "standard", "total_max_attempts": 1}, read_timeout=120, max_pool_connections=64)
_JOIN_SECONDS = 330.0


@dataclass(slots=True)
class Traffic:
    """Clients of the function `function` in `account`, with its role's rights; every call goes to the file `history`.

    Everything random comes from `seed`. `name` tells its clients from those of other traffic on the same keys. Use in
    a `with` statement: at its end the clients have stopped.
    """

    account: Account
    function: str
    folder: Path
    seed: int
    clients: int = 8
    pace: float = 0.05
    name: str = "client"
    history: History = field(init=False)
    _signals: Signals = field(default_factory=Signals, init=False)
    _running: list[tuple[Client, threading.Thread]] = field(default_factory=list, init=False)
    _errors: list[BaseException] = field(default_factory=list, init=False)

    def __enter__(self) -> Self:
        self.history = History(self.folder / "history.jsonl")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.history.close()

    @property
    def service(self) -> Service:
        return Service(self.account.client("lambda"), self.function)

    def load(self, items: int) -> Keys:
        """Put so many items into the table before anybody else writes; they belong to the history like any write."""
        keys = _keys(items)
        caller = Caller(LOADER, self._dynamodb(), self.history, time.monotonic)
        table = self.service.table()
        labels = dict.fromkeys([*keys.items, *(key for pair in keys.pairs for key in pair)], "loaded")
        labels |= dict.fromkeys(keys.counters, count_label(0))
        changes = [Change(Op.PUT, key, label) for key, label in labels.items()]
        for start in range(0, len(changes), 25):
            caller.batch_write(table, changes[start : start + 25])
        for key in keys.large:
            caller.put(table, key, "loaded")
        return keys

    def start(self, keys: Keys) -> None:
        """Start the clients. They write from now on."""
        self._signals.go.set()
        dynamodb, service = self._dynamodb(), self.service
        for number in range(self.clients):
            client = Client(
                caller=Caller(f"{self.name}-{number + 1}", dynamodb, self.history, time.monotonic),
                container=Container(service, KEEPS_CONFIGURATION[number % len(KEEPS_CONFIGURATION)], time.monotonic),
                keys=keys,
                signals=self._signals,
                chance=random.Random(f"{self.seed} {number}"),  # noqa: S311 (repeatable, not secret)
                sleep=time.sleep,
                pace=self.pace,
            )
            thread = threading.Thread(target=self._run, args=(client,), name=client.caller.name, daemon=True)
            self._running.append((client, thread))
            thread.start()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nobody writes inside; every write begun before has its answer."""
        self._signals.go.clear()
        for client, _ in self._running:
            if not client.resting.wait(_JOIN_SECONDS):
                raise TimeoutError(f"{client.caller.name} did not come to rest")
        yield
        self._signals.go.set()

    def stop(self) -> None:
        """Returns when every client has ended. Raises what a client ended with, if it was an error of its own."""
        self._signals.stop.set()
        self._signals.go.set()
        for client, thread in self._running:
            thread.join(_JOIN_SECONDS)
            if thread.is_alive():
                raise TimeoutError(f"{client.caller.name} did not end")
        self._running.clear()
        if self._errors:
            raise self._errors[0]

    def count(self, outcome: Outcome) -> int:
        """Writes so far."""
        return self.history.count(outcome)

    def calls(self) -> Sequence[Call]:
        """The whole history; after `stop`, or while paused."""
        self.history.flush()
        return list(read_history(self.history.path))

    def contents(self, table: str) -> dict[str, str]:
        """What a table holds: key and label."""
        pages = self.account.client("dynamodb").get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        labels = ((item[KEY]["S"], label_of(item)) for page in pages for item in page["Items"])
        return {key: label for key, label in labels if label is not None}

    def _run(self, client: Client) -> None:
        try:
            client.run()
        except BaseException as error:  # noqa: BLE001  # a thread has no caller: `stop` raises it there
            self._errors.append(error)
        finally:
            client.resting.set()

    def _dynamodb(self) -> "DynamoDBClient":
        role = self.service.role_arn()
        trust_account(self.account.client("iam"), role)
        client: DynamoDBClient = self.account.client("dynamodb", self.account.assume(role, "traffic"), _ONE_TRY)
        return client


def _keys(items: int) -> Keys:
    return Keys(
        items=[f"user-{number:05}" for number in range(items)],
        large=[f"{LARGE}{number}" for number in range(3)],
        counters=[f"visits-{number}" for number in range(6)],
        pairs=[(f"left-{number}", f"right-{number}") for number in range(4)],
    )

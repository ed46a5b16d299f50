"""A small language for histories: `log.put("a", "k", "1", 0, 2)` is client a putting 1 to k between second 0 and 2."""

from typing import Any

import pytest

from local.traffic.history import Call, Op, Outcome


class Log:
    """Collects calls; every call is one number unless `number` says that it belongs to another."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def add(self, op: Op, client: str, key: str, start: float, end: float, **more: Any) -> Call:
        fields = {"number": len(self.calls) + 1, "via": op.value, "table": "Users", "outcome": Outcome.ACKNOWLEDGED}
        call = Call(client=client, op=op, key=key, start=start, end=end, **{**fields, **more})
        self.calls.append(call)
        return call

    def put(self, client: str, key: str, value: str, start: float, end: float, **more: Any) -> Call:
        return self.add(Op.PUT, client, key, start, end, value=value, **more)

    def delete(self, client: str, key: str, start: float, end: float, **more: Any) -> Call:
        return self.add(Op.DELETE, client, key, start, end, **more)

    def swap(
        self, client: str, key: str, before: str | None, value: str | None, start: float, end: float, **more: Any
    ) -> Call:
        return self.add(Op.SWAP, client, key, start, end, before=before, value=value, **more)

    def read(self, client: str, key: str, value: str | None, start: float, end: float, **more: Any) -> Call:
        return self.add(Op.READ, client, key, start, end, value=value, **more)


@pytest.fixture
def log() -> Log:
    return Log()

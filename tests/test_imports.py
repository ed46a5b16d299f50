"""The effects stay at the edge: who may import boto3, the environment, the clock and chance is decided here.

A test rather than a habit, because one import in the wrong file is enough to make a pure half slow to start, hard to
test, or different from run to run.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MACRO = sorted((ROOT / "macro/migration").rglob("*.py"))
REPLICATOR = sorted((ROOT / "replicator/replication").rglob("*.py"))

EDGES = {"client.py", "handler.py", "handlers.py", "settings.py", "wiring.py"}
"""Where each half meets the world: entry points, the environment, and what puts the parts together."""

EFFECTS = re.compile(r"(boto3|os|random|secrets|socket|subprocess|time|urllib\.request|uuid)(\..*)?")


def imported(path: Path) -> set[str]:
    """The full names of what a file imports when it runs, without what it imports for the type checker alone."""
    return set(_names(ast.parse(path.read_text(), str(path)).body))


def _names(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            yield from _names(node.orelse)
            continue
        for inner in ast.walk(node):
            if isinstance(inner, ast.Import):
                yield from (alias.name for alias in inner.names)
            elif isinstance(inner, ast.ImportFrom) and not inner.level:
                yield from (f"{inner.module}.{alias.name}" for alias in inner.names)


def _method(node: ast.AST) -> str | None:
    """The name of the method that a node calls, if it calls one."""
    return node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else None


def top(name: str) -> str:
    return name.partition(".")[0]


def label(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", MACRO, ids=label)
def test_the_macro_imports_the_standard_library_and_powertools_only(path: Path) -> None:
    allowed = sys.stdlib_module_names | {"aws_lambda_powertools", "migration"}
    assert {name for name in imported(path) if top(name) not in allowed} == set()


@pytest.mark.parametrize("path", [path for path in MACRO if path.name not in EDGES], ids=label)
def test_the_macro_has_no_effects_so_that_the_same_template_always_gives_the_same_result(path: Path) -> None:
    assert {name for name in imported(path) if EFFECTS.fullmatch(name)} == set()


@pytest.mark.parametrize("path", [path for path in REPLICATOR if path.name not in EDGES], ids=label)
def test_the_replicator_gets_clients_clock_and_environment_from_its_edge(path: Path) -> None:
    assert {name for name in imported(path) if EFFECTS.fullmatch(name)} == set()


@pytest.mark.parametrize("path", [*MACRO, *(path for path in REPLICATOR if path.name not in EDGES)], ids=label)
def test_nobody_but_the_edge_asks_what_time_it_is(path: Path) -> None:
    """Dates may be reckoned with anywhere; the present comes from the clock that is passed in."""
    called = {name for node in ast.walk(ast.parse(path.read_text())) if (name := _method(node))}
    assert called & {"now", "utcnow", "today"} == set()


@pytest.mark.parametrize("path", [path for path in REPLICATOR if path.name not in EDGES], ids=label)
def test_the_replicator_knows_botocore_by_its_exceptions_alone(path: Path) -> None:
    botocore = {name for name in imported(path) if top(name) == "botocore"}
    assert {name for name in botocore if not name.startswith("botocore.exceptions")} == set()


def test_the_halves_share_no_code() -> None:
    """Each is built from its own folder; the names that they agree on are held together by the contract test."""
    assert {name for path in MACRO for name in imported(path) if top(name) == "replication"} == set()
    assert {name for path in REPLICATOR for name in imported(path) if top(name) == "migration"} == set()


def test_there_is_something_to_look_at() -> None:
    assert MACRO
    assert REPLICATOR

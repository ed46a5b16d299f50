"""docs/ and the command say the same: every command, every option, every exit code, every figure."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from local.cli.bottlenecks import limits_of, right_tool
from local.cli.capacity import Load, estimate
from local.cli.failures import Exit
from local.cli.prices import AS_OF, REGION, Prices
from local.cli.words import amount, dollars, duration
from replication.waits import Waits
from tests.cli.running import encrypt_migrate

ROOT = Path(__file__).parents[2]
COMMANDS = (ROOT / "docs/commands.md").read_text()
COSTS = (ROOT / "docs/costs.md").read_text()
NAMES = ("plan", "expand", "status", "repair", "finish", "doctor")
EVERYWHERE = {"--help", "--json", "--region", "--profile"}


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_a_section_that_names_all_its_options(name: str) -> None:
    section = COMMANDS.split(f"\n## {name}\n")[1].split("\n## ")[0]
    options = set(re.findall(r"(?<!\w)--[a-z-]+", encrypt_migrate(name, "--help").out)) - EVERYWHERE
    assert {option for option in options if option not in section} == set()


def test_every_command_that_there_is_is_described() -> None:
    shown = encrypt_migrate("--help").out
    assert [name for name in NAMES if name not in shown or f"[`{name}`](#{name})" not in COMMANDS] == []
    assert set(re.findall(r"^│ (\w+)  +[A-Z]", shown.split("Commands")[1], re.MULTILINE)) == set(NAMES)


def test_every_exit_code_is_described() -> None:
    assert re.findall(r"^\| (\d) \|", COMMANDS, re.MULTILINE) == [str(int(code)) for code in Exit]


def test_every_price_is_described_with_its_region_and_date() -> None:
    assert [field.name for field in fields(Prices) if f"`{field.name.rstrip('_')}`" not in COSTS] == []
    assert f"{REGION} ({AS_OF})" in COSTS


@pytest.mark.parametrize(("name", "size"), [("1 GB", 1024**3), ("1 TB", 1024**4), ("10 TB", 10 * 1024**4)])
def test_the_table_of_sizes_is_what_the_planner_says(name: str, size: int) -> None:
    found = estimate(Load(size // 1024, 1024, 200.0), Prices(), Waits())
    once = sum(cost for what, cost in found.costs.items() if "month" not in what)
    first = limits_of(found)[0]
    row = [
        name,
        duration(found.phases[0].seconds),
        duration(sum(phase.seconds for phase in found.phases[1:])),
        amount(found.invocations),
        dollars(once),
        dollars(found.cost - once),
        first.name if first.share > 1 else "nothing",
        right_tool(found, Prices()).tool,
    ]
    assert f"| {' | '.join(row)} |" in COSTS

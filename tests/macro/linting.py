"""What cfn-lint says about a template; where it has SAM types, cfn-lint runs the SAM translator first."""

from __future__ import annotations

import functools
import json
import re

from cfnlint.api import lint
from cfnlint.config import ConfigMixIn, ManualArgs
from cfnlint.rules import RulesCollection
from cfnlint.runner import Runner

from migration.ids import twin_id
from tests.macro.templates import Template

Findings = frozenset[tuple[str, str]]

_PATH = re.compile(r" at 'Resources/[^']*'")
_TWIN = re.compile(twin_id(r"\b(\w+?)") + r"\b")


def findings(template: Template) -> Findings:
    """(rule, message) of every finding; what is said of a twin counts as said of its source."""
    return _findings(json.dumps(template))


def new_findings(before: Template, after: Template) -> Findings:
    """What cfn-lint has against `after` and not against `before`."""
    return findings(after) - findings(before)


@functools.cache
def _findings(text: str) -> Findings:
    config, rules = _configured()
    found = lint(text, rules=rules, config=config)
    return frozenset((match.rule.id, _PATH.sub("", _TWIN.sub(r"\1", match.message))) for match in found)


@functools.cache
def _configured() -> tuple[ManualArgs, RulesCollection]:
    """Rules are read once: that takes longer than running them."""
    config = ManualArgs(regions=["us-east-1"], include_checks=["W", "E"])
    return config, Runner(ConfigMixIn(**config)).rules

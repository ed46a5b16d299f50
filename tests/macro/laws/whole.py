"""Laws about the template as a whole: what stays as it was, and that everything in it resolves."""

from __future__ import annotations

import copy
import graphlib
import json
import re

from migration.expand import expand
from migration.stages import Stage
from tests.macro.laws.expansions import CLEANUP, FOLLOWER, OFF, SNAPSHOT, STAGES, Run, is_follower
from tests.macro.reading import Template, graph, names, walk

PSEUDO = re.compile(r"^AWS::")


def the_input_is_unchanged(run_: Run) -> list[str]:
    return [] if run_.before == run_.template else ["the template that was given has changed"]


def the_same_input_gives_the_same_output(run_: Run) -> list[str]:
    again = copy.deepcopy(run_.template)
    return [f"{s.name}: differs" for s in STAGES if json.dumps(expand(again, s)) != json.dumps(run_.results[s])]


def off_gives_the_template_as_it_was(run_: Run) -> list[str]:
    return [] if expand(run_.template, OFF) == run_.template else ["stage off changes the template"]


def what_has_nothing_to_do_with_a_table_is_equal(run_: Run) -> list[str]:
    """A resource whose text says neither a table's id nor its name, and whose kind does not follow others."""
    if set(run_.tables) & names({"g": run_.template.get("Globals")}):
        return []
    words = set(run_.tables)
    for table in run_.tables:
        name = (run_.resources(OFF)[table].get("Properties") or {}).get("TableName")
        words.update(re.findall(r"[\w.-]+", json.dumps(name)) if name else ())
    resources = run_.resources(OFF).items()
    words |= {each for each, other in resources if is_follower(other) and words & names({"r": other})}
    found = []
    for logical_id, resource in run_.resources(OFF).items():
        text = json.dumps(resource, default=str)
        kind = str(resource.get("Type")) if isinstance(resource, dict) else ""
        if logical_id in words or any(word in text for word in words) or FOLLOWER.match(kind) or SNAPSHOT.match(kind):
            continue
        changed = (stage for stage in STAGES if run_.resources(stage).get(logical_id) != resource)
        found += [f"{stage.name}: {logical_id} has changed" for stage in changed]
    return found


def everything_resolves(run_: Run) -> list[str]:
    def unresolved(template: Template) -> set[str]:
        known = {*(template.get("Resources") or {}), *(template.get("Parameters") or {})}
        sections = {name: template.get(name) for name in ("Resources", "Outputs", "Globals")}
        conditions = set(template.get("Conditions") or {})
        used = {
            condition
            for path, each in walk(sections)
            for condition in [each.get("Condition") if isinstance(each, dict) else None]
            if isinstance(condition, str)
        }
        used |= {
            str(each["Fn::If"][0])
            for _, each in walk(sections)
            if isinstance(each, dict) and isinstance(each.get("Fn::If"), list) and each["Fn::If"]
        }
        missing = {name for name in names(sections) if name not in known and not PSEUDO.match(name)}
        return missing | {f"condition {name}" for name in used - conditions}

    allowed = unresolved(run_.template)
    return [f"{s.name}: {name} resolves to nothing" for s in STAGES for name in unresolved(run_.results[s]) - allowed]


def there_is_no_circle(run_: Run) -> list[str]:
    def circle(stage: Stage) -> list[str]:
        try:
            graphlib.TopologicalSorter(graph(run_.resources(stage))).prepare()
        except graphlib.CycleError as error:
            return [f"{stage.name}: {' -> '.join(error.args[1])}"]
        return []

    return [] if circle(OFF) else [each for stage in STAGES for each in circle(stage)]


def cleanup_names_no_source(run_: Run) -> list[str]:
    result = {name: run_.results[CLEANUP].get(name) for name in ("Resources", "Outputs", "Globals")}
    left = [f"{table} is still there" for table in run_.tables if table in run_.resources(CLEANUP)]
    return left + [f"{table} is still named" for table in run_.tables if table in names(result)]

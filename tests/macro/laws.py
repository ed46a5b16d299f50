"""The laws that hold for every template and every stage.

Each law is a function from one template and its expansions to what breaks it: an empty list, or sentences for a person.
They know the names of the contract and the shape of a template, and nothing of how the macro works.
"""

from __future__ import annotations

import copy
import graphlib
import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from migration.expand import expand, migrating
from migration.stages import Stage
from tests.macro.reading import Template, canonical, graph, key, names, permissions, references, renamed, told, walk

OFF, REPLICATE, POPULATE, CUTOVER, CLEANUP = Stage
BOTH_TABLES = (REPLICATE, POPULATE, CUTOVER)
STAGES = (*BOTH_TABLES, CLEANUP)

COMPANIONS = ("Encrypted", "Replication", "ReverseReplication", "MigrationGate", "Population")
PSEUDO = re.compile(r"^AWS::")
FOLLOWER = re.compile(r"^AWS::(ApplicationAutoScaling::|Serverless::Connector$)")
SNAPSHOT = re.compile(r"^AWS::(Lambda::Version|ApiGateway(V2)?::(Deployment|Stage))$")


@dataclass(frozen=True)
class Run:
    """One template, its migrating tables, and what the macro makes of it at each stage."""

    template: Template
    before: Template
    """A copy of the template from before anything was made of it."""
    tables: tuple[str, ...]
    results: dict[Stage, Template]

    def resources(self, stage: Stage) -> dict[str, Any]:
        return (self.template if stage is OFF else self.results[stage]).get("Resources") or {}

    def outputs(self, stage: Stage) -> dict[str, Any]:
        return (self.template if stage is OFF else self.results[stage]).get("Outputs") or {}


def run(template: Template) -> Run:
    """Every stage of a template; raises TemplateRefused where the macro does."""
    before = copy.deepcopy(template)
    tables = tuple(table.id for table in migrating(template))
    return Run(template, before, tables, {stage: expand(template, stage) for stage in STAGES})


def is_role(resource: Any) -> bool:
    return isinstance(resource, dict) and str(resource.get("Type")).startswith("AWS::IAM::")


def is_follower(resource: Any) -> bool:
    return isinstance(resource, dict) and bool(FOLLOWER.match(str(resource.get("Type"))))


def is_companion(run_: Run, logical_id: str) -> bool:
    return any(logical_id == f"{table}{suffix}" for table in run_.tables for suffix in COMPANIONS)


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


def both_tables_keep_their_properties(run_: Run) -> list[str]:
    found = []
    for table in run_.tables:
        for each in (table, f"{table}Encrypted"):
            properties = [run_.resources(stage)[each]["Properties"] for stage in BOTH_TABLES]
            if any(other != properties[0] for other in properties):
                found.append(f"{each}: its properties change between stage 1 and 3")
    return found


def source_and_twin_have_the_same_properties(run_: Run) -> list[str]:
    different = {"SSESpecification", "TableName", "DeletionProtectionEnabled", "KinesisStreamSpecification"}
    different |= {"ImportSourceSpecification"}
    template_options = ((run_.template.get("Metadata") or {}).get("EncryptMigrate") or {}).get("Properties", {})
    found = []
    for table in run_.tables:
        resource = run_.resources(OFF)[table]
        own = ((resource.get("Metadata") or {}).get("EncryptMigrate") or {}).get("Properties", {})
        skipped = different | set(own) | set(template_options)
        source, twin = (run_.resources(POPULATE)[each]["Properties"] for each in (table, f"{table}Encrypted"))
        found += [
            f"{table}: {name} differs from the twin's"
            for name in {*source, *twin} - skipped
            if source.get(name) != twin.get(name)
        ]
        if twin.get("SSESpecification", {}).get("SSEEnabled") is not True:
            found.append(f"{table}: its twin is not encrypted")
        if "TableName" in source and source["TableName"] == twin["TableName"]:
            found.append(f"{table}: its twin has the same name")
        if any(name in twin for name in different - {"SSESpecification", "TableName"}):
            found.append(f"{table}: its twin has what it must not have before cleanup")
    return found


def no_table_has_a_policy_that_cloudformation_would_overwrite(run_: Run) -> list[str]:
    found = []
    for stage in STAGES:
        for table in run_.tables:
            for each in (table, f"{table}Encrypted"):
                properties = run_.resources(stage).get(each, {}).get("Properties", {})
                if "ResourcePolicy" in properties:
                    found.append(f"{stage.name}: {each} has a ResourcePolicy")
            given = (run_.resources(OFF)[table].get("Properties") or {}).get("ResourcePolicy")
            gate = run_.resources(stage)[f"{table}MigrationGate"]["Properties"]
            if given is not None and given != {"Ref": "AWS::NoValue"} and "TwinPolicy" not in gate:
                found.append(f"{stage.name}: the gate of {table} does not get its policy")
    return found


def no_table_is_replaced(run_: Run) -> list[str]:
    fixed = ("TableName", "ImportSourceSpecification", "KeySchema")
    found = []
    for table in run_.tables:
        before = run_.resources(OFF)[table]
        if before["Type"] == "AWS::DynamoDB::Table":
            given, source = before.get("Properties") or {}, run_.resources(REPLICATE)[table]["Properties"]
            found += [f"{table}: {name} changes" for name in fixed if given.get(name) != source.get(name)]
        first, *others = (run_.resources(stage)[f"{table}Encrypted"]["Properties"] for stage in STAGES)
        changing = (name for name in fixed for each in others if each.get(name) != first.get(name))
        found += [f"{table}Encrypted: {name} changes" for name in changing]
    for other, resource in run_.resources(OFF).items():
        if (
            other not in run_.tables
            and isinstance(resource, dict)
            and re.search("(Simple|DB::|Global)Table$", str(resource.get("Type")))
        ):
            given = (resource.get("Properties") or {}).get("TableName")
            made = (run_.resources(stage)[other]["Properties"].get("TableName") for stage in STAGES if given)
            found += [f"{other}: its name changes" for name in made if name != given]
    return found


def companions_never_change_while_they_exist(run_: Run) -> list[str]:
    found = []
    for table in run_.tables:
        for suffix, stages in (
            ("Replication", BOTH_TABLES),
            ("ReverseReplication", BOTH_TABLES),
            ("Population", (POPULATE, CUTOVER)),
        ):
            made = [run_.resources(stage).get(f"{table}{suffix}") for stage in stages]
            if None in made or any(each != made[0] for each in made):
                found.append(f"{table}{suffix} is missing or changes")
    return found


def what_moves_comes_after_the_gate(run_: Run) -> list[str]:
    """Whatever differs between stage 2 and 3 stands behind a gate at every stage, and roles do not differ at all."""
    found = []
    gates = {f"{table}MigrationGate" for table in run_.tables}
    after = {stage: _reaching(graph(run_.resources(stage)), gates) for stage in STAGES}
    for logical_id, resource in run_.resources(CUTOVER).items():
        if is_companion(run_, logical_id) or not isinstance(resource, dict):
            continue
        before = run_.resources(POPULATE).get(logical_id)
        if before == resource or SNAPSHOT.match(str(resource.get("Type"))):
            continue
        if is_role(resource):
            found.append(f"{logical_id}: permissions change at cutover")
        found += [
            f"{stage.name}: {logical_id} moves but does not come after a gate"
            for stage in STAGES
            if logical_id in run_.resources(stage) and logical_id not in after[stage]
        ]
    return found


def _reaching(edges: dict[str, set[str]], goals: set[str]) -> set[str]:
    found = set(goals)
    while True:
        more = {each for each, before in edges.items() if before & found} - found
        if not more:
            return found
        found |= more


def roles_are_not_gated(run_: Run) -> list[str]:
    gates = {f"{table}MigrationGate" for table in run_.tables}
    return [
        f"{stage.name}: {logical_id} waits for a gate"
        for stage in STAGES
        for logical_id, resource in run_.resources(stage).items()
        if is_role(resource) and gates & names({"r": resource})
    ]


def exports_keep_their_value_until_cleanup(run_: Run) -> list[str]:
    found = []
    for output_id, output in run_.outputs(OFF).items():
        if not isinstance(output, dict) or "Export" not in output:
            continue
        tables = [table for table in run_.tables if table in names({"v": output.get("Value")})]
        found += [
            f"{stage.name}: the export {output_id} changes"
            for stage in BOTH_TABLES
            if run_.outputs(stage)[output_id] != output
        ]
        expected = output.get("Value")
        for table in tables:
            expected = renamed(expected, table, f"{table}Encrypted")
        if tables:
            found += [
                f"{stage.name}: no second export beside {output_id}"
                for stage in STAGES
                if key(run_.outputs(stage).get(f"{output_id}Encrypted", {}).get("Value")) != key(expected)
            ]
            if key(run_.outputs(CLEANUP)[output_id]["Value"]) != key(expected):
                found.append(f"CLEANUP: the export {output_id} does not name the twin")
    return found


def outputs_say_where_each_table_stands(run_: Run) -> list[str]:
    """An output more for each table at every stage: under its condition, about its tables, asking no gate."""
    found = []
    for table in run_.tables:
        condition = run_.resources(OFF)[table].get("Condition")
        for stage in STAGES:
            output = run_.outputs(stage).get(f"EncryptMigrate{table}")
            tables = {f"{table}Encrypted"} if stage is CLEANUP else {table, f"{table}Encrypted"}
            if output is None or output.get("Condition") != condition or names(output) != tables:
                found.append(f"{stage.name}: no output says where {table} stands")
    return found


def nothing_moves_before_cutover(run_: Run) -> list[str]:
    """At stage 1 and 2 running code is told what it was told before: only order and permissions are new."""
    found = []
    for logical_id, resource in run_.resources(OFF).items():
        if logical_id in run_.tables or not isinstance(resource, dict):
            continue
        for stage in (REPLICATE, POPULATE):
            new = run_.resources(stage).get(logical_id)
            if new is None:
                found.append(f"{stage.name}: {logical_id} is gone")
            elif key(told(resource)) != key(told(new)):
                found.append(f"{stage.name}: {logical_id} is told something else")
    return found


def fixed_names(run_: Run) -> dict[str, str]:
    """The ids of the tables and twins that have a fixed name, by it."""
    found = {}
    for table in run_.tables:
        for each in (table, f"{table}Encrypted"):
            name = canonical(run_.resources(REPLICATE)[each]["Properties"].get("TableName"), {})
            if isinstance(name, str):
                found[name] = each
    return found


def no_permission_is_lost(run_: Run) -> list[str]:
    """Whoever may use the source may use both tables from stage 1 to 3, and the twin at stage 4, in the same way."""
    found = []
    texts = fixed_names(run_)
    before = set(permissions(run_.template, run_.tables, texts))
    for stage in STAGES:
        after = set(permissions(run_.results[stage], run_.tables, texts))
        for owner, grant in sorted(before):
            twin = grant
            for table in run_.tables:
                twin = key(renamed(json.loads(twin), table, f"{table}Encrypted"))
            wanted = {(owner, twin)} if stage is CLEANUP else {(owner, twin), (owner, grant)}
            if owner in run_.tables:  # a table's own connectors go with it, its twin has its own
                wanted = {(f"{owner}Encrypted", grant)}
            found += [f"{stage.name}: {who} loses {what}" for who, what in wanted - after]
    return found


def what_exists_once_per_table_follows_it(run_: Run) -> list[str]:
    """Scaling and connectors of the source stay as they are up to stage 3; those of the twin are there from stage 1."""
    found = []
    for logical_id, resource in run_.resources(OFF).items():
        if not FOLLOWER.match(str(resource.get("Type") if isinstance(resource, dict) else None)):
            continue
        tables = [table for table in run_.tables if table in names({"r": resource.get("Properties")})]
        twins = {json.dumps(run_.resources(stage).get(f"{logical_id}Encrypted")) for stage in STAGES}
        if tables and (len(twins) > 1 or "null" in twins):
            found.append(f"{logical_id}: there is no twin of it, or it changes")
        if tables and any(run_.resources(stage).get(logical_id) != resource for stage in BOTH_TABLES):
            found.append(f"{logical_id} changes")
    return found


def what_belongs_to_a_table_exists_under_its_condition(run_: Run) -> list[str]:
    found = []
    for table in run_.tables:
        condition = run_.resources(OFF)[table].get("Condition")
        for stage in STAGES:
            made = {each: run_.resources(stage).get(f"{table}{each}") for each in COMPANIONS}
            found += [
                f"{stage.name}: {table}{each} exists under another condition"
                for each, resource in made.items()
                if resource is not None and resource.get("Condition") != condition
            ]
    return found


def streams_move_last(run_: Run) -> list[str]:
    """Who reads a stream reads the source's up to stage 3, and from stage 4 on the twin's from its oldest record."""
    found = []
    for logical_id, resource in run_.resources(OFF).items():
        if logical_id in run_.tables or not isinstance(resource, dict) or FOLLOWER.match(str(resource.get("Type"))):
            continue
        before = _streams(run_, resource)
        found += [
            f"{stage.name}: {logical_id} reads another stream"
            for stage in BOTH_TABLES
            if before and _streams(run_, run_.resources(stage).get(logical_id, {})) != before
        ]
    for path, each in walk(run_.resources(CLEANUP)):
        named_so = path.endswith("/Events")  # an event that somebody called Stream is no stream
        reader = isinstance(each, dict) and not named_so
        source = (each.get("Stream") or each.get("EventSourceArn")) if reader else None
        twins = {(f"{table}Encrypted", "StreamArn") for table in run_.tables}
        if twins & set(references(source)) and each.get("StartingPosition") != "TRIM_HORIZON":
            found.append(f"CLEANUP: {path} misses what is on the stream already")
    return found


def _streams(run_: Run, resource: dict[str, Any]) -> set[tuple[str, str]]:
    named = set(references(told(resource)))
    return {
        (name, what) for name, what in named if what == "StreamArn" and name.removesuffix("Encrypted") in run_.tables
    }


def the_twin_is_kept_once_it_is_written(run_: Run) -> list[str]:
    return [
        f"{stage.name}: {table}Encrypted has the wrong DeletionPolicy"
        for table in run_.tables
        for stage in STAGES
        for kept in [run_.resources(stage)[f"{table}Encrypted"].get("DeletionPolicy")]
        if (kept == "Retain") is not (stage >= CUTOVER)
    ]


def the_twin_ends_with_what_the_source_had(run_: Run) -> list[str]:
    found = []
    for table in run_.tables:
        given = run_.resources(OFF)[table].get("Properties") or {}
        twin = run_.resources(CLEANUP)[f"{table}Encrypted"]["Properties"]
        late = ("DeletionProtectionEnabled", "KinesisStreamSpecification")
        found += [f"{table}: its twin never gets {name}" for name in late if name in given and name not in twin]
    return found


def twins_with_indexes_are_made_one_after_another(run_: Run) -> list[str]:
    """DynamoDB creates one table with indexes at a time; those under conditions may not both be there."""
    resources = run_.resources(REPLICATE)
    twins = [resources[f"{table}Encrypted"] for table in run_.tables]
    indexed = [
        f"{table}Encrypted"
        for table, twin in zip(run_.tables, twins, strict=True)
        if "Condition" not in twin
        and any(f"{kind}SecondaryIndexes" in twin["Properties"] for kind in ("Global", "Local"))
    ]
    edges = graph(resources)
    after = {each: _reaching(edges, {each}) for each in indexed}
    pairs = itertools.combinations(indexed, 2)
    return [
        f"{one} and {other} may be made at once"
        for one, other in pairs
        if one not in after[other] and other not in after[one]
    ]


LAWS: tuple[Callable[[Run], list[str]], ...] = (
    the_input_is_unchanged,
    the_same_input_gives_the_same_output,
    off_gives_the_template_as_it_was,
    what_has_nothing_to_do_with_a_table_is_equal,
    everything_resolves,
    there_is_no_circle,
    cleanup_names_no_source,
    both_tables_keep_their_properties,
    source_and_twin_have_the_same_properties,
    no_table_has_a_policy_that_cloudformation_would_overwrite,
    no_table_is_replaced,
    companions_never_change_while_they_exist,
    what_moves_comes_after_the_gate,
    roles_are_not_gated,
    exports_keep_their_value_until_cleanup,
    outputs_say_where_each_table_stands,
    nothing_moves_before_cutover,
    no_permission_is_lost,
    what_exists_once_per_table_follows_it,
    what_belongs_to_a_table_exists_under_its_condition,
    streams_move_last,
    the_twin_is_kept_once_it_is_written,
    the_twin_ends_with_what_the_source_had,
    twins_with_indexes_are_made_one_after_another,
)


def broken(template: Template) -> list[str]:
    """Every law that the template's expansions break, as `law: how`."""
    run_ = run(template)
    return [f"{law.__name__}: {how}" for law in LAWS for how in law(run_)]

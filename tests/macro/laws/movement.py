"""Laws about whatever uses a table: when it moves to the twin, behind which gate, and what it may do meanwhile."""

from __future__ import annotations

import json
from typing import Any

from tests.macro.laws.expansions import (
    BOTH_TABLES,
    CLEANUP,
    COMPANIONS,
    CUTOVER,
    FOLLOWER,
    OFF,
    POPULATE,
    REPLICATE,
    SNAPSHOT,
    STAGES,
    Run,
    reaching,
)
from tests.macro.reading import canonical, graph, key, names, permissions, references, renamed, told, walk


def _is_role(resource: Any) -> bool:
    return isinstance(resource, dict) and str(resource.get("Type")).startswith("AWS::IAM::")


def _is_companion(run_: Run, logical_id: str) -> bool:
    return any(logical_id == f"{table}{suffix}" for table in run_.tables for suffix in COMPANIONS)


def what_moves_comes_after_the_gate(run_: Run) -> list[str]:
    """Whatever differs between stage 2 and 3 stands behind a gate at every stage, and roles do not differ at all."""
    found = []
    gates = {f"{table}MigrationGate" for table in run_.tables}
    after = {stage: reaching(graph(run_.resources(stage)), gates) for stage in STAGES}
    for logical_id, resource in run_.resources(CUTOVER).items():
        if _is_companion(run_, logical_id) or not isinstance(resource, dict):
            continue
        before = run_.resources(POPULATE).get(logical_id)
        if before == resource or SNAPSHOT.match(str(resource.get("Type"))):
            continue
        if _is_role(resource):
            found.append(f"{logical_id}: permissions change at cutover")
        found += [
            f"{stage.name}: {logical_id} moves but does not come after a gate"
            for stage in STAGES
            if logical_id in run_.resources(stage) and logical_id not in after[stage]
        ]
    return found


def roles_are_not_gated(run_: Run) -> list[str]:
    gates = {f"{table}MigrationGate" for table in run_.tables}
    return [
        f"{stage.name}: {logical_id} waits for a gate"
        for stage in STAGES
        for logical_id, resource in run_.resources(stage).items()
        if _is_role(resource) and gates & names({"r": resource})
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


def _fixed_names(run_: Run) -> dict[str, str]:
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
    texts = _fixed_names(run_)
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

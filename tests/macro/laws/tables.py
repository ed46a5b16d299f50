"""Laws about the tables, their twins and what the macro puts beside them."""

from __future__ import annotations

import itertools
import re

from tests.macro.laws.expansions import (
    BOTH_TABLES,
    CLEANUP,
    COMPANIONS,
    CUTOVER,
    OFF,
    POPULATE,
    REPLICATE,
    STAGES,
    Run,
    reaching,
)
from tests.macro.reading import graph


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
    after = {each: reaching(edges, {each}) for each in indexed}
    pairs = itertools.combinations(indexed, 2)
    return [
        f"{one} and {other} may be made at once"
        for one, other in pairs
        if one not in after[other] and other not in after[one]
    ]

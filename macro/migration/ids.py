"""The logical ids of everything the macro adds.

A LOGICAL ID THAT CHANGES IS A CATASTROPHE: CloudFormation would create a new, empty twin and delete the one that
holds the data. Never change what these functions return, for no release and no reason; tests/macro/test_ids.py
freezes them.
"""

from __future__ import annotations


def twin_id(logical_id: str) -> str:
    """Twin of a table, and of whatever has to exist once per table (scaling, connectors, exports)."""
    return f"{logical_id}Encrypted"


def replication_id(table_id: str) -> str:
    """Event source mapping from the source's stream."""
    return f"{table_id}Replication"


def reverse_replication_id(table_id: str) -> str:
    """Event source mapping from the twin's stream."""
    return f"{table_id}ReverseReplication"


def gate_id(table_id: str) -> str:
    """Custom resource that decides whether a stage may begin."""
    return f"{table_id}MigrationGate"


def population_id(table_id: str) -> str:
    """Custom resource that copies and compares."""
    return f"{table_id}Population"


def companion_ids(table_id: str) -> tuple[str, ...]:
    """Every id that a migrated table takes in the template beside its own."""
    return (
        twin_id(table_id),
        replication_id(table_id),
        reverse_replication_id(table_id),
        gate_id(table_id),
        population_id(table_id),
    )

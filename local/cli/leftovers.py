"""What abandoned migrations have left: records of stacks that are gone, twins that were kept, mappings of nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from local.cli.cloud import Cloud, Installation, asking
from local.cli.failures import Refused
from local.cli.findings import Finding, note, problem, well
from local.cli.prices import Prices
from local.cli.words import dollars, plural, size
from migration.ids import twin_id
from replication.errors import NotUnderstood
from replication.pair import Pair
from replication.state import State

_LOGICAL_ID, _STACK_ID = "aws:cloudformation:logical-id", "aws:cloudformation:stack-id"
_BACKUP = "-before-cleanup-"


def of_records(cloud: Cloud, installation: Installation) -> Iterator[Finding]:
    """Records that cannot be used, and those whose stack is not there any more."""
    pairs, unusable = _pairs(cloud, installation)
    for why in unusable:
        yield problem("records", why, "Nothing of this pair is mirrored or turned until then.")
    for pair in pairs:
        if not _there(cloud, pair.stack_id):
            yield problem(
                "records",
                f"{pair.source.name} → {pair.twin.name}: its stack is gone, its record is not",
                f"If {pair.table(pair.owner).name} is still needed, look at its policy: it says who may write it. "
                f"Then delete the items of {pair.pair_id} from {installation.state_table}.",
            )
    yield well("records", f"{plural(len(pairs), 'migration')} known")


def of_mappings(cloud: Cloud, installation: Installation) -> Iterator[Finding]:
    """Event source mappings that call the replicator, and belong to no migration it knows."""
    pairs, _ = _pairs(cloud, installation)
    known = {uuid for pair in pairs for uuid in (pair.replication, pair.reverse_replication)}
    client = cloud.client("lambda")
    with asking():
        pages = client.get_paginator("list_event_source_mappings").paginate(FunctionName=installation.replicator)
        found: list[Any] = [each for page in pages for each in page["EventSourceMappings"]]
    for each in found:
        if each["UUID"] not in known:
            yield problem(
                "mappings",
                f"{each['UUID']} brings {each.get('EventSourceArn', 'a stream')} to the replicator, which refuses it",
                "Delete the mapping, or find the stack that made it.",
            )
    yield well("mappings", f"{plural(len(found), 'event source mapping')} looked at")


def of_twins(cloud: Cloud, installation: Installation) -> Iterator[Finding]:
    """Tables that were twins, and that no stack has any more."""
    pairs, _ = _pairs(cloud, installation)
    known = {arn for pair in pairs for arn in (pair.source.arn, pair.twin.arn)}
    client = cloud.client("resourcegroupstaggingapi")
    with asking():
        pages = client.get_paginator("get_resources").paginate(
            ResourceTypeFilters=["dynamodb:table"], TagFilters=[{"Key": _LOGICAL_ID}]
        )
        tables = [each for page in pages for each in page["ResourceTagMappingList"]]
    for table in tables:
        tags = {tag["Key"]: tag["Value"] for tag in table["Tags"]}
        logical_id, arn = tags[_LOGICAL_ID], table["ResourceARN"]
        if logical_id.endswith(twin_id("")) and arn not in known and not _there(cloud, tags.get(_STACK_ID, "")):
            yield note(
                "twins",
                f"{arn.rpartition('/')[2]} was kept when its stack went",
                "Look whether it holds what you need; delete it otherwise: it is paid for.",
            )


def of_backups(cloud: Cloud, _installation: Installation) -> Iterator[Finding]:
    """The backups that cleanups have made, which nobody deletes by himself."""
    client = cloud.client("dynamodb")
    with asking():
        pages = client.get_paginator("list_backups").paginate(BackupType="USER")
        found = [each for page in pages for each in page["BackupSummaries"] if _BACKUP in each["BackupName"]]
    if found:
        total = sum(each.get("BackupSizeBytes", 0) for each in found)
        cost = total / 1024**3 * Prices().backup_month
        yield note(
            "backups",
            f"{plural(len(found), 'backup')} of old tables from cleanups, {size(total)}, about {dollars(cost)} a month",
            "Delete them when nobody will ask for the old tables any more.",
        )


def _pairs(cloud: Cloud, installation: Installation) -> tuple[list[Pair], list[str]]:
    with asking():
        records = list(State(cloud.client("dynamodb"), installation.state_table).pairs())
    return (
        [one for one in records if isinstance(one, Pair)],
        [str(one) for one in records if isinstance(one, NotUnderstood)],
    )


def _there(cloud: Cloud, stack_id: str) -> bool:
    try:
        return cloud.stack(stack_id).status != "DELETE_COMPLETE"
    except Refused:
        return False

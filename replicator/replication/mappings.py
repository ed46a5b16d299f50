"""How the two event source mappings of a pair are doing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from replication.pair import Pair, Side

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


class Mappings:
    """What Lambda says about event source mappings."""

    def __init__(self, client: LambdaClient) -> None:
        self._client = client

    def problems(self, pair: Pair) -> list[str]:
        """What is wrong with the mappings of both directions, in sentences."""
        return [problem for side in Side if (problem := self._problem(pair, side))]

    def state(self, uuid: str) -> str:
        """Lambda's word for a mapping's state: Enabled, Creating, Disabled …; `Gone` when there is none."""
        try:
            return str(self._client.get_event_source_mapping(UUID=uuid)["State"])
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "ResourceNotFoundException":
                return "Gone"
            raise

    def _problem(self, pair: Pair, side: Side) -> str | None:
        uuid = pair.mapping(side)
        which = f"The event source mapping {uuid} that reads the stream of {pair.table(side).name}"
        try:
            found = self._client.get_event_source_mapping(UUID=uuid)
        except ClientError as error:
            return f"{which} cannot be seen: {error}."
        if found.get("State") != "Enabled":
            reason = found.get("StateTransitionReason", "no reason given")
            return f"{which} is {found.get('State')}, not Enabled ({reason}): enable it."
        if str(found.get("LastProcessingResult", "")).startswith("PROBLEM"):
            return f"{which} says {found['LastProcessingResult']!r}: look into the log of the replicator function."
        return None

"""How the two event source mappings of a pair are doing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from replication.pair import Pair, Side

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


@dataclass(frozen=True)
class Health:
    """What is wrong with the mappings of a pair, in sentences."""

    not_enabled: list[str]  # mappings that read nothing
    last_results: list[str]  # mappings whose last batch was not done: it failed, or a turn put it off


class Mappings:
    """What Lambda says about event source mappings."""

    def __init__(self, client: LambdaClient) -> None:
        self._client = client

    def problems(self, pair: Pair) -> list[str]:
        """What is wrong with the mappings of both directions, in sentences."""
        health = self.health(pair)
        return [*health.not_enabled, *health.last_results]

    def health(self, pair: Pair) -> Health:
        """How the mappings of both directions are."""
        not_enabled, last_results = [], []
        for side in Side:
            which = f"The event source mapping {pair.mapping(side)} that reads the stream of {pair.table(side).name}"
            try:
                found = self._client.get_event_source_mapping(UUID=pair.mapping(side))
            except ClientError as error:
                not_enabled.append(f"{which} cannot be seen: {error}.")
                continue
            result = str(found.get("LastProcessingResult", ""))
            if found.get("State") != "Enabled":
                reason = found.get("StateTransitionReason", "no reason given")
                not_enabled.append(f"{which} is {found.get('State')}, not Enabled ({reason}): enable it.")
            elif result.startswith("PROBLEM"):
                last_results.append(f"{which} says {result!r}: look into the log of the replicator function.")
        return Health(not_enabled, last_results)

    def state(self, uuid: str) -> str:
        """Lambda's word for a mapping's state: Enabled, Creating, Disabled …; `Gone` when there is none."""
        try:
            return str(self._client.get_event_source_mapping(UUID=uuid)["State"])
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "ResourceNotFoundException":
                return "Gone"
            raise

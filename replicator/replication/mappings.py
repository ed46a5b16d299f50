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
    """What is wrong with the mappings of a pair, in sentences, by the side whose stream they read."""

    not_enabled: dict[Side, str]  # mappings that read nothing
    last_results: dict[Side, str]  # mappings whose last batch was not done: it failed, or a turn put it off

    @property
    def problems(self) -> list[str]:
        """All of it."""
        return [*self.not_enabled.values(), *self.last_results.values()]


class Mappings:
    """What Lambda says about event source mappings."""

    def __init__(self, client: LambdaClient) -> None:
        self._client = client

    def problems(self, pair: Pair) -> list[str]:
        """What is wrong with the mappings of both directions, in sentences."""
        return self.health(pair).problems

    def health(self, pair: Pair) -> Health:
        """How the mappings of both directions are."""
        health = Health({}, {})
        for side in Side:
            which = f"The event source mapping {pair.mapping(side)} that reads the stream of {pair.table(side).name}"
            try:
                found = self._client.get_event_source_mapping(UUID=pair.mapping(side))
            except ClientError as error:
                health.not_enabled[side] = f"{which} cannot be seen: {error}."
                continue
            result = str(found.get("LastProcessingResult", ""))
            if found.get("State") != "Enabled":
                reason = found.get("StateTransitionReason", "no reason given")
                health.not_enabled[side] = f"{which} is {found.get('State')}, not Enabled ({reason}): enable it."
            elif result.startswith("PROBLEM"):
                health.last_results[side] = f"{which} says {result!r}: look into the log of the replicator function."
        return health

    def state(self, uuid: str) -> str:
        """Lambda's word for a mapping's state: Enabled, Creating, Disabled …; `Gone` when there is none."""
        try:
            return str(self._client.get_event_source_mapping(UUID=uuid)["State"])
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "ResourceNotFoundException":
                return "Gone"
            raise

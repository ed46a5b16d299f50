"""What a function is told by its environment. Read once, when it starts; nothing else reads the environment.

The waits are in seconds and have the names of the installer's parameters (SETTLE_SECONDS …). Where AWS_ENDPOINT_URL
sends all calls to an emulator, the same host may also wait for CloudFormation's answers; RESPONSE_URL_HOSTS names
further ones, separated by commas.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from replication.errors import SettingsError
from replication.policies import Roles
from replication.waits import Waits

if TYPE_CHECKING:
    from collections.abc import Mapping

_WAITS = {
    "SETTLE_SECONDS": "settle",
    "SETTLE_LIMIT_SECONDS": "settle_limit",
    "QUIET_SECONDS": "quiet",
    "SPREAD_SECONDS": "spread",
    "SPREAD_LIMIT_SECONDS": "spread_limit",
    "POLICY_INTERVAL_SECONDS": "policy_interval",
    "HOLD_SECONDS": "hold",
    "LEASE_SECONDS": "lease",
    "LAG_LIMIT_SECONDS": "lag_limit",
}
_TEXTS = (
    "state_table",
    "replicator_role_arn",
    "worker_role_arn",
    "turn_role_arn",
    "look_role_arn",
    "probe_role_arn",
    "replicator_function",
    "turn_machine_arn",
    "population_machine_arn",
)


@dataclass(frozen=True)
class Settings:
    """Everything that differs between installations."""

    state_table: str
    replicator_role_arn: str
    worker_role_arn: str
    turn_role_arn: str
    look_role_arn: str
    probe_role_arn: str
    replicator_function: str
    turn_machine_arn: str
    population_machine_arn: str
    waits: Waits
    population_wait_seconds: float
    writers_quiet_minutes: float
    response_url_hosts: frozenset[str]

    @property
    def roles(self) -> Roles:
        """The roles that policies of tables name."""
        return Roles(
            replicator=self.replicator_role_arn,
            worker=self.worker_role_arn,
            turn=self.turn_role_arn,
            look=self.look_role_arn,
            probe=self.probe_role_arn,
        )

    @staticmethod
    def read(environment: Mapping[str, str]) -> Settings:
        """The settings in an environment. Raises SettingsError with everything that is missing or no number."""
        problems: list[str] = []

        def text(name: str) -> str:
            found = environment.get(name, "")
            if not found:
                problems.append(f"{name} is not set")
            return found

        def number(name: str, default: float) -> float:
            found = environment.get(name, "")
            try:
                return float(found) if found else default
            except ValueError:
                problems.append(f"{name} is {found!r}, not a number")
                return default

        defaults = Waits()
        waits = replace(defaults, **{field: number(name, getattr(defaults, field)) for name, field in _WAITS.items()})
        texts = {name: text(name.upper()) for name in _TEXTS}
        settings = Settings(
            **texts,
            waits=waits,
            population_wait_seconds=number("POPULATION_WAIT_SECONDS", 3000),
            writers_quiet_minutes=number("WRITERS_QUIET_MINUTES", 60),
            response_url_hosts=response_hosts(environment),
        )
        if problems:
            raise SettingsError(f"The function's environment cannot be used: {'; '.join(problems)}.")
        return settings


def response_hosts(environment: Mapping[str, str]) -> frozenset[str]:
    """The hosts that stand for CloudFormation's; none in AWS."""
    emulator = urlsplit(environment.get("AWS_ENDPOINT_URL", "")).netloc
    return frozenset(filter(None, [emulator, *environment.get("RESPONSE_URL_HOSTS", "").split(",")]))

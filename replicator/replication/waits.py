"""How long things are waited for. All in seconds; what each is for stands at its parameter in template.yaml."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Waits:
    """The defaults are those of the installer."""

    settle: float = 60  # in which all that is older than a turn must have been mirrored
    settle_limit: float = 240
    quiet: float = 10  # without a record from a sealed table
    spread: float = 10  # the least for a policy to reach its callers
    spread_limit: float = 120
    policy_interval: float = 15  # between two changes of one table's policy
    hold: float = 60  # the old owner stays closed to everybody
    lease: float = 120  # after which a silent turn is given up for dead
    lag_limit: float = 10
    poll: float = 1  # between two looks at whatever is waited for
    reading: float = 0.25  # between two calls to one shard that has more to give
    another_turn: float = 300  # for another turn of the same pair to end
    ready: float = 240  # for tables to become ACTIVE and mappings Enabled

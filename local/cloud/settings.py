"""What can be set when the cloud starts; the child process reads it from its environment."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "LOCAL_CLOUD_"


@dataclass(frozen=True)
class Settings:
    """Times in seconds. The defaults are AWS's, about ten times faster.

    policy_spread        a change of a table's policy reaches each caller after a delay of its own, up to this
    policy_interval      a second change of the same table's policy within this time is refused (AWS: 15)
    retry_limit          longest pause between two invocations for the same stream records
    ttl_interval         how often expired items are looked for
    schedule_minute      length of a minute of `rate(…)` and `cron(…)` rules
    unprocessed          share of the operations of a BatchWriteItem that come back as UnprocessedItems (0 to 1)
    shuffle              seed of the order in which resources of a stack begin, and are rolled back, that do not depend
                         on each other; of each stack by itself, by its name; 0: by their names
    """

    policy_spread: float = 1.0
    policy_interval: float = 1.5
    retry_limit: float = 5.0
    ttl_interval: float = 1.0
    schedule_minute: float = 60.0
    unprocessed: float = 0.0
    shuffle: int = 0

    def environment(self) -> dict[str, str]:
        return {PREFIX + field.name.upper(): str(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def read(cls, environment: "Mapping[str, str]") -> Self:
        """Raises ValueError naming the variable whose value is no number."""
        given: dict[str, float | int] = {}
        for field in fields(cls):
            name = PREFIX + field.name.upper()
            if name in environment:
                try:
                    given[field.name] = int(environment[name]) if field.name == "shuffle" else float(environment[name])
                except ValueError:
                    raise ValueError(f"{name} must be a number, not {environment[name]!r}") from None
        return cls(**given)  # type: ignore[arg-type]  # the fields are numbers, read just above

"""Schedules of EventBridge: ministack looks at them every ten seconds.

Here a minute of `rate(…)` can be made shorter (`schedule_minute`), and the rules are looked at often enough for that.
"""

from typing import TYPE_CHECKING, Any

from local.cloud import emulator

if TYPE_CHECKING:
    from local.cloud.settings import Settings


def mend(settings: "Settings") -> None:
    events = emulator.module("services.eventbridge")
    seconds_of = events._parse_rate_seconds

    def scaled(expression: str) -> Any:
        seconds = seconds_of(expression)
        return None if seconds is None else seconds / 60 * settings.schedule_minute

    emulator.replace(events, "_parse_rate_seconds", scaled)
    events._SCHEDULER_TICK_INTERVAL = min(events._SCHEDULER_TICK_INTERVAL, settings.schedule_minute / 10)

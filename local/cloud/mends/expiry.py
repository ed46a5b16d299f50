"""Time to live: ministack deletes expired items once a minute and says nothing of it to the stream.

DynamoDB's deletions are in the stream, marked as its own by `userIdentity`; only numbers count as times, and nothing
that expired more than five years ago is deleted. Here expired items go within `ttl_interval` seconds (AWS: days).
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
"""

import logging
import threading
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from local.cloud import emulator

if TYPE_CHECKING:
    from local.cloud.settings import Settings

SERVICE = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
FIVE_YEARS = 5 * 365 * 86_400
OWN_REAPER = "dynamodb-ttl-reaper"

log = logging.getLogger("local.cloud.expiry")
_expiring: ContextVar[bool] = ContextVar("expiring", default=False)


def mend(settings: "Settings") -> None:
    tables = emulator.module("services.dynamodb")
    remove, build = tables._remove_item, tables._build_change_record

    def remove_unless_reaped(table: Any, key: Any, sort_key: Any) -> Any:
        # ministack's own thread cannot be stopped: what it wants to remove is left to the sweep below.
        if threading.current_thread().name == OWN_REAPER:
            return None
        return remove(table, key, sort_key)

    def build_marked(*arguments: Any) -> dict[str, Any]:
        record: dict[str, Any] = build(*arguments)
        return {**record, "userIdentity": SERVICE} if _expiring.get() else record

    emulator.replace(tables, "_remove_item", remove_unless_reaped)
    emulator.replace(tables, "_build_change_record", build_marked)
    _mend_reading()
    threading.Thread(target=_run, args=(tables, settings.ttl_interval), daemon=True, name="expiry").start()


def _mend_reading() -> None:
    """GetRecords spells the members of userIdentity otherwise than the event of a function."""
    streams = emulator.module("services.dynamodb_streams")
    cap_page = streams._cap_page_bytes

    def cap_spelled(page: list[dict[str, Any]]) -> Any:
        return cap_page([_spelled(record) for record in page])

    emulator.replace(streams, "_cap_page_bytes", cap_spelled)


def _spelled(record: dict[str, Any]) -> dict[str, Any]:
    if "userIdentity" not in record:
        return record
    return {**record, "userIdentity": {"Type": SERVICE["type"], "PrincipalId": SERVICE["principalId"]}}


def _run(tables: Any, interval: float) -> None:
    application = emulator.module("app")
    while True:
        time.sleep(interval)
        loop = application._MAIN_LOOP
        if loop is not None and any(setting.get("AttributeName") for _, setting in tables._ttl_settings.all_items()):
            # Items are only ever changed on this loop, so nothing can come between looking and deleting.
            loop.call_soon_threadsafe(_sweep, tables)


def _sweep(tables: Any) -> None:
    now = time.time()
    for (account, region, name), setting in list(tables._ttl_settings.all_items()):
        table = tables._tables.get_scoped(account, region, name)
        if table and setting.get("TimeToLiveStatus") == "ENABLED":
            with emulator.scope(account, region):
                _sweep_table(tables, table, setting["AttributeName"], now)


def _sweep_table(tables: Any, table: Any, attribute: str, now: float) -> None:
    expired = [
        (key, sort_key)
        for key, items in table["items"].items()
        for sort_key, item in items.items()
        if is_expired(item.get(attribute), now)
    ]
    token = _expiring.set(True)
    try:
        for key, sort_key in expired:
            old = table["items"][key][sort_key]
            tables._remove_item(table, key, sort_key)
            tables._emit_stream_event(table["TableName"], "REMOVE", old, None)
    finally:
        _expiring.reset(token)


def is_expired(value: Any, now: float) -> bool:
    """Whether a wire attribute value is a time, in epoch seconds, at which DynamoDB deletes the item."""
    if not isinstance(value, dict) or "N" not in value:
        return False
    return now - FIVE_YEARS < float(value["N"]) <= now

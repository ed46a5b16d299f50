"""Event source mappings of DynamoDB streams, with the batch semantics that Lambda documents.

ministack reads a stream one batch after the other, ignores the batching window, ParallelizationFactor, partial batch
responses and the number of retries. Here:

- a mapping has ParallelizationFactor lanes; the records of one item always go through the same lane, in order;
- a lane waits for BatchSize records, 6 MB, or MaximumBatchingWindowInSeconds since its first record;
- a failed batch is tried again from its checkpoint, with growing pauses; with ReportBatchItemFailures the checkpoint is
  the lowest sequence number reported, and an empty or unknown one fails the whole batch; with
  BisectBatchOnFunctionError the batch is split, which does not count as a retry;
- records older than MaximumRecordAgeInSeconds, and batches whose retries are used up, go to the OnFailure destination;
- a stream that was closed is read to its end.
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html

A mapping's position lives as long as the process; there is one shard per stream.
"""

import json
import logging
import threading
import time
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.cloud import emulator
from local.cloud.mends import destination
from local.cloud.mends.destination import AGE, RETRIES, Loss
from local.cloud.mends.lanes import Batching, Lane, Record, succeeded

if TYPE_CHECKING:
    from local.cloud.settings import Settings

READ_AT_ONCE = 10_000
# What GetEventSourceMapping says in LastProcessingResult.
OK = "OK"
CALL_FAILED = "PROBLEM: Function call failed"

log = logging.getLogger("local.cloud.streams")


@dataclass
class Reader:
    """One mapping's position in its stream (absolute, as ministack counts) and its lanes."""

    position: int
    lanes: list[Lane] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def mend(settings: "Settings") -> None:
    functions = emulator.module("services.lambda_svc")
    emulator.replace(functions, "_poll_dynamodb_streams", Poller(functions, settings.retry_limit).poll)


class Poller:
    """Stands where ministack's own poller of DynamoDB streams stood: called whenever there may be something to do."""

    def __init__(self, functions: Any, longest_pause: float) -> None:
        self._functions = functions
        self._longest_pause = longest_pause
        self._readers: dict[str, Reader] = {}

    def poll(self) -> bool:
        """Starts what is due, and returns whether anything was started. Never waits for a function."""
        started = False
        alive = set()
        for account, region, mapping in self._functions._iter_all_esms():
            if ":dynamodb:" not in mapping.get("EventSourceArn", ""):
                continue
            alive.add(mapping["UUID"])
            if _enabled(mapping):
                with emulator.scope(account, region):
                    started = self._poll_mapping(mapping) or started
        for gone in self._readers.keys() - alive:
            del self._readers[gone]
        return started

    def _poll_mapping(self, mapping: dict[str, Any]) -> bool:
        rules = Batching.of(mapping)
        reader = self._reader(mapping)
        with reader.lock:
            self._read(mapping, reader, rules)
            due = [lane for lane in reader.lanes if not lane.running and self._is_due(lane, rules)]
            for lane in due:
                lane.running = True
        spawn = emulator.module("core.concurrency").spawn_background
        for lane in due:
            spawn(self._run, mapping, reader, lane, thread_name="stream-lane")
        return bool(due)

    def _reader(self, mapping: dict[str, Any]) -> Reader:
        identity, functions = mapping["UUID"], self._functions
        if identity not in self._readers:
            start = mapping.get("StartingPosition", "LATEST")
            functions._init_stream_position(identity, mapping["EventSourceArn"], start)
            self._readers[identity] = Reader(functions._dynamodb_stream_positions.get(identity, 0))
        return self._readers[identity]

    def _read(self, mapping: dict[str, Any], reader: Reader, rules: Batching) -> None:
        if len(reader.lanes) != rules.lanes:
            # Only while nothing is on its way: an item's records must not pass each other through different lanes.
            if any(lane.waiting or lane.running for lane in reader.lanes):
                return
            reader.lanes = [Lane() for _ in range(rules.lanes)]
        records, reader.position = records_after(mapping["EventSourceArn"], reader.position)
        now = time.time()
        for record in self._functions._apply_filter_criteria(records, mapping):
            reader.lanes[lane_of(record, rules.lanes)].add(record, len(json.dumps(record)), now)

    def _is_due(self, lane: Lane, rules: Batching) -> bool:
        wait = lane.wait(rules, time.time())
        if wait is None or wait <= 0:
            return wait is not None
        timer = threading.Timer(wait, self._functions._esm_wake.set)
        timer.daemon = True
        timer.start()
        return False

    def _run(self, mapping: dict[str, Any], reader: Reader, lane: Lane) -> None:
        """Invokes the function for one lane until nothing of it is due. Runs in a thread of its own."""
        try:
            going_on = True
            while going_on:
                rules = Batching.of(mapping)
                self._deliver(mapping, reader, lane, rules)
                with reader.lock:
                    there = self._functions._esms.get(mapping["UUID"]) is mapping and _enabled(mapping)
                    going_on = there and self._is_due(lane, rules)
                    lane.running = going_on
        finally:
            lane.running = False
            self._functions._esm_wake.set()

    def _deliver(self, mapping: dict[str, Any], reader: Reader, lane: Lane, rules: Batching) -> None:
        function, _ = self._functions._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))
        with reader.lock:
            attempts = lane.attempts
            expired = lane.take_expired(rules, time.time())
            batch = lane.batch(rules) if lane.waiting else []
        if expired:
            self._give_up(mapping, function, Loss(expired, AGE, attempts))
        if not batch:
            return
        done = self._invoke(mapping, function, batch, rules)
        with reader.lock:
            lost = lane.conclude(len(batch), done, rules, time.time(), self._longest_pause)
        if lost:
            self._give_up(mapping, function, Loss(lost, RETRIES, rules.retries + 1))

    def _invoke(self, mapping: dict[str, Any], function: Any, batch: list[Record], rules: Batching) -> int:
        """How many records of the batch, from its beginning, are done."""
        if function is None:
            mapping["LastProcessingResult"] = CALL_FAILED
            return 0
        result = self._functions._execute_function(function, {"Records": batch})
        answer = _parsed(result.get("body"))
        done = 0 if result.get("error") else succeeded(batch, answer) if rules.partial else len(batch)
        mapping["LastProcessingResult"] = OK if done == len(batch) else CALL_FAILED
        return done

    def _give_up(self, mapping: dict[str, Any], function: Any, loss: Loss) -> None:
        log.warning("%s: %d records given up: %s", mapping["UUID"], len(loss.records), loss.condition)
        try:
            destination.send(mapping, function or {}, loss)
        except ValueError:
            log.exception("the records are lost, as they would be in AWS")


def records_after(stream: str, position: int) -> tuple[list[Record], int]:
    """The records of the stream from an absolute position on, and the position behind them."""
    tables = emulator.module("services.dynamodb")
    name = stream.partition(":table/")[2].partition("/")[0]
    table = tables._tables.get(name)
    if table and table.get("LatestStreamArn") == stream:
        position = max(position, tables.stream_start_position(name))
        records = tables.stream_records_since(name, position, READ_AT_ONCE)
        return list(records), position + len(records)
    closed = tables.closed_stream(stream)
    if closed is None:
        return [], position
    position = max(position, closed["trimmed"])
    records = closed["records"][position - closed["trimmed"] :]
    return list(records), position + len(records)


def lane_of(record: Record, lanes: int) -> int:
    if lanes == 1:
        return 0
    return zlib.crc32(json.dumps(record["dynamodb"]["Keys"], sort_keys=True).encode()) % lanes


def _enabled(mapping: dict[str, Any]) -> bool:
    return str(mapping.get("Enabled", True)).lower() == "true"


def _parsed(body: Any) -> Any:
    if not isinstance(body, str | bytes):
        return body
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None

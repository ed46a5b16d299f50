"""Entry points of the functions, one for each. Here alone the unexpected is caught, so that CloudFormation is answered.

Item contents and keys are never logged: counts, ids of pairs, and digests are.
"""

from __future__ import annotations

import json
import math
import os
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics, Tracer, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from replication.answer import Verdict
from replication.errors import NotUnderstood, ReplicationError, RequestError, Superseded
from replication.machines import job_of, order_of
from replication.order import Ended
from replication.probe import attempt
from replication.release import release
from replication.request import GATE, POPULATION, Request, answer_to, read
from replication.rest import close
from replication.segments import Mode, Part
from replication.settings import Settings, response_hosts
from replication.stacks import rolling_back
from replication.turn import recovered, resume, run
from replication.values import from_event
from replication.wiring import Wiring, answers
from replication.worker import Task, Worker

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from replication.mirror import Outcome

_TURN_RESERVE = 60.0  # seconds of a turn's invocation that are kept for undoing what it did

# The alarms of the installer go by these names.
logger = Logger(service="encrypt-migrate", version=os.environ.get("ENCRYPT_MIGRATE_VERSION"))
_NAMESPACE = "EncryptMigrate"
metrics = Metrics(namespace=_NAMESPACE, service="encrypt-migrate")
tracer = Tracer(service="encrypt-migrate")
_wired: list[Wiring] = []


def _wiring() -> Wiring:
    if not _wired:
        _wired.append(Wiring(Settings.read(os.environ), lambda message, fields: logger.info(message, extra=fields)))
    return _wired[0]


def _ends_at(context: LambdaContext) -> float:
    return Wiring.clock() + context.get_remaining_time_in_millis() / 1000


@logger.inject_lambda_context(log_event=False)  # whatever the environment says
@tracer.capture_lambda_handler(capture_response=False)
def mirror(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """A batch of stream records; or {Probe: {Table, Key}}, a turn's question whether the replicator may write there."""
    if "Probe" in event:
        asked = event["Probe"]
        return {"Probe": str(attempt(_wiring().items, asked["Table"], from_event(asked["Key"])))}
    outcome = _wiring().mirror.run(event, context.aws_request_id, _ends_at(context))
    seen = {"records": outcome.records, "written": outcome.written, "skipped": outcome.skipped}
    if outcome.error is not None:
        logger.warning("Records are not mirrored yet.", extra={**seen, "reason": str(outcome.error)})
    else:
        logger.debug("Mirrored.", extra=seen)
    _publish(_measured(outcome))
    return outcome.response()


@logger.inject_lambda_context(log_event=False)
@tracer.capture_lambda_handler(capture_response=False)
def gate(event: dict[str, Any], _context: LambdaContext) -> None:
    """A request of CloudFormation for one of our custom resources."""
    sender = answers(response_hosts(os.environ))  # needs no settings: even a function without them can say so
    try:
        request = read(event)
    except RequestError as why:
        answer = answer_to(event)
        if answer is None:
            raise  # nobody can be told: the function's failure raises an alarm
        sender.send(answer, Verdict(success=event.get("RequestType") == "Delete", reason=str(why)))
        return
    sender.check(request.answer.response_url)
    asked = {"stack": request.answer.stack_id, "stage": request.properties.get("Stage")}
    logger.append_keys(resource=request.answer.logical_resource_id, request=str(request.kind), **asked)
    verdict = _decided(request)
    if verdict is not None:
        logger.info("CloudFormation is answered.", extra={"success": verdict.success, "reason": verdict.reason})
        sender.send(request.answer, verdict)
    else:
        logger.info("An execution has been started, and answers.")


def _decided(request: Request) -> Verdict | None:
    try:
        if request.resource_type == GATE:
            return _wiring().gate.handle(request)
        if request.resource_type == POPULATION:
            return _wiring().populating.handle(request)
        return Verdict(success=False, reason=f"{request.resource_type} is none of EncryptMigrate's custom resources.")
    except ReplicationError as why:
        return _softened(request, str(why))
    except Exception as why:  # CloudFormation would wait for an hour for an answer that does not come
        logger.exception("The gate failed.")
        return _softened(request, f"EncryptMigrate's gate failed ({type(why).__name__}: {why}); its log says more.")


def _softened(request: Request, reason: str) -> Verdict:
    """A stack on its way back, or going away, is not held up; any other is told that it failed."""
    try:
        going_back = rolling_back(_wiring().stacks.status(request.answer.stack_id))
    except Exception:  # the trouble that brought us here may go on
        logger.exception("The stack's status is not known.")
        going_back = False
    return Verdict(success=going_back, reason=reason)


@logger.inject_lambda_context(log_event=False)
@tracer.capture_lambda_handler(capture_response=False)
def turn(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """A task of the turn machine: {Action: turn, Order}, or {Action: recover | release | close, Pair, …}."""
    crew, deadline = _wiring().crew, _ends_at(context) - _TURN_RESERVE
    action, order = event.get("Action"), order_of(event["Order"]) if "Order" in event else None
    pair = str(event.get("Pair") or (order.pair if order else ""))
    logger.append_keys(pair=pair)
    try:
        if action == "turn" and order is not None:
            ended = run(crew, order, deadline)
        elif action == "recover" and order is not None:
            ended = recovered(crew, order, deadline, _cause(event.get("Error")))
        elif action == "recover":
            ended = resume(crew, pair, deadline)
        elif action == "release":
            ended = release(crew, pair)
        elif action == "close":
            ended = close(crew, pair)
        else:
            raise NotUnderstood(f"The turn machine asks for {action!r}, which this function does not know.")
    except Superseded as why:
        logger.warning("Somebody else goes on.", extra={"reason": str(why)})
        ended = Ended.SUPERSEDED
    logger.info("The task has ended.", extra={"action": action, "ended": str(ended)})
    return {"Ended": str(ended), "Pair": pair, "HoldSeconds": math.ceil(crew.waits.hold)}


@logger.inject_lambda_context(log_event=False)
@tracer.capture_lambda_handler(capture_response=False)
def work(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """A task of the population machine: {Step: plan|segment|conclude|failed, Job, …}."""
    wiring, deadline = _wiring(), _ends_at(context)
    job, step = job_of(event["Job"]), event.get("Step")
    logger.append_keys(pair=job.pair, job=job.job)
    if step == "plan":
        plan = wiring.population.plan(job.pair, job.job, job.mode, deadline)
        logger.info(
            "The job begins.", extra={"mode": str(plan.mode), "segments": plan.segments, "items": plan.expected}
        )
        return {"Segments": list(range(plan.segments)), "Of": plan.segments, "Copy": plan.mode is Mode.POPULATE}
    if step == "segment":
        task = Task(job.pair, job.job, Part(event["Part"]), event["Number"], event["Of"])
        return {"Done": Worker(wiring.means, task, context.aws_request_id, deadline).run()}
    if step == "conclude":
        conclusion = wiring.population.conclude(job.pair, job.job)
        _publish(
            {
                "ItemsCopied": conclusion.items,
                "ItemsCompared": conclusion.checked,
                "Differences": conclusion.differences,
            }
        )
        logger.info("The job has ended.", extra={"differences": conclusion.differences, "checked": conclusion.checked})
        wiring.ending.concluded(job, conclusion)
        return {}
    if step == "failed":
        wiring.ending.failed(job, _cause(event.get("Error")))
        return {}
    raise NotUnderstood(f"The population machine asks for {step!r}, which this function does not know.")


@logger.inject_lambda_context(log_event=False)
@tracer.capture_lambda_handler(capture_response=False)
def watchdog(_event: dict[str, Any], _context: LambdaContext) -> None:
    """The schedule's minute."""
    found = _wiring().watchdog.run()
    _publish(
        {
            "Pairs": len(found),
            "TurnsUnderWay": sum(one.turning_for > 0 for one in found),
            "RefusingSeconds": max((one.refusing_for for one in found), default=0),
            "PausedPairs": sum(one.paused for one in found),
            "DamagedPairs": sum(one.damaged for one in found),
            "FailingBatches": sum(one.failing for one in found),
            "UnhealthyMappings": sum(one.unhealthy for one in found),
        }
    )
    for one in found:
        if one.progress is not None:
            _publish_of(one.name, {"CopyPercent": one.progress.copied, "ComparePercent": one.progress.compared})


def _measured(outcome: Outcome) -> dict[str, float]:
    if outcome.put_off:
        return {"RecordsDeferred": outcome.records}
    if outcome.skipped or not outcome.records:
        return {}
    lag = {} if outcome.lag is None else {"Lag": outcome.lag}
    failed = {} if outcome.failed is None else {"RecordsFailed": 1}  # the others come again with it
    return {"RecordsMirrored": outcome.written, **failed, **lag}


def _publish(measured: dict[str, float]) -> None:
    for name, value in measured.items():
        unit = MetricUnit.Seconds if name in ("Lag", "RefusingSeconds") else MetricUnit.Count
        metrics.add_metric(name, unit, value)
    if measured:
        metrics.flush_metrics()


def _publish_of(pair: str, measured: dict[str, float | None]) -> None:
    """Metrics of one pair. Each costs for as long as it is published, so only a job under way has any."""
    for name, value in measured.items():
        if value is not None:
            with single_metric(name, MetricUnit.Percent, value, namespace=_NAMESPACE) as metric:
                metric.add_dimension("pair", pair)


def _cause(error: Any) -> str:
    """What Step Functions says of a task that failed, for a person: the message of the exception if there is one."""
    if not isinstance(error, dict):
        return "The task failed for no known reason."
    cause = error.get("Cause", "")
    try:
        return str(json.loads(cause)["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return f"{error.get('Error', 'The task failed')}: {cause}"[:1000]

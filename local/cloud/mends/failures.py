"""Exceptions of functions: ministack reports every one as `Runtime.HandlerError` and ends the function's process.

Lambda names the exception's class in `errorType`, which state machines retry and catch by, and keeps the process. What
a failed invocation printed is in the cloud's log too.
https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html
"""

import logging
import threading
from typing import TYPE_CHECKING, Any

from local.cloud import emulator

if TYPE_CHECKING:
    from local.cloud.settings import Settings

# The line of ministack's worker program that reports an exception, and what stands there instead: the answer of an
# invocation that failed, given by a worker that goes on.
REPORT = '_real_stdout.write(json.dumps({"status": "error", "error": str(e), "trace": traceback.format_exc()}) + "\\n")'
REPORT_WITH_CLASS = (
    "sys.stderr.write(traceback.format_exc()); sys.stderr.flush(); "
    '_real_stdout.write(json.dumps({"status": "ok", "failure": {"errorMessage": str(e), '
    '"errorType": type(e).__name__, "stackTrace": traceback.format_tb(e.__traceback__)}}) + "\\n")'
)


log = logging.getLogger("local.cloud.functions")


def mend(_settings: "Settings") -> None:
    runtime = emulator.module("core.lambda_runtime")
    functions = emulator.module("services.lambda_svc")
    if runtime._PYTHON_WORKER_SCRIPT.count(REPORT) != 1:
        raise emulator.WrongEmulator("ministack's Python worker reports exceptions otherwise than it did")
    script = runtime._PYTHON_WORKER_SCRIPT.replace(REPORT, REPORT_WITH_CLASS)
    detect, invoke, execute = runtime._detect_runtime_binary, runtime.Worker.invoke, functions._execute_function_warm
    # Written by the invocation and read right behind it, in the same thread.
    last = threading.local()

    def detect_mended(name: str) -> tuple[str, str]:
        binary, found = detect(name)
        return binary, script if found == runtime._PYTHON_WORKER_SCRIPT else found

    def invoke_noting(worker: Any, *arguments: Any, **more: Any) -> Any:
        answer = invoke(worker, *arguments, **more)
        last.failure = answer.get("failure")
        return answer

    def execute_naming(function: Any, event: Any, request_id: str) -> dict[str, Any]:
        last.failure = None
        result: dict[str, Any] = execute(function, event, request_id)
        if result.get("error") or last.failure:
            config = function.get("config") or function
            log.warning("%s failed (request %s):\n%s", config.get("FunctionName"), request_id, result.get("log", ""))
        if last.failure:
            return {"body": {**last.failure, "requestId": request_id}, "error": True, "log": result.get("log", "")}
        return result

    emulator.replace(runtime, "_detect_runtime_binary", detect_mended)
    runtime.Worker.invoke = invoke_noting
    emulator.replace(functions, "_execute_function_warm", execute_naming)

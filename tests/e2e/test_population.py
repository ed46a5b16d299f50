"""The copy of what was there before, when it is stopped in the middle."""

import threading
import time

from tests.e2e.conftest import Begin, Run
from tests.waiting import PATIENCE_SECONDS


def stop_the_copy(run: Run) -> None:
    """Wait until the copy of this run's pair is under way, and stop its execution."""
    account = run.lab.account
    states = account.client("stepfunctions")
    machine = f"arn:aws:states:{account.region}:{account.account}:stateMachine:encrypt-migrate-Population"
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        execution = run.record().get("Population", {}).get("M", {}).get("Execution", {}).get("S")
        running = states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]
        for found in running:
            if found["name"] == execution:
                states.stop_execution(executionArn=found["executionArn"])
                return
        time.sleep(0.05)


def test_a_copy_that_was_stopped_fails_its_update_and_is_made_again_by_the_next(begin: Begin) -> None:
    run = begin(items=1500)
    run.to("replicate")
    stopper = threading.Thread(target=stop_the_copy, args=(run,))
    stopper.start()
    reason = run.refused("populate")
    stopper.join()
    assert "UsersPopulation" in reason
    assert run.owner() == "source"
    run.to("populate", "cutover")
    run.compare_at_rest()
    run.finish(turns=1)

"""An AWS account on this machine, close enough to the real one to try templates, macros and migrations on it.

The emulator is ministack, one exact version of it. `mends` adds what a migration needs and ministack lacks, one defect
per file; README.md beside this file lists what is emulated, what is not, and what was measured. The parts:

    Cloud       starts the emulator as a child process and hands out clients
    stacks      deploys templates through change sets, as `aws cloudformation deploy` does
    installer   builds the project's own template.yaml with SAM and deploys it
    server      the child process: checks the version, mends, serves
"""

from local.cloud.account import Account
from local.cloud.cloud import Cloud, CloudFailed
from local.cloud.faults import Fault
from local.cloud.settings import Settings

__all__ = ["Account", "Cloud", "CloudFailed", "Fault", "Settings"]

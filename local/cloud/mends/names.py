"""Generated names: ministack gives a resource that was deleted and is made again the name it had before.

CloudFormation draws a new suffix each time, so that a retained resource and its successor can both be there. Updates
keep the name: ministack notes what a creation drew beside the resource.
"""

from typing import TYPE_CHECKING, Any

from local.cloud import emulator

if TYPE_CHECKING:
    from local.cloud.settings import Settings


def mend(_settings: "Settings") -> None:
    stacks = emulator.module("services.cloudformation.stacks")
    provisioners = emulator.module("services.cloudformation.provisioners")
    new_uuid = emulator.module("core.responses").new_uuid

    def provision(*arguments: Any) -> tuple[Any, str]:
        token = provisioners._NAME_SEED.set(new_uuid())
        try:
            return provisioners._provision_resource(*arguments), provisioners._NAME_SEED.get()
        finally:
            provisioners._NAME_SEED.reset(token)

    emulator.replace(stacks, "_provision_keeping_seed", provision)

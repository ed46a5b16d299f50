"""What ministack lacks or does otherwise than AWS, one defect per module.

Every module has a function `mend(settings)` that puts the right behaviour in place, and a docstring that says what was
wrong and where the right behaviour is documented. Their order matters only where a module says so.
"""

from typing import TYPE_CHECKING

from local.cloud.mends import (
    actions,
    batches,
    changes,
    concurrency,
    deployment,
    environments,
    executions,
    expiry,
    exports,
    failures,
    invocations,
    macro,
    mappings,
    names,
    packages,
    partiql,
    permissions,
    policies,
    providers,
    scaling,
    schedules,
    streams,
    tables,
    transforms,
    usererrors,
)

if TYPE_CHECKING:
    from local.cloud.settings import Settings

MENDS = (
    # accounts
    actions,
    permissions,
    policies,
    usererrors,
    # stacks; `changes` looks at what `transforms` made
    names,
    macro,
    transforms,
    changes,
    exports,
    providers,
    deployment,
    tables,
    scaling,
    # functions; `environments` comes first: the others change the same program
    concurrency,
    environments,
    packages,
    failures,
    invocations,
    mappings,
    streams,
    executions,
    schedules,
    # items
    partiql,
    expiry,
    batches,
)


def apply(settings: "Settings") -> None:
    """To be called once, before the emulator serves. Raises WrongEmulator when something to mend is not there."""
    for mend in MENDS:
        mend.mend(settings)

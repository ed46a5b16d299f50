"""What ministack lacks or does otherwise than AWS, one defect per module.

Every module has a function `mend(settings)` that puts the right behaviour in place, and a docstring that says what was
wrong and where the right behaviour is documented. Their order matters only where a module says so.
"""

from typing import TYPE_CHECKING

from local.cloud.mends import (
    macro,
    names,
    partiql,
    permissions,
    policies,
    streams,
    tables,
    transforms,
)

if TYPE_CHECKING:
    from local.cloud.settings import Settings

MENDS = (names, macro, transforms, tables, policies, permissions, partiql, streams)


def apply(settings: "Settings") -> None:
    """To be called once, before the emulator serves. Raises WrongEmulator when something to mend is not there."""
    for mend in MENDS:
        mend.mend(settings)

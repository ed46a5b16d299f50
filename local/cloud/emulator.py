"""The one place where ministack's modules are reached. They have no types, so what comes from here is Any.

Mends take functions of ministack that are internal to it. That holds for exactly one version, which is checked at
start, and a function that is not where it was found fails the start instead of leaving a defect in place silently.
"""

import importlib
import json
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

VERSION = "1.5.33"


class WrongEmulator(RuntimeError):
    """ministack is missing, or is not the version that the mends were written for."""


class Refused(ValueError):
    """The emulator answered a call that a mend made with an error; its message is the error's."""


def check_version() -> None:
    try:
        found = version("ministack")
    except PackageNotFoundError:
        raise WrongEmulator(f"ministack is not installed; the local cloud needs ministack=={VERSION}") from None
    if found != VERSION:
        raise WrongEmulator(
            f"ministack {found} is installed; the local cloud mends the internals of {VERSION} and works with nothing "
            f"else: pip install ministack=={VERSION}"
        )


def module(path: str) -> Any:
    """The module `ministack.<path>`."""
    return importlib.import_module(f"ministack.{path}")


def replace(owner: Any, name: str, new: "Callable[..., Any]") -> Any:
    """Puts `new` where `owner.name` is, also where other modules imported it by name. Returns what was there."""
    old = getattr(owner, name, None)
    if old is None:
        raise WrongEmulator(f"ministack has no {owner.__name__}.{name}: this is not the version that was mended")
    setattr(owner, name, new)
    for found in [found for key, found in sys.modules.items() if key.startswith("ministack.")]:
        for attribute in [key for key, value in vars(found).items() if value is old]:
            setattr(found, attribute, new)
    return old


def scope(account: str, region: str) -> "AbstractContextManager[None]":
    """Inside, the emulator's stores are those of this account and region."""
    inside: AbstractContextManager[None] = module("core.responses").request_scope(account, region)
    return inside


def ask(handler: "Callable[[dict[str, Any]], Any]", request: dict[str, Any]) -> dict[str, Any]:
    """The answer of one of the emulator's own handlers of a JSON service. Raises Refused with its error message."""
    status, _, body = handler(request)
    answer: dict[str, Any] = json.loads(body or "{}")
    if status >= 400:
        raise Refused(answer.get("message") or answer.get("Message") or answer.get("__type") or str(answer))
    return answer

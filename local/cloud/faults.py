"""Failures that are ordered: a resource of a stack fails in the stack's next operation, without anything wrong with it.

An order is a file in the cloud's folder, so that whoever runs the cloud can place it and the child process finds it.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = Path("tmp") / "faults"  # in the cloud's folder, which is where the child process works


@dataclass(frozen=True)
class Fault:
    """A failure of one resource, where that is created or changed.

    late     fail when what was asked for has been done, and not before anything is
    delay    seconds for which the resource is under way before it fails
    """

    logical_id: str
    late: bool = False
    delay: float = 0.0

    @property
    def reason(self) -> str:
        """What CloudFormation says of it."""
        return f"The failure of {self.logical_id} was ordered."


def order(folder: Path, account: str, stack: str, fault: Fault) -> None:
    """The next operation of the stack meets `fault`; `folder` is the cloud's."""
    place = _place(folder, account, stack)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(asdict(fault)))


def take(folder: Path, account: str, stack: str) -> Fault | None:
    """What was ordered for the operation that begins now."""
    place = _place(folder, account, stack)
    if not place.exists():
        return None
    fault = Fault(**json.loads(place.read_text()))
    place.unlink()
    return fault


def _place(folder: Path, account: str, stack: str) -> Path:
    return folder / FOLDER / f"{account}-{stack}.json"

"""Packages of functions: ministack unpacks the whole archive for every environment that it starts.

Lambda keeps packages ready; an environment starts in well under a second. Here an archive is unpacked once, and every
environment's folder consists of links into that one, so that Python also finds what it has compiled before. The first
environment of a package starts alone: several at once would all compile the same modules.
"""

import hashlib
import io
import shutil
import tempfile
import threading
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.cloud import emulator

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.cloud.settings import Settings


def mend(_settings: "Settings") -> None:
    runtime = emulator.module("core.lambda_runtime")
    shelf = Shelf(Path(tempfile.gettempdir()) / "packages")

    class LinkedZipFile(zipfile.ZipFile):
        def extractall(self, path: Any = None, members: Any = None, pwd: Any = None) -> None:
            if self.filename is None or members is not None:
                super().extractall(path, members, pwd)
            else:
                shelf.link(Path(self.filename), Path(path))

    runtime.zipfile = _Namespace(zipfile, ZipFile=LinkedZipFile)
    spawn, pioneers = runtime.Worker._spawn, Pioneers()

    def spawn_behind_the_first(worker: Any) -> None:
        pioneers.run(content(io.BytesIO(worker.code_zip)), lambda: spawn(worker))

    runtime.Worker._spawn = spawn_behind_the_first


class _Namespace:
    """A module with some of its names replaced, for the one module of ministack that gets it."""

    def __init__(self, module: Any, **replaced: Any) -> None:
        self._module = module
        vars(self).update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


class Pioneers:
    """Lets the first of several who do the same go ahead, and the others follow when it is done."""

    def __init__(self) -> None:
        self._done: set[str] = set()
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def run(self, name: str, work: "Callable[[], None]") -> None:
        with self._guard:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            if name not in self._done:
                work()
                self._done.add(name)
                return
        work()


def content(archive: "Path | io.BytesIO") -> str:
    """A name for what is in the archive, whenever it was packed. Raises zipfile.BadZipFile."""
    with zipfile.ZipFile(archive) as found:
        entries = sorted((entry.filename, entry.file_size, entry.CRC) for entry in found.infolist())
    return hashlib.sha256(repr(entries).encode()).hexdigest()


class Shelf:
    """Unpacked archives, by their content."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def link(self, archive: Path, target: Path) -> None:
        """Fills the target with links to what is in the archive. Raises zipfile.BadZipFile."""
        unpacked = self._folder / content(archive)
        with self._lock:
            if not unpacked.exists():
                self._unpack(archive, unpacked)
        for entry in unpacked.iterdir():
            (target / entry.name).symlink_to(entry)

    def _unpack(self, archive: Path, target: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            with zipfile.ZipFile(archive) as found:
                found.extractall(half)
            half.rename(target)
        finally:
            shutil.rmtree(half, ignore_errors=True)

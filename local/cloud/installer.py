"""The project's own template.yaml, built and deployed into a local cloud with the same SAM commands as into AWS."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local.cloud import stacks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local.cloud.account import Tenant

ROOT = Path(__file__).resolve().parents[2]
SAM = ROOT / ".venv-sam" / "bin" / "sam"
STACK = "encrypt-migrate"
# What a build is made of; anything else may change without a new one.
INGREDIENTS = ("template.yaml", "macro", "replicator")
BEING_BUILT = "building-"
KEPT_SECONDS = 86_400
# The installer's waits, short: here a policy spreads within a second and nobody waits for real machines.
SHORT_WAITS = {
    "SettleSeconds": "5",
    "SettleLimitSeconds": "60",
    "QuietSeconds": "2",
    "SpreadSeconds": "2",
    "SpreadLimitSeconds": "30",
    "PolicyIntervalSeconds": "2",
    "HoldSeconds": "3",
    "WritersQuietMinutes": "0",
}
RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"


class InstallationFailed(RuntimeError):
    """SAM is missing, or a SAM command failed; the message carries what it printed."""


@dataclass(frozen=True)
class Builder:
    """Builds the template in `root`; builds are kept in `cache`, by the content that they were made of."""

    root: Path = ROOT
    sam: Path = SAM
    cache: Path = ROOT / ".aws-sam" / "local"

    def build(self) -> Path:
        """The built template. Takes seconds the first time, and nothing while the sources are the same.

        Raises InstallationFailed.
        """
        done = self.cache / self.digest()
        if not done.exists():
            with self._one_at_a_time():
                if not done.exists():
                    self._build(done)
        return done / "template.yaml"

    @contextmanager
    def _one_at_a_time(self) -> "Iterator[None]":
        """SAM keeps what it has downloaded in one place, and two builds at once tear it from each other."""
        self.cache.mkdir(parents=True, exist_ok=True)
        with (self.cache / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _build(self, done: Path) -> None:
        # Beside its final place, not deeper: the built template names files by paths relative to itself.
        folder = self.cache / f"{BEING_BUILT}{uuid.uuid4()}"
        try:
            self._sam("build", "--build-dir", str(folder), "--parameter-overrides", f"Runtime={RUNTIME}")
            folder.rename(done)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        for old in self.cache.iterdir():
            if time.time() - old.stat().st_mtime > KEPT_SECONDS:  # not one that somebody may be deploying
                shutil.rmtree(old, ignore_errors=True)

    def deploy(
        self, cloud: "Tenant", template: Path, parameters: "Mapping[str, str]", stack: str, *options: str
    ) -> None:
        """`sam deploy` of a built template, with further options of that command. Raises InstallationFailed."""
        overrides = [f"{name}={value}" for name, value in {"Runtime": RUNTIME, **parameters}.items()]
        self._sam(
            "deploy",
            *("--config-file", str(self.root / "samconfig.toml"), "--template-file", str(template)),
            *("--stack-name", stack, "--region", cloud.region),
            *("--resolve-s3", "--no-confirm-changeset", "--no-progressbar", "--no-fail-on-empty-changeset"),
            *options,
            *("--parameter-overrides", *overrides),
            AWS_ENDPOINT_URL=cloud.endpoint,
            AWS_ACCESS_KEY_ID=cloud.account,
            AWS_SECRET_ACCESS_KEY="test",  # noqa: S106  # the emulator's only one
        )

    def digest(self) -> str:
        """Of the names and contents of everything that goes into a build, and of the Python that it is for."""
        digest = hashlib.sha256(RUNTIME.encode())
        for ingredient in INGREDIENTS:
            start = self.root / ingredient
            files = [start] if start.is_file() else [file for file in start.rglob("*") if file.is_file()]
            for file in sorted(file for file in files if "__pycache__" not in file.parts):
                digest.update(f"{file.relative_to(self.root)}\0".encode() + file.read_bytes() + b"\0")
        return digest.hexdigest()[:16]

    def _sam(self, command: str, *arguments: str, **variables: str) -> None:
        if not self.sam.exists():
            raise InstallationFailed(f"{self.sam} is missing; `make setup` makes it")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAM_"))}
        # SAM looks for the Python of the runtime on the path: it must find the one that the functions will run with.
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
        run = subprocess.run(
            [str(self.sam), command, *arguments],
            cwd=self.root,
            env={**kept, "PATH": path, "SAM_CLI_TELEMETRY": "0", **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            raise InstallationFailed(f"sam {command} failed:\n{run.stdout[-4000:]}\n{run.stderr[-4000:]}")


def build_and_deploy(
    cloud: "Tenant", parameters: "Mapping[str, str] | None" = None, *, stack: str = STACK
) -> "Mapping[str, str]":
    """Installs EncryptMigrate, or updates it, with these parameters of its template. Returns the stack's outputs.

    Raises InstallationFailed.
    """
    builder = Builder()
    builder.deploy(cloud, builder.build(), parameters or {}, stack)
    return stacks.outputs(cloud, stack)

"""Former versions of this service, installed from the repository's history, to run next to the version under test."""

import fcntl
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.support.service import Service, environment, free_port
from tests.support.waiting import SECONDS

ROOT: Final = Path(__file__).parents[2]
CACHE: Final = ROOT / ".cache" / "versions"

COMMITS: Final = {
    "0.1.0": "8ebd36a4e3a095c544b13356c3b82818c9a9e25c",
    "revision-0009": "6fecc3d44b71bc841da92af342f4928997cdbe79",
}
"""Commit of each version: 0.1.0, and a state of its successor whose schema (revision 0009) has a ledger."""


class FormerVersion:
    """The commands of a former version, which use the data directories and databases that they are given."""

    def __init__(self, packages: Path) -> None:
        self._packages = packages

    @property
    def environ(self) -> dict[str, str]:
        """What makes Python find the packages of this version, and its metadata, before the installed ones."""
        return {"PYTHONPATH": str(self._packages), "PYTHONSAFEPATH": "1"}

    def run(self, data_dir: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command; the result has its status and output."""
        return subprocess.run(
            [*self._command, *arguments],
            env={**environment(data_dir, **settings), **self.environ},
            capture_output=True, text=True, check=False, timeout=SECONDS,
        )  # fmt: skip

    def start(self, data_dir: Path, command: str, *options: str, **settings: str) -> Service:
        """Start `serve` or `worker` on free ports, and wait for `/health`."""
        port = free_port()
        arguments = [*self._command, command, "--port", str(port), *options]
        return Service(arguments, port, data_dir, settings, environ=self.environ).wait_until_up()

    @property
    def _command(self) -> list[str]:
        return [sys.executable, str(self._packages / "bin" / "audit-log")]


def former_version(name: str) -> FormerVersion:
    """Install a version once for all test processes and runs. Its dependencies are the installed ones.

    Skips the test in a checkout without the version's commit, such as a shallow clone or an archive.
    """
    commit = COMMITS[name]
    packages = CACHE / f"{commit[:12]}-{sys.implementation.cache_tag}"
    packages.parent.mkdir(parents=True, exist_ok=True)
    with (packages.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other test processes wait for the one that installs
        if not (packages / "installed").exists():
            _install(commit, packages)
    return FormerVersion(packages)


def _install(commit: str, packages: Path) -> None:
    source = packages.with_suffix(".source")
    source.mkdir(exist_ok=True)
    archive = subprocess.run(["git", "-C", ROOT, "archive", commit], capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"commit {commit[:12]} is not in this checkout: `git fetch --unshallow`, or clone the repository")
    subprocess.run(["tar", "x", "-C", source], input=archive.stdout, check=True)
    distributions = [each for each in (source / "audit_log_client", source) if (each / "pyproject.toml").exists()]
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    subprocess.run(
        [*install, "--no-deps", "--no-build-isolation", "--target", packages, *distributions], check=True, timeout=120
    )
    (packages / "installed").touch()

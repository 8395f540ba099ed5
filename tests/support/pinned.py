"""Installation of pinned packages that only some tests need, once for all test processes and runs."""

import fcntl
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.support.skipping import skip_or_fail


def install_once(home: Path, pins: Path, command: Callable[[], list[str]], name: str) -> None:
    """Install the packages of Python that `pins` lists by `command` into `home`, see `run_once`."""
    run_once(home, pins, lambda: [*command(), "--no-deps", "--require-hashes", "--requirement", str(pins)], name)


def run_once(home: Path, pins: Path, command: Callable[[], list[str]], name: str) -> None:
    """Run `command`, which installs what `pins` lists into `home`, unless these pins are installed there.

    Skips the test if the installation fails, with the command that shows why; with CI=true that is a failure.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other test processes wait for the one that installs
        done = home / "installed.txt"
        if done.exists() and done.read_text() == pins.read_text():
            return
        install = command()
        if subprocess.run(install, capture_output=True, check=False).returncode:
            skip_or_fail(f"{name} cannot be installed: see why by `{' '.join(install)}`")
        done.write_text(pins.read_text())

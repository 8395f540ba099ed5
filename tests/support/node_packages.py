"""Packages of npm that only some tests need, installed once into `.cache/` from a lock file with hashes."""

import fcntl
import shutil
import subprocess
from pathlib import Path

from tests.support.skipping import skip_or_fail

_ROOT = Path(__file__).parents[2]


def install_node_packages(source: Path) -> Path:
    """Install what the `package-lock.json` in `source` lists; return the folder, with all files of `source` in it.

    Skips the test without npm, or if the installation fails; with CI=true that is a failure.
    """
    if not (npm := shutil.which("npm")):
        skip_or_fail("npm is not installed: apt-get install npm")
    home = _ROOT / ".cache" / source.name
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other test processes wait for the one that installs
        pins = (source / "package-lock.json").read_text()
        done = home / "installed.json"
        shutil.copytree(source, home, dirs_exist_ok=True)
        if not done.exists() or done.read_text() != pins:
            install = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(home)]
            if subprocess.run(install, capture_output=True, check=False, timeout=180).returncode:
                skip_or_fail(f"npm packages cannot be installed: see why by `{' '.join(install)}`")
            done.write_text(pins)
    return home

"""Packages of Node.js that some tests run, installed once from the pins in `tests/support/npm`."""

import shutil
from functools import cache
from pathlib import Path

from tests.support.pinned import run_once
from tests.support.skipping import skip_or_fail

_PINS = Path(__file__).with_name("npm")
_HOME = Path(__file__).parents[2] / ".cache" / "npm"


@cache
def node_modules() -> Path:
    """The directory with the packages."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        skip_or_fail("node and npm are missing: install Node.js, such as by `apt-get install nodejs npm`")

    def install() -> list[str]:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(_PINS / name, _HOME / name)
        return ["npm", "ci", "--prefix", str(_HOME), "--ignore-scripts", "--no-audit", "--no-fund"]

    run_once(_HOME, _PINS / "package-lock.json", install, "standardwebhooks of npm")
    return _HOME / "node_modules"

"""axe-core, which finds faults of accessibility in a page.

A package of Python brings its script. It is installed without its dependencies into a directory for itself, once, from
`tests/support/axe.txt`.
"""

import fcntl
import subprocess
import sys
from functools import cache
from pathlib import Path

from selenium import webdriver

from tests.support.skipping import skip_or_fail

_PINS = Path(__file__).with_name("axe.txt")
_HOME = Path(__file__).parents[2] / ".cache" / "axe"
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_RUN = """
const [rules, done] = arguments;
axe.run(document, { runOnly: rules }).then(({ violations }) =>
  done(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(" | ")}`)));
"""


def violations(browser: webdriver.Chrome) -> list[str]:
    """Each rule of WCAG 2.2 AA, and of best practice, that the page breaks, with the elements."""
    browser.execute_script(_script())
    found: list[str] = browser.execute_async_script(_RUN, _RULES)
    return found


@cache
def _script() -> str:
    _HOME.mkdir(parents=True, exist_ok=True)
    with (_HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other test processes wait for the one that installs
        done = _HOME / "installed.txt"
        if not done.exists() or done.read_text() != _PINS.read_text():
            options = ["--no-deps", "--require-hashes", "--upgrade", "--target", str(_HOME), "-r", str(_PINS)]
            install = [sys.executable, "-m", "pip", "install", *options]
            if subprocess.run(install, capture_output=True, check=False).returncode:
                skip_or_fail(f"axe-core cannot be installed: see why by `{' '.join(install)}`")
            done.write_text(_PINS.read_text())
    return (_HOME / "axe_playwright_python" / "axe.min.js").read_text(encoding="utf-8")

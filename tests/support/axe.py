"""axe-core, which finds faults of accessibility in a page.

A package of Python brings its script. It is installed without its dependencies into a directory for itself, once, from
`tests/support/axe.txt`.
"""

import sys
from functools import cache
from pathlib import Path

from selenium import webdriver

from tests.support.pinned import install_once

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
    install = [sys.executable, "-m", "pip", "install", "--upgrade", "--target", str(_HOME)]
    install_once(_HOME, _PINS, lambda: install, "axe-core")
    return (_HOME / "axe_playwright_python" / "axe.min.js").read_text(encoding="utf-8")

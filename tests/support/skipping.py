"""The one way for a test to do without a server or a program that this machine lacks."""

import os
from typing import NoReturn

import pytest


def skip_or_fail(reason: str) -> NoReturn:
    """Skip the test, or fail it in CI (`CI=true`), where nothing may be missing.

    Args:
        reason: The missing server or program, and the command that installs or starts it.
    """
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)

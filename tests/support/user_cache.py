"""The user's cache, for servers of tests that take minutes to build or to fetch."""

import os
from pathlib import Path


def user_cache(name: str) -> Path:
    """The folder of this name in it (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "audit-log" / name

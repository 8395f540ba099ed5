"""Programs that the permissions of files apply to, also if the tests run as root."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.support.waiting import SECONDS

_WITHOUT_OVERRIDE: Final = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")


def run(command: Sequence[str], env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a program without the capabilities by which root reads and writes every file (capabilities(7)).

    Raises:
        subprocess.TimeoutExpired: it was killed after a minute.
    """
    limited = _WITHOUT_OVERRIDE if os.geteuid() == 0 else ()
    return subprocess.run(
        [*limited, *command], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS,
        check=False,
    )  # fmt: skip


def make_read_only(directory: Path) -> None:
    """Take the write permission from a directory and from all in it."""
    for path in (*directory.rglob("*"), directory):
        path.chmod(0o555 if path.is_dir() else 0o444)

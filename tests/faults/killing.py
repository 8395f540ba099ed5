"""Processes that kill themselves by SIGKILL before one of their statements, for programs of `tests.faults`."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Final

from sqlalchemy import Engine
from sqlalchemy import event as sqlalchemy_event

from core.stores.ledger.checking.check import check_ledger
from core.stores.ledger.checking.retention import INTERRUPTED

_ROOT: Final = Path(__file__).parents[2]


def kill_at(engine: Engine, step: int) -> Callable[[], int]:
    """Kill this process before its `step`-th statement or commit; 0: never. Return what counts them."""
    steps = count(1)
    done = 0

    def look(*_arguments: object) -> None:
        nonlocal done
        done = next(steps)
        if done == step:
            os.kill(os.getpid(), signal.SIGKILL)

    if engine.dialect.name == "sqlite":  # the driver is used directly as well
        sqlalchemy_event.listen(engine, "connect", lambda driver, _record: driver.set_trace_callback(look))
    else:
        sqlalchemy_event.listen(engine, "before_cursor_execute", look)
        sqlalchemy_event.listen(engine, "commit", look)
    return lambda: done


def is_whole(engine: Engine) -> bool:
    """Return whether nothing contradicts the ledger, but for a month whose purge was interrupted, as the report says.

    The first findings go to standard error if something else does.
    """
    named = check_ledger(engine).findings.named
    wrong = [finding for finding in named if not finding.detail.endswith(INTERRUPTED)]
    if wrong:
        sys.stderr.write(f"{wrong[:3]}\n")
    return not wrong


def run(module: str, *arguments: object) -> int:
    """Run a program that prints the number of its statements; return it, 0 if the program killed itself."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, timeout=300, check=False)
    if done.returncode not in {0, -signal.SIGKILL}:
        raise RuntimeError(f"a process ended with status {done.returncode}")
    return int(done.stdout or 0)

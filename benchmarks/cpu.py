"""CPU time of a process and its descendants, in nanoseconds, as the scheduler of Linux counts it for each thread."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PROC: Final = Path("/proc")
_LOOK_SECONDS: Final = 0.4
_IDLE_SHARE: Final = 0.05
"""Share of one core below which a server counts as idle."""


def thread_times(pid: int) -> dict[tuple[int, int], int]:
    """CPU time (user and system) of each thread, by process and thread id. Threads that have ended are not included."""
    times: dict[tuple[int, int], int] = {}
    for process in _descendants(pid):
        with suppress(FileNotFoundError, ProcessLookupError):
            for task in (_PROC / str(process) / "task").iterdir():
                with suppress(FileNotFoundError, ProcessLookupError):
                    times[process, int(task.name)] = int((task / "schedstat").read_text().split()[0])
    return times


def spent(before: Mapping[tuple[int, int], int], after: Mapping[tuple[int, int], int]) -> dict[int, int]:
    """CPU time between two readings, by process."""
    by_process: dict[int, int] = {}
    for (process, thread), total in after.items():
        by_process[process] = by_process.get(process, 0) + total - before.get((process, thread), 0)
    return by_process


def wait_until_idle(pid: int, seconds: float) -> float:
    """Wait until the process and its descendants have nothing to do; how long that took, at most `seconds`."""
    started = time.monotonic()
    last = thread_times(pid)
    while (waited := time.monotonic() - started) < seconds:
        time.sleep(_LOOK_SECONDS)
        now = thread_times(pid)
        if sum(spent(last, now).values()) < _IDLE_SHARE * _LOOK_SECONDS * 1e9:
            return waited
        last = now
    return seconds


def _descendants(pid: int) -> Iterator[int]:
    yield pid
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in (_PROC / str(pid) / "task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                for child in (task / "children").read_text().split():
                    yield from _descendants(int(child))

"""Waiting with a deadline: until a condition holds, or until a server that is away has taken some work."""

import inspect
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

SECONDS: Final = 90.0
"""Deadline where a test is not about time: ample on a busy machine, and well below the limit of pytest-timeout."""

_PAUSE_SECONDS: Final = 0.01

Result = TypeVar("Result")


def until(
    condition: Callable[[], Any],
    awaited: str = "",
    *,
    seconds: float = SECONDS,
    shown: Callable[[], object] | None = None,
) -> Any:
    """Return what `condition` returns, as soon as that is true.

    Raises:
        AssertionError: it was not within `seconds`. The message has `awaited`, by default the source of the condition,
            its last value, and what `shown` returns then, such as the log of a process.
    """
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            state = f"\n{shown()}" if shown else ""
            raise AssertionError(f"not within {seconds:g} s: {awaited or _source(condition)} (last: {found!r}){state}")
        time.sleep(_PAUSE_SECONDS)
    return found


def retried(work: Callable[[], Result], *errors: type[Exception], seconds: float = SECONDS) -> Result:
    """Do `work`, which is safe to repeat, until it raises none of `errors`; the last one after some seconds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return work()
        except errors:
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_SECONDS)


def within(seconds: float, work: Callable[[], object]) -> None:
    """Repeat `work` until it takes less than `seconds`: during the first times, the machine may stand still.

    Raises:
        AssertionError: it always took longer. The message has how long, in seconds.
    """
    taken: list[float] = []

    def is_fast() -> bool:
        started = time.monotonic()
        work()
        taken.append(time.monotonic() - started)
        return taken[-1] < seconds

    until(is_fast, f"work in less than {seconds:g} s", shown=lambda: taken)


def _source(condition: Callable[[], Any]) -> str:
    try:
        return inspect.getsource(condition).strip()
    except (OSError, TypeError):  # typed into an interpreter, or a partial
        return repr(condition)

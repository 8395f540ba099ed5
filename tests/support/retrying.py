"""Work that is repeated until a server that is away has taken it."""

import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def retried(work: Callable[[], Result], *errors: type[Exception], seconds: float) -> Result:
    """Do `work`, which is safe to repeat, until it raises none of `errors`; the last one after some seconds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return work()
        except errors:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)

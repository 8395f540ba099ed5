"""Signs of life of the storing process: a few bytes that both processes share."""

import os
import tempfile
import time
from struct import Struct
from typing import Final

SECONDS: Final = 1.0
"""Time between two signs."""

_TIME: Final = Struct("=d")  # of the monotonic clock, which all processes share


def open_shared() -> int:
    """Open a file for them, in memory where the system can do that; return its descriptor."""
    if hasattr(os, "memfd_create"):  # Linux
        return os.memfd_create("audit-log-heartbeat")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def give_sign(descriptor: int) -> None:
    """Give a sign of life."""
    os.pwrite(descriptor, _TIME.pack(time.monotonic()), 0)


def last_sign(descriptor: int) -> float:
    """Return the time of the last sign, in seconds of the monotonic clock; 0 if there is none."""
    content = os.pread(descriptor, _TIME.size, 0)
    return float(_TIME.unpack(content)[0]) if content else 0.0

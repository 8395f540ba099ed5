"""Settings of Python's garbage collector and of the C library's allocator for a process that serves."""

import ctypes
import gc
from contextlib import suppress
from typing import Final

_GC_THRESHOLD: Final = 50_000  # new objects before a collection of the youngest generation; the default is 700
_M_MMAP_THRESHOLD: Final = -3  # mallopt(3)
_MMAP_BYTES: Final = 1024 * 1024


def tune_memory() -> None:
    """Set both. To be called once all long-lived objects exist.

    Requests and events hold no reference cycles: a collector that traverses a full queue finds little.

    glibc keeps freed blocks for the thread that allocated them, so requests of megabytes in several threads would leave
    hundreds of megabytes behind. A block of `_MMAP_BYTES` or more becomes a mapping, which ends when it is freed.
    """
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD)
    with suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)

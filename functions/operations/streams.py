"""Streams of an AWS stage: a function on a schedule sends them, as the processes of other hosts do all the time."""

import time
from typing import Any, Final

from core.wiring import Services

RUN_SECONDS: Final = 50.0
"""How long one call sends. It is called every minute, one at a time."""
_ROUND_SECONDS: Final = 1.0
_STOP_SECONDS: Final = 5.0


def send(services: Services, seconds: float = RUN_SECONDS, pause: float = _ROUND_SECONDS) -> dict[str, Any]:
    """Send all active streams for a while; return how many there were in the end, and their states.

    The streams are let go at the end, so that the next call need not wait for their leases.

    Raises:
        StoreUnavailableError: the database cannot be reached; the next call continues.
    """
    dispatcher = services.streams.dispatcher()
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            dispatcher.round()
            time.sleep(pause)
    finally:
        dispatcher.close(_STOP_SECONDS)
    return dict(services.streams.status.check())

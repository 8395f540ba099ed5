"""The watch of the ledger: a thread that looks at its size while requests are held for events to come.

The integrator of this process wakes it. Where another process integrates, it looks every second.
"""

from collections.abc import Callable
from threading import Event as Flag
from threading import Thread
from typing import Final

from core.errors import StoreUnavailableError
from local_runner.http.held_requests import HeldRequests

PAUSE_SECONDS: Final = 1.0
"""Time between two looks, if no integrator reports."""

_STOP_SECONDS: Final = 2.0


class LedgerWatch:
    """Watches until `close`. Without held requests it asks nothing."""

    def __init__(
        self, size: Callable[[], int], held: HeldRequests, integrated: Flag, pause: float = PAUSE_SECONDS
    ) -> None:
        """Start the thread. `size` is that of `FeedReader`; `integrated` is set where events were given indices."""
        self._size = size
        self._held = held
        self._integrated = integrated
        self._pause = pause
        self._stopped = False
        self._thread = Thread(target=self._run, name="ledger-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread, and wait briefly for it."""
        self._stopped = True
        self._integrated.set()
        self._held.any.set()
        self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        while True:
            self._held.any.wait()
            self._integrated.wait(self._pause)
            self._integrated.clear()
            if self._stopped:
                return
            try:
                self._held.grown(self._size())
            except StoreUnavailableError:
                continue  # the next request to the feed says so

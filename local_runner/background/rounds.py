"""A thread that does one thing in rounds, such as every minute, whatever becomes of a round."""

import logging
from collections.abc import Callable
from threading import Event as Flag
from threading import Thread
from typing import Final

from core.errors import StoreUnavailableError

_STOP_SECONDS: Final = 2.0

_log = logging.getLogger(__name__)


class Rounds:
    """Calls `work` until `close`, with a pause before each call. No failure ends the thread."""

    def __init__(self, name: str, pause: float | Callable[[], float], work: Callable[[], object]) -> None:
        """`pause` is in seconds; a function is asked before each pause."""
        self._name = name
        self._pause = pause if callable(pause) else lambda: pause
        self._work = work
        self.stop: Final = Flag()
        """Set by `close`: work that takes long ends where it can be continued."""
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread. Its first round begins after one pause."""
        self._thread.start()

    def close(self) -> None:
        """Begin no further round, and wait briefly for the current one, which the end of the process may cut off."""
        self.stop.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        while not self.stop.wait(self._pause()):
            try:
                self._work()
            except StoreUnavailableError:
                continue  # the check of the store reports it
            except Exception:  # noqa: BLE001 - a bug must not end the thread
                action = "Report the bug with this stack trace; the next round tries again."
                _log.exception("round_failed", extra={"round": self._name, "action": action})

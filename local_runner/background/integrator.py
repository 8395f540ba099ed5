"""The integrator: a thread that gives stored events their indices in the ledger, every second."""

import logging
from collections.abc import Callable
from threading import Event as Flag
from threading import Thread
from typing import Final, Protocol

from core.errors import StoreUnavailableError

PAUSE_SECONDS: Final = 1.0
"""Time between two rounds: the longest delay until a stored event has an index."""

_LONGEST_PAUSE: Final = 30.0
_STOP_SECONDS: Final = 2.0

_log = logging.getLogger(__name__)


class IntegratedLedger(Protocol):
    """The part of `core.stores.ledger.integration.Ledger` that the thread calls."""

    def integrate(self) -> int:
        """See `Ledger.integrate`."""


class Integrator:
    """Integrates in rounds until `close`. After a failure it pauses for longer, and it never ends because of one."""

    def __init__(
        self,
        ledger: IntegratedLedger,
        pause: float = PAUSE_SECONDS,
        on_indices: Callable[[], object] = lambda: None,
    ) -> None:
        """Start the thread. It calls `on_indices` when it has given events their indices."""
        self._ledger = ledger
        self._pause = pause
        self._on_indices = on_indices
        self._failures = 0
        self._stop = Flag()
        self._thread = Thread(target=self._run, name="integrator", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Start no further transaction, and wait briefly for the current one. The next integrator continues."""
        self._stop.set()
        self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        while not self._stop.wait(min(self._pause * 2**self._failures, _LONGEST_PAUSE)):
            try:
                while not self._stop.is_set() and self._ledger.integrate():
                    self._on_indices()
            except StoreUnavailableError as exc:
                if not self._failures:
                    action = "Check the database; stored events get their indices when it is back."
                    _log.error(
                        "integration_unavailable", extra={"reason": repr(exc.__cause__ or exc), "action": action}
                    )
                self._failures += 1
            except Exception:  # noqa: BLE001 - a bug must not end the thread
                if not self._failures:
                    action = "Report the bug with this stack trace; stored events have no index meanwhile."
                    _log.exception("integration_failed", extra={"action": action})
                self._failures += 1
            else:
                if self._failures:
                    _log.info("integration_resumed", extra={"after_failures": self._failures})
                self._failures = 0

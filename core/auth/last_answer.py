"""Last known answer of a dependency that may be slow, hang or be down, so that no request waits for it.

The principle is stale-if-error of HTTP (RFC 5861 section 4): without a new answer the last one is used, for a limited
time.
"""

import logging
import time
from collections.abc import Callable
from threading import Event as Flag
from threading import Lock, Thread
from typing import Final, Generic, TypeVar

from core.domain.clock import Clock
from core.errors import AuditLogError, TokenCheckUnavailableError

PATIENCE_SECONDS: Final = 2.0
"""How long a start, or a request in a process without a polling thread, waits for an answer."""

_CLOSE_SECONDS: Final = 0.5

T = TypeVar("T")

_log = logging.getLogger(__name__)


class LastAnswer(Generic[T]):
    """Asks a dependency every `every` seconds and keeps its last answer. Safe to use from several threads.

    A server polls with a thread, which may hang for as long as the dependency does. AWS Lambda freezes processes
    between requests, so that threads cannot poll. Without `poll`, requests start a thread that asks, and wait for up to
    `PATIENCE_SECONDS` for it.
    """

    def __init__(  # noqa: PLR0913 - the question, and its times
        self, ask: Callable[[], T], first: T, *, name: str, every: float, limit: float, clock: Clock
    ) -> None:
        """Use `first` until there is an answer.

        Args:
            ask: Gets an answer of the dependency; raises AuditLogError if there is none.
            first: Value before the first answer, which is used for as long as an answer.
            name: Subject of the question, in the plural, for messages and the log.
            every: Interval between two questions, in seconds.
            limit: How long an answer is used if no other follows, in seconds.
            clock: Wall clock: in a frozen process, monotonic time may stand still.
        """
        self._ask = ask
        self._name = name
        self._every = every
        self._limit = limit
        self._clock = clock
        self._answer = (first, clock())
        self._failing = False
        self._asking = Lock()
        self._asker: Thread | None = None
        self._asked_at = float("-inf")
        self._wait_until = 0.0
        self._poller: Thread | None = None
        self._stop = Flag()

    def latest(self) -> T:
        """Return the last answer.

        Raises:
            TokenCheckUnavailableError: it is older than `limit`; trying again later helps.
        """
        if self._poller is None:
            self._ask_if_due()
        answer, at = self._answer
        if self._clock() - at > self._limit:
            raise TokenCheckUnavailableError(
                f"Tokens cannot be checked: the {self._name} have been unknown for more than {self._limit / 3600:g} h. "
                "Try again later."
            )
        return answer

    def poll(self, clock: Clock = time.monotonic) -> None:
        """Start a thread that asks until `close`; wait for its first answer for up to `PATIENCE_SECONDS`.

        From now on ages are measured by `clock`, so that a jump of the wall clock does not make answers too old.
        """
        self._clock = clock
        self._answer = (self._answer[0], clock())
        asked = Flag()
        self._poller = Thread(target=self._poll, args=(asked,), name=f"poll {self._name}", daemon=True)
        self._poller.start()
        asked.wait(PATIENCE_SECONDS)

    def close(self) -> None:
        """Stop asking. A thread whose question hangs is abandoned, so that it does not delay the end of the process."""
        self._stop.set()
        if self._poller is not None:
            self._poller.join(_CLOSE_SECONDS)

    def _poll(self, asked: Flag) -> None:
        while not self._stop.is_set():
            self._refresh()
            asked.set()
            self._stop.wait(self._every)

    def _ask_if_due(self) -> None:
        with self._asking:
            now = self._clock()
            if not 0 <= now - self._asked_at < self._every:  # negative if the clock was set back
                self._asked_at = now
                self._wait_until = time.monotonic() + PATIENCE_SECONDS
                if self._asker is None or not self._asker.is_alive():
                    self._asker = Thread(target=self._refresh, name=f"ask for {self._name}", daemon=True)
                    self._asker.start()
            asker = self._asker
        if asker is not None:
            asker.join(max(0.0, self._wait_until - time.monotonic()))

    def _refresh(self) -> None:
        asked_at = self._clock()  # an answer that arrives later may describe this moment
        try:
            answer = self._ask()
        except AuditLogError as exc:
            if not self._failing:  # once for each outage
                hours = self._limit / 3600
                extra = {
                    "subject": self._name,
                    "reason": repr(exc.__cause__ or exc),
                    "limit_hours": hours,
                    "action": f"Restore the dependency within {hours:g} hours; tokens are rejected after that.",
                }
                _log.warning("token_check_stale", extra=extra)
            self._failing = True
        except Exception:  # noqa: BLE001 - a bug must not end the polling
            action = "Report this traceback as a bug of the service; the last answer is used."
            _log.exception("token_check_failed", extra={"subject": self._name, "action": action})
        else:
            self._answer = (answer, asked_at)
            if self._failing:
                _log.info("token_check_available", extra={"subject": self._name})
            self._failing = False

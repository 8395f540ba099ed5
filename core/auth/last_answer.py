"""The last answer of a part that may be slow, hang or be away: requests look at it, and none waits for the part.

The idea is HTTP's stale-if-error (RFC 5861, section 4): without a new answer the last one counts, for a stated time.
"""

import logging
import time
from collections.abc import Callable
from threading import Event as Flag
from threading import Lock, Thread
from typing import Final, Generic, TypeVar

from core.errors import AuditLogError, TokenCheckUnavailableError

PATIENCE_SECONDS: Final = 2.0
"""How long a start, or a request in a process without a polling thread, waits for an answer."""

_CLOSE_SECONDS: Final = 0.5

Clock = Callable[[], float]
T = TypeVar("T")

_log = logging.getLogger(__name__)


class LastAnswer(Generic[T]):
    """Asks a part every `every` seconds and keeps what it said last. Safe to use from several threads.

    A server polls, by one thread that may hang for as long as the part does. AWS Lambda freezes its processes between
    requests, so that no thread can poll there: without `poll` it is the request that asks, also by a thread, and waits
    for at most `PATIENCE_SECONDS`.
    """

    def __init__(  # noqa: PLR0913 - what is asked for, and the times of it
        self, ask: Callable[[], T], first: T, *, name: str, every: float, limit: float, clock: Clock
    ) -> None:
        """Keep `first` until there is an answer.

        Args:
            ask: Gets an answer from the part; raises AuditLogError when there is none.
            first: What counts before the first answer, from now on for as long as an answer would.
            name: What is asked for, in the plural, for messages and the log.
            every: Seconds from one question to the next.
            limit: Seconds for which an answer counts when no other follows.
            clock: Seconds; the wall clock, since a frozen process may not see the monotonic one advance.
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
        """The last answer.

        Raises:
            TokenCheckUnavailableError: it is older than `limit`; trying again later helps.
        """
        if self._poller is None:
            self._ask_if_due()
        answer, at = self._answer
        if self._clock() - at > self._limit:
            raise TokenCheckUnavailableError(
                f"No token can be checked: no answer about the {self._name} for more than {self._limit / 3600:g} h. "
                "Try again later."
            )
        return answer

    def poll(self, clock: Clock = time.monotonic) -> None:
        """Ask by a thread from now on, until `close`; wait for its first answer for at most `PATIENCE_SECONDS`.

        Ages are those of `clock` from now on: a wall clock that jumps must not make an answer too old.
        """
        self._clock = clock
        self._answer = (self._answer[0], clock())
        asked = Flag()
        self._poller = Thread(target=self._keep_asking, args=(asked,), name=f"poll {self._name}", daemon=True)
        self._poller.start()
        asked.wait(PATIENCE_SECONDS)

    def close(self) -> None:
        """Ask no more. A question that hangs is left to its thread, which does not hold up the end of the process."""
        self._stop.set()
        if self._poller is not None:
            self._poller.join(_CLOSE_SECONDS)

    def _keep_asking(self, asked: Flag) -> None:
        while not self._stop.is_set():
            self._refresh()
            asked.set()
            self._stop.wait(self._every)

    def _ask_if_due(self) -> None:
        with self._asking:
            now = self._clock()
            if not 0 <= now - self._asked_at < self._every:  # negative: the clock was set back
                self._asked_at = now
                self._wait_until = time.monotonic() + PATIENCE_SECONDS
                if self._asker is None or not self._asker.is_alive():
                    self._asker = Thread(target=self._refresh, name=f"ask for {self._name}", daemon=True)
                    self._asker.start()
            asker = self._asker
        if asker is not None:
            asker.join(max(0.0, self._wait_until - time.monotonic()))

    def _refresh(self) -> None:
        asked_at = self._clock()  # what is said later may have been true only then
        try:
            answer = self._ask()
        except AuditLogError as exc:
            if not self._failing:  # once for each outage, however long it is
                reason = repr(exc.__cause__ or exc)
                _log.warning(
                    "no answer: the last one counts",
                    extra={"asked_for": self._name, "reason": reason, "for_hours": self._limit / 3600},
                )
            self._failing = True
        except Exception:  # noqa: BLE001 - a bug must not end the asking: logged, and the last answer counts
            _log.exception("no answer, by a fault of our own: the last one counts", extra={"asked_for": self._name})
        else:
            self._answer = (answer, asked_at)
            if self._failing:
                _log.info("answered again", extra={"asked_for": self._name})
            self._failing = False

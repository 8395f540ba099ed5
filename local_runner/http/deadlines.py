"""Time limits of a connection: how long each side may take, by what the connection waits for."""

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import Final

from functions.http.errors import RequestTimeoutError

HEAD_SECONDS: Final = 10.0
BODY_SECONDS: Final = 10.0
"""How long the head of a request may take to arrive, and then its body."""

STOP_SECONDS: Final = 2.0
"""How much of that there is left when the service is asked to stop."""

_LOOK_SECONDS: Final = 0.5  # how late a deadline may be noticed: one timer for a connection, not one for each request
_NEVER: Final = float("inf")


class Wait(Enum):
    """The step that a connection waits for."""

    NOTHING = "the client waits for the service"
    NEXT_REQUEST = "the next request on an idle connection"
    FIRST_REQUEST = "the first request"
    HEAD = "the rest of a head"
    BODY = "the rest of a body"
    READER = "a client that does not read its responses"
    LINGER = "a client that still sends after the last response"
    CLOSE = "the end of a closed connection, for which TLS waits"


_SECONDS: Final = {
    Wait.NOTHING: _NEVER,
    Wait.NEXT_REQUEST: 75.0,
    Wait.FIRST_REQUEST: HEAD_SECONDS,
    Wait.HEAD: HEAD_SECONDS,
    Wait.BODY: BODY_SECONDS,
    Wait.READER: 30.0,
    Wait.LINGER: 2.0,
    Wait.CLOSE: 1.0,
}
_CUT_SHORT: Final = frozenset({Wait.FIRST_REQUEST, Wait.HEAD, Wait.BODY})
"""Waits that a stop of the service shortens to `STOP_SECONDS`."""


class Deadlines:
    """Looks twice a second whether one connection has waited too long, and calls `on_late` with what it waits for.

    Time in which the event loop stood still, such as that of a machine that was suspended, does not count: nothing of
    what the client sent was read in it.
    """

    __slots__ = ("_look_at", "_loop", "_on_late", "_stop_at", "_timer", "_waits_for", "started_at")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, waits_for: Callable[[], Wait], on_late: Callable[[Wait], None]
    ) -> None:
        """Begin with a wait. `waits_for` returns the present one."""
        self._loop = loop
        self._waits_for = waits_for
        self._on_late = on_late
        self._stop_at = _NEVER
        self.started_at = loop.time()
        """When the present wait began, in seconds of the event loop's clock."""
        self._look_later(self.started_at)

    def restart(self) -> None:
        """Begin a wait."""
        self.started_at = self._loop.time()

    @property
    def stopping(self) -> bool:
        """Whether the service was asked to stop."""
        return self._stop_at is not _NEVER

    def stop(self) -> None:
        """Shorten the time for requests in progress, since the service stops."""
        self._stop_at = self._loop.time() + STOP_SECONDS

    def cancel(self) -> None:
        """Look no more."""
        self._timer.cancel()
        self._waits_for = _waits_for_nothing  # no reference to the connection, so that no garbage collector is needed
        self._on_late = _ignore

    def _look_later(self, now: float) -> None:
        self._look_at = now + _LOOK_SECONDS
        self._timer = self._loop.call_later(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        stood_still = now - self._look_at
        if stood_still > _LOOK_SECONDS:
            self.started_at = min(self.started_at + stood_still, now)
        wait = self._waits_for()
        deadline = self.started_at + _SECONDS[wait]
        if now >= (min(deadline, self._stop_at) if wait in _CUT_SHORT else deadline):
            self._on_late(wait)
        self._look_later(now)


def timeout_error(wait: Wait) -> RequestTimeoutError:
    """Build the error of a request that did not arrive in time."""
    return RequestTimeoutError(f"Not sent within {_SECONDS[wait]:.0f} seconds: {wait.value}.")


def _waits_for_nothing() -> Wait:
    return Wait.NOTHING


def _ignore(_wait: Wait) -> None:
    """Take the place of the callback of a closed connection."""

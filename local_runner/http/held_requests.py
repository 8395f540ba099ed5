"""Requests that are held until the ledger has grown: no thread waits for them, and there is a limit to their number."""

import asyncio
from collections.abc import Callable
from threading import Event as Flag
from time import monotonic
from typing import Final

from local_runner.aws_events.proxy_event import HTTPResponse
from local_runner.http.application import Exchange
from local_runner.http.bounded_threads import BoundedThreads

MAX_HELD: Final = 100
"""Of one process. Each asks again whenever the ledger has grown, for about a millisecond of a thread."""


Task = Callable[[], HTTPResponse | Exchange]
"""Answers a request; or returns an exchange that has an answer, and whose client would rather wait for a better one."""

Resume = Callable[[BoundedThreads | None, Task], None]
"""Continues with a request, by a task in the threads or, for None, on the event loop."""


class HeldRequest:
    """A request whose answer has no event so far. It ends once, by whatever happens first."""

    __slots__ = ("_held", "_resume", "_since", "_timer", "exchange", "ledger_size")

    def __init__(self, held: "HeldRequests", exchange: Exchange, ledger_size: int, resume: Resume) -> None:
        self._held = held
        self.exchange = exchange
        self._resume = resume
        self._since = monotonic()
        self._timer = asyncio.get_running_loop().call_later(exchange.seconds_to_wait, self.answer)
        self.ledger_size = ledger_size
        """At the time of the answer."""

    def answer(self) -> None:
        """Send the answer that there is."""
        self._release()
        self._resume(None, self.exchange.finish)

    def ask_again(self, executor: BoundedThreads | None, task: Task) -> None:
        """Get another answer by this task."""
        self._release()
        self._resume(executor, task)

    def drop(self) -> None:
        """End without sending an answer: the connection is lost."""
        self._release()
        self.exchange.finish()

    def _release(self) -> None:
        self._timer.cancel()
        self._held.discard(self)
        self.exchange.leave_out(monotonic() - self._since)


class HeldRequests:
    """The held requests of a process. Only `grown` may be called outside of the event loop."""

    def __init__(
        self, ask_again: Callable[[Exchange], tuple[BoundedThreads | None, Task]], most: int = MAX_HELD
    ) -> None:
        """`ask_again` returns the threads in which, and the task by which, a request gets another answer."""
        self._ask_again = ask_again
        self._most = most
        self._requests: set[HeldRequest] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.any: Final = Flag()
        """Set while there are some."""

    def hold(self, exchange: Exchange, resume: Resume) -> HeldRequest | None:
        """Hold a request; None if its time is over, or as many are held as may be."""
        if exchange.long_poll is None or exchange.seconds_to_wait <= 0 or len(self._requests) >= self._most:
            return None
        self._loop = asyncio.get_running_loop()
        request = HeldRequest(self, exchange, exchange.long_poll.ledger_size, resume)
        self._requests.add(request)
        self.any.set()
        return request

    def discard(self, request: HeldRequest) -> None:
        """Forget a request that is no longer held."""
        self._requests.discard(request)
        if not self._requests:
            self.any.clear()

    def grown(self, ledger_size: int) -> None:
        """Ask again for the requests that were answered while the ledger was smaller. Any thread may call it."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._grown, ledger_size)

    def _grown(self, ledger_size: int) -> None:
        for request in [each for each in self._requests if each.ledger_size < ledger_size]:
            request.ask_again(*self._ask_again(request.exchange))

"""Blocking access to one RabbitMQ connection, which lives on an event loop in a background thread."""

import asyncio
import time
from asyncio import AbstractEventLoop, Task
from collections.abc import Callable, Coroutine
from contextlib import suppress
from threading import Lock, Thread
from typing import Any, Final, TypeVar

import aiormq
from aiormq.abc import AbstractChannel, AbstractConnection
from pamqp.exceptions import PAMQPException

from core.errors import QueueUnavailableError
from core.queues.rabbitmq.address import RabbitMQAddress
from core.queues.rabbitmq.topology import declare_queues

CONNECT_SECONDS: Final = 3.0
BACK_OFF_SECONDS: Final = 0.5
CLOSE_SECONDS: Final = 5.0
_MARGIN_SECONDS: Final = 5.0

T = TypeVar("T")

_BLOCKED: Final = (
    "RabbitMQ takes no messages at the moment, because its memory or disk is short (an alarm): make room there, and "
    "try again later."
)
_FAILURES: Final = (aiormq.AMQPError, PAMQPException, OSError, EOFError, TimeoutError, RuntimeError, StopAsyncIteration)


class RabbitMQConnection:
    """Connects at first use, declares the queues, and reconnects after a loss. Safe to use from several threads.

    For `BACK_OFF_SECONDS` after a failed attempt all others fail at once, so that a broker that is down does not hold
    up every caller. While an alarm of the broker blocks the connection, they fail at once as well, and the connection
    stays: the broker reads nothing from it, so it would not notice that it was closed.
    """

    def __init__(self, address: RabbitMQAddress, name: str, timeout: float) -> None:
        """`name` identifies the connection on the broker; `timeout` limits each `run`, in seconds."""
        self.address: Final = address
        self._name = name
        self._timeout = timeout
        self._starting = Lock()
        self._loop: AbstractEventLoop | None = None
        self._thread: Thread | None = None
        self._closed = False
        self._connecting = asyncio.Lock()
        self._connection: AbstractConnection | None = None
        self._opening = asyncio.Lock()
        self._channel: AbstractChannel | None = None
        self._not_before = 0.0
        self._tasks: set[Task[None]] = set()

    def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine on the event loop and return its result.

        Raises:
            QueueUnavailableError: the broker is unreachable, or did not answer in time.
        """
        loop = self._running_loop()
        future = asyncio.run_coroutine_threadsafe(self._with_timeout(work), loop)
        try:
            return future.result(self._timeout + _MARGIN_SECONDS)
        except TimeoutError as exc:  # the client library did not end the call when it was cancelled
            future.cancel()
            self.reset()
            raise QueueUnavailableError("RabbitMQ did not answer: try again later.") from exc

    def spawn(self, work: Callable[[], Coroutine[Any, Any, None]], delay: float = 0.0) -> None:
        """Run a coroutine on the event loop in `delay` seconds, in the background. Broker errors are ignored."""
        loop = self._running_loop()
        loop.call_soon_threadsafe(loop.call_later, delay, self._spawn, work)

    def reset(self) -> None:
        """Abandon the connection, if there is one. The next call opens another and declares the queues again."""
        with self._starting:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(lambda: self._drop(self._connection))

    async def channel(self) -> AbstractChannel:
        """Return the shared channel, on which publishing a message that cannot be routed raises."""
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                self._channel = await self.new_channel()
            return self._channel

    async def new_channel(self) -> AbstractChannel:
        """Open a separate channel, for consumers and for work that may fail."""
        connection = await self._connected()
        return await connection.channel(on_return_raises=True, frame_buffer_size=1000)

    def close(self) -> None:
        """Close connection and thread permanently. The broker requeues unacknowledged messages at once."""
        with self._starting:
            self._closed = True
            loop, thread = self._loop, self._thread
            self._loop = None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def _running_loop(self) -> AbstractEventLoop:
        with self._starting:
            if self._closed:
                raise QueueUnavailableError("The service is shutting down: nothing was accepted, send it again.")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = Thread(target=self._loop.run_forever, name=self._name, daemon=True)
                self._thread.start()
            return self._loop

    async def _with_timeout(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        used = self._connection
        if await _is_blocked(used):
            raise QueueUnavailableError(_BLOCKED)
        try:
            async with asyncio.timeout(self._timeout):
                return await work()
        except aiormq.ChannelPreconditionFailed as exc:
            raise QueueUnavailableError(
                f"RabbitMQ has a queue {self.address.queue} or {self.address.dead_letters} with different arguments:"
                " name another in AUDIT_LOG_QUEUE_URL (?queue=NAME), or empty and delete that one."
            ) from exc
        except QueueUnavailableError:
            self._drop(used)
            raise
        except Exception as exc:
            if not _is_failure(exc):
                raise
            if await _is_blocked(self._connection):
                raise QueueUnavailableError(_BLOCKED) from exc
            self._drop(used)
            raise QueueUnavailableError("RabbitMQ is unavailable at the moment: try again later.") from exc
        except asyncio.CancelledError as exc:  # aiormq cancels the calls of a connection that closes
            self._drop(used)
            raise QueueUnavailableError("The connection to RabbitMQ was closed: try again later.") from exc

    def _drop(self, connection: AbstractConnection | None) -> None:
        """Abandon the connection that failed. The next call opens another and declares the queues again."""
        if connection is not None and connection is self._connection:
            self._connection = self._channel = None
            self._spawn(connection.close)

    async def _connected(self) -> AbstractConnection:
        async with self._connecting:
            if self._connection is not None and not self._connection.is_closed:
                return self._connection
            if time.monotonic() < self._not_before:
                raise ConnectionError("backing off: the last attempt to connect has just failed")
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    self._connection = await self._connect()
            except BaseException:
                self._not_before = time.monotonic() + BACK_OFF_SECONDS
                raise
            return self._connection

    async def _connect(self) -> AbstractConnection:
        connection = await aiormq.connect(self.address.url, client_properties={"connection_name": self._name})
        try:
            channel = await connection.channel()
            await declare_queues(channel, self.address)
            await channel.close()
        except BaseException:
            self._spawn(connection.close)
            raise
        return connection

    def _spawn(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def ignore_failures() -> None:
            try:
                await work()
            except Exception as exc:
                if not _is_failure(exc):
                    raise

        task = asyncio.get_running_loop().create_task(ignore_failures())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _close(self) -> None:
        self._drop(self._connection)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                while self._tasks:
                    await asyncio.wait(self._tasks)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


def _is_failure(exc: Exception) -> bool:
    """Whether a call failed because of the broker or its connection, and not by a bug."""
    # aiormq raises plain `Exception` from the calls of a connection that it closes for no reason it knows of.
    return isinstance(exc, _FAILURES) or type(exc) is Exception


async def _is_blocked(connection: AbstractConnection | None) -> bool:
    """Whether the broker has announced that it reads nothing more from a connection (`connection.blocked`).

    https://www.rabbitmq.com/docs/connection-blocked
    """
    if connection is None or connection.is_closed:
        return False
    try:
        async with asyncio.timeout(0):
            await connection.ready()
    except TimeoutError:
        return True
    return False

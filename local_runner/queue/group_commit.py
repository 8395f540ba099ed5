"""Group commit: the events of all requests of one turn of the event loop are written to the spool by one call.

No response leaves before the events of its request are written; if that fails, each of these requests is refused. The
database literature calls the two group commit and output commit:
docs/decisions/0031-requests-of-a-turn-share-one-write.md
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event as Flag
from threading import get_ident
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from core.domain.models import Event
from local_runner.aws_events.proxy_event import HTTPResponse
from local_runner.queue.visibility import Staged

_NO_THREAD: Final = 0

Item = TypeVar("Item")


class StagingQueue(Protocol):
    """A queue that takes the events of several requests at once."""

    def stage(self, events: Sequence[Event], traceparent: str | None = None) -> Staged:
        """See `VisibilityQueue.stage`."""

    def commit(self, staged: Sequence[Staged]) -> None:
        """See `VisibilityQueue.commit`."""


class PendingResponse(Protocol):
    """A request that was handled, and whose response waits."""

    def finish(self, error: Exception | None = None) -> HTTPResponse:
        """Return its response, or that of `error` in its place. The request is counted and logged now."""


class GroupCommit:
    """Implements `EventPublisher` and `CommitGroup` over a queue in this process.

    Requests that are handled within `hold`, on the event loop, share a write. Publishes of other threads are written
    when they return.
    """

    def __init__(self, queue: StagingQueue, *, in_thread: bool) -> None:
        """With `in_thread` a thread writes, since a write waits for the disk; meanwhile the next turns gather."""
        self._queue = queue
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="group-commit") if in_thread else None
        self._batch = _Batch()
        self._writing: _Batch | None = None
        self._handling = _NO_THREAD  # the event loop's thread while it handles a request
        self._published: _Batch | None = None  # by the request that is being handled
        self._held: list[_Held] = []
        self._turn_ends = False  # whether `_end_turn` will be called

    def publish(self, events: Sequence[Event], traceparent: str | None = None) -> None:
        """See `EventPublisher.publish`. Within `hold` the responsibility begins with the response."""
        staged = self._queue.stage(events, traceparent)
        if self._handling != get_ident():
            self._queue.commit([staged])
            return
        batch = self._published = self._batch
        batch.staged.append(staged)
        batch.event_ids.update([event.event_id for event in events])

    def after_commit(self, action: Callable[[Sequence[Item]], None], item: Item) -> None:
        """See `CommitGroup.after_commit`."""
        if self._handling == get_ident() and self._published is self._batch:
            self._batch.actions.setdefault(action, []).append(item)
        else:
            action([item])

    def commit_if_holds(self, event_id: str) -> None:
        """See `CommitGroup.commit_if_holds`."""
        if self._handling != get_ident():
            return
        is_gathered = event_id in self._batch.event_ids
        if self._writing and (is_gathered or event_id in self._writing.event_ids):
            self._writing.done.wait()
        if is_gathered:
            batch, self._batch = self._batch, _Batch()
            batch.commit(self._queue)

    def hold(self, handle: Callable[[], PendingResponse], send: Callable[[HTTPResponse], None]) -> None:
        """Handle a request by `handle`, and call `send` with its response at the end of this turn of the event loop.

        The event loop's thread calls it. With a thread that writes, `send` is called when the write is done.
        """
        if not self._turn_ends:
            self._turn_ends = True
            if self._writing is None:
                asyncio.get_running_loop().call_soon(self._end_turn)
        self._handling, self._published = get_ident(), None
        try:
            response = handle()
        finally:
            self._handling = _NO_THREAD
        self._held.append(_Held(self._published, response, send))

    def close(self) -> None:
        """Wait for the last write."""
        if self._threads:
            self._threads.shutdown()

    def _end_turn(self) -> None:
        self._turn_ends = False
        batch, self._batch = self._batch, _Batch()
        held, self._held = self._held, []
        if self._threads and batch.staged:
            self._writing = batch
            writing = asyncio.get_running_loop().run_in_executor(self._threads, batch.commit, self._queue)
            writing.add_done_callback(lambda _: self._end_write(held))
        else:
            batch.commit(self._queue)
            _send_all(held)

    def _end_write(self, held: "list[_Held]") -> None:
        self._writing = None
        if self._turn_ends:
            asyncio.get_running_loop().call_soon(self._end_turn)
        _send_all(held)


class _Batch:
    """Staged events, and the actions that follow their commit."""

    __slots__ = ("actions", "done", "error", "event_ids", "staged")

    def __init__(self) -> None:
        self.staged: list[Staged] = []
        self.event_ids: set[str] = set()
        self.actions: dict[Callable[[Any], None], list[Any]] = {}
        self.error: Exception | None = None
        self.done = Flag()

    def commit(self, queue: StagingQueue) -> None:
        """Write the events and run the actions, or set `error`."""
        try:
            if self.staged:
                queue.commit(self.staged)
        except Exception as exc:  # noqa: BLE001 - every response of the batch reports it
            self.error = exc
        else:
            for action, items in self.actions.items():
                action(items)
        finally:
            self.done.set()


class _Held(NamedTuple):
    """A handled request whose response waits; `batch` is None if it published nothing."""

    batch: _Batch | None
    response: PendingResponse
    send: Callable[[HTTPResponse], None]


def _send_all(held: Sequence[_Held]) -> None:
    for batch, response, send in held:
        send(response.finish(batch.error if batch else None))

"""Dispatcher: gives each stream to one sender at a time, over any number of processes.

`core.domain.leases` says when a process may take over the stream of another one.

A sender that was stopped for longer, such as by SIGSTOP, may still send the batch that it had in hand, which the new
one has sent as well; then it finds that it changes no row any more. A batch is repeated, and none is left out.
"""

import logging
import secrets
import threading
from collections.abc import Mapping
from time import monotonic
from typing import Final

from core.domain.clock import Clock
from core.domain.leases import BEAT_SECONDS, LEASE_SECONDS, LeaseWatch
from core.errors import StoreUnavailableError
from core.ports.streams import Lease
from core.streams.delivery import Delivery, Next, Sender

MAX_THREADS: Final = 8
"""Streams to which a process sends at the same time. Each that hangs takes a thread for up to 30 seconds, so that those
whose last attempt failed come last, and get half of the threads at most."""

_SLICE_SECONDS: Final = 1.0
"""How long a stream keeps its thread while others wait for one."""
_PAUSE_AFTER_FAULT: Final = 5.0
_STOP_SECONDS: Final = 3.0

_log = logging.getLogger(__name__)


class _Run:
    """A stream that this process holds."""

    def __init__(self, delivery: Delivery, version: int) -> None:
        self.delivery = delivery
        self.version = version
        self.must_stop = threading.Event()
        self.is_lost = False
        self.thread: threading.Thread | None = None
        self.ran_at = 0.0

    @property
    def is_running(self) -> bool:
        return self.thread is not None and self.thread.is_alive()

    @property
    def is_failing(self) -> bool:
        return self.delivery.stream.failures > 0


class Dispatcher:
    """Takes streams, and sends them on threads. `round` is to be called about every second, by one thread."""

    def __init__(
        self,
        sender: Sender,
        *,
        lease_seconds: float = LEASE_SECONDS,
        clock: Clock = monotonic,
        threads: int = MAX_THREADS,
    ) -> None:
        """`clock` runs forward; `lease_seconds` are counted by it."""
        self._sender = sender
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._max_threads = threads
        self._max_failing = max(1, threads // 2)
        self._watch = LeaseWatch(lease_seconds, clock)
        self._runs: dict[str, _Run] = {}
        self._beaten_at = clock()
        self._has_waiting = threading.Event()
        self._is_closed = False

    @property
    def held(self) -> Mapping[str, int]:
        """Place of each stream that this process holds, by its id."""
        return {stream_id: run.delivery.place for stream_id, run in self._runs.items()}

    @property
    def holds_any(self) -> bool:
        """Whether this process holds a stream."""
        return bool(self._runs)

    def round(self) -> None:
        """Take streams that have no living sender, and let those that are due send.

        Raises:
            StoreUnavailableError: trying again later helps.
        """
        self._drop_ended()
        leases = {lease.stream.stream_id: lease for lease in self._sender.leases.active()}
        for stream_id, run in self._runs.items():
            lease = leases.get(stream_id)
            if lease is None or lease.holder != run.delivery.holder or lease.stream.version != run.version:
                run.must_stop.set()  # paused, changed or lost: it is taken again, as it is then
        self._beat()
        self._watch.look({stream_id: (lease.holder, lease.beat) for stream_id, lease in leases.items()})
        for stream_id, lease in leases.items():
            if stream_id not in self._runs and self._watch.is_free(stream_id):
                self._take(lease)
        self._start_due()

    def close(self, timeout: float = _STOP_SECONDS) -> None:
        """Start no further batch, wait for the current ones, and let all streams go whose batch has ended."""
        self._is_closed = True
        for run in self._runs.values():
            run.must_stop.set()
        deadline = monotonic() + timeout
        for run in self._runs.values():
            if run.thread:
                run.thread.join(max(0.0, deadline - monotonic()))
        try:
            self._drop_ended()
        except StoreUnavailableError:
            _log.warning("streams_not_released", extra={"action": "None: other senders take them after 30 seconds."})

    def _drop_ended(self) -> None:
        """Let the streams go that have to stop, once their batch has ended."""
        for stream_id, run in list(self._runs.items()):
            if run.is_running or not (run.must_stop.is_set() or run.is_lost):
                continue
            self._sender.leases.release(stream_id, run.delivery.holder)
            run.delivery.close()
            del self._runs[stream_id]

    def _beat(self) -> None:
        if self._runs and self._clock() >= self._beaten_at + min(BEAT_SECONDS, self._lease_seconds / 3):
            self._sender.leases.beat([run.delivery.holder for run in self._runs.values()])
            self._beaten_at = self._clock()

    def _take(self, lease: Lease) -> None:
        holder = secrets.token_hex(16)
        if not self._sender.leases.take(lease, holder):
            return
        if lease.holder is not None:
            _log.warning("stream_taken_over", extra={"stream": lease.stream.stream_id})
        self._runs[lease.stream.stream_id] = _Run(Delivery(lease.stream, holder, self._sender), lease.stream.version)

    def _start_due(self) -> None:
        if not self._runs:
            return
        size, now = self._sender.feed.size(), self._sender.clock()
        due = [
            run
            for run in self._runs.values()
            if not (run.is_running or run.must_stop.is_set() or run.is_lost)
            and run.delivery.place != size
            and run.delivery.not_before <= now
        ]
        running = [run for run in self._runs.values() if run.is_running]
        free = max(0, self._max_threads - len(running))
        of_failing = max(0, self._max_failing - sum(run.is_failing for run in running))
        failing = sorted((run for run in due if run.is_failing), key=_ran_at)[:of_failing]
        ready = [*sorted((run for run in due if not run.is_failing), key=_ran_at), *failing]
        if len(ready) > free:
            self._has_waiting.set()
        else:
            self._has_waiting.clear()
        for run in ready[:free]:
            run.ran_at = self._clock()
            run.thread = threading.Thread(target=self._send, args=(run,), name="stream", daemon=True)
            run.thread.start()

    def _send(self, run: _Run) -> None:
        """Take steps until there is nothing to send, or others have waited for long enough."""
        end = monotonic() + _SLICE_SECONDS
        try:
            after = Next.AGAIN
            while after is Next.AGAIN and not run.must_stop.is_set():
                if self._has_waiting.is_set() and monotonic() > end:
                    return
                after = run.delivery.step()
            run.is_lost = after is Next.LOST
        except StoreUnavailableError:  # the check of the store reports it
            run.delivery.not_before = self._sender.clock() + _PAUSE_AFTER_FAULT
        except Exception:  # noqa: BLE001 - a bug in one kind of destination must not stop the others
            action = "Report the bug with this stack trace; the stream is tried again."
            _log.exception("stream_send_failed", extra={"stream": run.delivery.stream.stream_id, "action": action})
            run.delivery.not_before = self._sender.clock() + self._lease_seconds


def _ran_at(run: _Run) -> float:
    return run.ran_at

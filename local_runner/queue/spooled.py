"""The queue in the spool: it holds where events are, and the storing process reads them there.

A turn of the event loop adds one entry or extends the last one, so the accepting process spends a few bytes and no
time on an event after its write, and memory does not grow with the queue:
docs/decisions/0046-the-storing-process-reads-the-spool.md
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from core.domain.models import Event
from core.ports.queue import Message
from local_runner.queue.visibility import RECEIVE_BYTES, DeadLetters, QueueLimits, Staged, VisibilityQueue
from local_runner.spool.disk_spool import DiskSpool
from local_runner.spool.extents import Extent
from local_runner.spool.records import Record

_RUN_SECONDS: Final = 1.0
_CRASH_PARTS: Final = 8


@dataclass(slots=True)
class Run:
    """Implements `QueueEntry` for the events of an extent.

    `traceparents` are those of its events that have one, by number: the spool does not keep them. A run that is `alone`
    is received without others, since the storing process died over it.
    """

    extent: Extent
    sent_at: float
    traceparents: dict[int, str] = field(default_factory=dict)
    alone: bool = False
    receive_count: int = 0
    receipt_handle: str = ""
    visible_at: float = 0.0
    awaiting_retry: bool = False

    @property
    def number(self) -> int:
        """See `QueueEntry.number`."""
        return self.extent.first

    @property
    def count(self) -> int:
        """See `QueueEntry.count`."""
        return self.extent.records

    @property
    def numbers(self) -> range:
        """The sequence numbers of its events."""
        return range(self.extent.first, self.extent.last + 1)

    def takes_more(self, now: float) -> bool:
        """Whether events that are accepted now may join it: it spans a second at most, for the age of the oldest."""
        return not self.receive_count and not self.alone and now - self.sent_at < _RUN_SECONDS

    def part(self, extent: Extent) -> "Run":
        """Return the run of a part of its extent, as often received."""
        return Run(extent, self.sent_at, self.traceparents, self.alone, self.receive_count)

    def messages(self, records: Sequence[Record]) -> list[Message]:
        """Return its events, which are `records`, as a consumer receives them."""
        return [message_of(record, self.receive_count, self.traceparents) for record in records]


def message_of(record: Record, receive_count: int, traceparents: Mapping[int, str]) -> Message:
    """Return the message of a record. Its receipt is that of its run, by which the queue knows it."""
    number = record.number
    return Message(
        str(number), str(number), record.payload.decode(), receive_count, record.sent_at, traceparents.get(number)
    )


class SpoolQueue(VisibilityQueue[Run, Extent]):
    """Implements `EventPublisher`; runs of events are received, completed and given back. Thread-safe.

    Events of earlier processes are received in the same way, before others.
    """

    def __init__(
        self,
        dead_letters: DeadLetters,
        limits: QueueLimits,
        spool: DiskSpool,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(dead_letters, limits, spool, clock=clock, wall_clock=wall_clock)
        self._spool: Final = spool

    def receive(self, max_messages: int, *, wait: float, window: float = 0.0) -> list[Run]:
        """Return runs of up to `max_messages` events in all; see `EventSource.receive`."""
        self._load_spooled(max_messages)
        if not self._wait_for_entry(wait):
            return []
        if window and self._events < max_messages:
            self._closed.wait(window)  # not woken by each event, which would cost publishers more than it gains
        with self._changed:
            runs = self._pop_waiting(max_messages)
            self._in_flight.add(runs, self._clock() + self._limits.visibility_timeout)
        return runs

    def complete(
        self, runs: Sequence[Run], failed: Collection[int], delay: Callable[[int], float] = lambda _: 0.0
    ) -> None:
        """Delete the events of runs but the `failed` ones, which are received again one by one.

        `delay` returns the seconds until then for a number of receives. Runs that were received again meanwhile are
        ignored.
        """
        with self._changed:
            done = self._in_flight.pop([run.receipt_handle for run in runs])
            numbers = [number for number in chain.from_iterable(run.numbers for run in done) if number not in failed]
            self._events -= len(numbers)
            for run in done:
                again = [run.part(run.extent.only(number)) for number in run.numbers if number in failed]
                self._return(again, delay(run.receive_count))
            self._changed.notify_all()
        self._spool.acknowledge(numbers)

    def give_back(self, runs: Sequence[Run], delay: float) -> None:
        """Return runs to the queue, to be received in `delay` seconds. This receive does not count."""
        with self._changed:
            present = self._in_flight.pop([run.receipt_handle for run in runs])
            for run in present:
                run.receive_count -= 1
            self._return(present, delay)

    def isolate(self, runs: Sequence[Run], delay: float) -> None:
        """Return runs over which the storing process died, so that what killed it is soon received alone.

        Each run is received without others from now on, a run that was already alone in parts. Only the receive of an
        event that was alone counts: in the end that event becomes a dead letter, and the others are stored.
        """
        with self._changed:
            present = self._in_flight.pop([run.receipt_handle for run in runs])
            parts: list[Run] = []
            for run in present:
                alone = len(runs) == 1
                run.receive_count -= 0 if alone and run.count == 1 else 1
                parts += map(run.part, _parts(run.extent) if alone else [run.extent])
            for part in parts:
                part.alone = True
            self._return(parts, delay)

    def _return(self, runs: Sequence[Run], delay: float) -> None:
        """Keep runs in flight until their delay is over, with receive counts as they are."""
        for run in runs:
            run.receive_count -= 1
        self._in_flight.add(runs, 0.0)
        self._delay(runs, 0.0 if self._closed.is_set() else delay)

    def _staged(self, events: Sequence[Event], traceparent: str | None) -> Staged:
        return Staged([event.to_json() for event in events], 0, traceparent)

    def _write(self, bodies: Sequence[bytes], now: float) -> Extent:
        return self._spool.append_extent(bodies, now)

    def _append(self, place: Extent, now: float, staged: Sequence[Staged]) -> None:
        traceparents: dict[int, str] = {}
        number = place.first
        for each in staged:
            if each.traceparent:
                traceparents |= dict.fromkeys(range(number, number + len(each.bodies)), each.traceparent)
            number += len(each.bodies)
        last = self._waiting[-1] if self._waiting else None
        whole = last.extent.joined(place) if last and last.takes_more(now) else None
        if last is None or whole is None:
            self._waiting.append(Run(place, now, traceparents))
        else:
            last.extent = whole
            if traceparents:
                last.traceparents = last.traceparents | traceparents  # not changed, since a part may be in flight

    def _messages(self, entry: Run) -> list[Message]:
        return entry.messages(self._spool.read(entry.extent))

    def _delete(self, entries: Sequence[Run]) -> None:
        self.complete(entries, ())

    def _load_spooled(self, at_most: int) -> None:
        """Take the places of events of earlier processes from the spool, in front of all others."""
        if not self._spool.replay_remaining or self._waiting_events(at_most) >= at_most:
            return
        reading = min(at_most, self._spool.replay_remaining)
        with self._changed:
            self._pending_writes += reading  # so that `depth` counts them meanwhile
        runs = [Run(extent, sent_at) for extent, sent_at in self._spool.replay_extents(at_most)]
        with self._changed:
            self._pending_writes -= reading
            self._events += sum(run.count for run in runs)
            self._waiting.extendleft(reversed(runs))

    def _waiting_events(self, enough: int) -> int:
        """Count the events that can be received; not beyond `enough`."""
        with self._changed:
            found = 0
            for run in self._waiting:
                if found >= enough:
                    break
                found += run.count
            return found

    def _pop_waiting(self, at_most: int) -> list[Run]:
        runs: list[Run] = []
        size = events = 0
        while self._waiting and events < at_most and size < RECEIVE_BYTES:
            run = self._waiting[0]
            if run.alone and runs:
                break
            if run.count > at_most - events:
                first, rest = run.extent.split(at_most - events)
                self._waiting[0] = run.part(rest)
                run = run.part(first)
            else:
                self._waiting.popleft()
            runs.append(run)
            if run.alone:
                break
            events += run.count
            size += run.extent.size
        return runs


def _parts(extent: Extent) -> list[Extent]:
    step = -(-extent.records // _CRASH_PARTS)
    return [
        extent._replace(first=first, last=min(first + step - 1, extent.last))
        for first in range(extent.first, extent.last + 1, step)
    ]

"""Delivery of one stream by the sender that holds it: reads a page of the feed, sends it, and moves the place.

The place is moved after the destination has taken a batch, so that each event is delivered at least once, and in order.
A sender that is killed in between, or that is stopped until another one has taken over, repeats a batch.
"""

import enum
import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final

from core.domain.clock import Clock
from core.domain.models import Event
from core.domain.streams import Refusal, Stream
from core.errors import (
    CursorAheadError,
    DeliveryDelayedError,
    DeliveryError,
    DeliveryRefusedError,
    DestinationGoneError,
    MisconfiguredError,
)
from core.ports.feed import FeedPage, FeedReader, FeedRequest
from core.ports.streams import Batch, Failure, Receipt, StreamLeases
from core.ports.telemetry import CounterName, HistogramName, Meter
from core.streams.backoff import MISCONFIGURED_PAUSES, pause_after
from core.streams.outlets import Outlet
from core.streams.records import stream_record
from core.streams.refused_batches import MAX_IN_A_ROW, RefusedBatches

MAX_FAILING: Final = timedelta(days=3)
MAX_REFUSALS: Final = 1_000
IDLE_SAVE_SECONDS: Final = 60.0
"""Longest time for which the place of a stream that has nothing to send is only in memory."""

_FILL_LOOKS: Final = 10  # how often a batch that waits to be filled is looked at
_AHEAD: Final = (
    "The log ends before the place of this stream: its database was restored to an earlier state. Compare what the "
    "destination has, and replay the stream from an index."
)
_log = logging.getLogger(__name__)


class Next(enum.Enum):
    """What to do after a step."""

    AGAIN = "again"
    """There may be more: take the next step at once."""
    IDLE = "idle"
    """There is nothing more to send now, or not before `Delivery.not_before`."""
    LOST = "lost"
    """The stream is suspended, or another sender has it: close the delivery."""


@dataclass(frozen=True)
class Sender:
    """Parts that all deliveries of a process share."""

    feed: FeedReader
    leases: StreamLeases
    open_outlet: Callable[[Stream], Outlet]
    """Raises MisconfiguredError."""
    meter: Meter
    clock: Clock
    reading: AbstractContextManager[object] = field(default_factory=threading.Lock)
    """Held while a stream looks at events. Looking takes the processor, which requests need as well, and several
    threads would get no more done. Sending waits for others, and is done side by side."""


class Delivery:
    """Sends a stream in steps. One thread at a time uses it."""

    def __init__(self, stream: Stream, holder: str, sender: Sender) -> None:
        self.stream = stream
        self.holder = holder
        self.place = stream.position
        """Index of the next entry to deal with. It is ahead of `stream.position` by entries that are not selected."""
        self.not_before = stream.next_try_at.timestamp() if stream.next_try_at else 0.0
        """Unix time of the next step."""
        self._sender = sender
        self._event_filter = stream.event_filter
        self._outlet: Outlet | None = None
        self._saved_at = monotonic()
        self._refused = RefusedBatches()

    def close(self) -> None:
        """Close the connections of the destination."""
        if self._outlet:
            self._outlet.destination.close()

    def step(self) -> Next:
        """Send at most one batch.

        Raises:
            StoreUnavailableError: nothing was changed, but a batch may have been sent; it will be repeated.
        """
        try:
            outlet = self._outlet = self._outlet or self._sender.open_outlet(self.stream)
            with self._sender.reading:
                page = self._sender.feed.read(self._request(outlet))
            if page.skipped:
                self._report_gap(page)
            if not page.entries:
                return self._pass(page)
            if self._waits_to_fill(outlet, page):
                return Next.IDLE
            receipt = self._send(outlet, page)
        except CursorAheadError:
            return self._suspend(_AHEAD)
        except DeliveryRefusedError as exc:
            return self._set_aside(page, exc.status, 1) if self._refused.is_final(page) else Next.AGAIN
        except DeliveryError as exc:
            return self._fail(exc)
        return self._delivered(page, receipt)

    def _request(self, outlet: Outlet) -> FeedRequest:
        limits = outlet.destination.limits
        # A destination that waits for a batch to fill makes one object of it: only its own limits apply.
        most = limits.events if limits.seconds else min(limits.events, self.stream.batch)
        return FeedRequest(self._event_filter, self.place, min(most, self._refused.most or most), limits.bytes)

    def _report_gap(self, page: FeedPage) -> None:
        action = "None, if retention deleted them; otherwise check the ledger: `audit-log ledger check`."
        gap = {"stream": self.stream.stream_id, "from_index": self.place, "events": page.skipped, "action": action}
        _log.warning("stream_events_gone", extra=gap)

    def _waits_to_fill(self, outlet: Outlet, page: FeedPage) -> bool:
        seconds = outlet.destination.limits.seconds
        due = page.entries[0][1].received_at.timestamp() + seconds
        if not seconds or page.more or self._refused.most or due <= self._sender.clock():
            return False
        self.not_before = min(due, self._sender.clock() + seconds / _FILL_LOOKS)
        return True

    def _send(self, outlet: Outlet, page: FeedPage) -> Receipt:
        started = monotonic()
        batch = Batch(self.stream.stream_id, [outlet.entry(index, event) for index, event in page.entries])
        receipt = outlet.destination.send(batch)
        self._sender.meter.measure(HistogramName.STREAM_SEND_SECONDS, [monotonic() - started])
        return receipt

    def _pass(self, page: FeedPage) -> Next:
        """Move the place past entries that are not selected: in memory, and now and then in the database."""
        self.place = page.position
        if self.place > self.stream.position and monotonic() > self._saved_at + IDLE_SAVE_SECONDS:
            return self._keep(self._sender.leases.advance(self.stream, self.holder, self.place), more=page.more)
        return Next.AGAIN if page.more else Next.IDLE

    def _delivered(self, page: FeedPage, receipt: Receipt) -> Next:
        count = len(page.entries) - receipt.refused
        self._sender.meter.count(CounterName.STREAM_DELIVERED, max(0, count))
        if receipt.refused:
            return self._set_aside(page, receipt.status, receipt.refused)
        if self.stream.failures:
            _log.info("stream_recovered", extra={"stream": self.stream.stream_id})
        self._refused.dealt_with(page.position, delivered=True)
        changed = self._sender.leases.deliver(
            self.stream, self.holder, page.position, status=receipt.status, at=self._now()
        )
        return self._keep(changed, more=page.more)

    def _set_aside(self, page: FeedPage, status: int | None, count: int) -> Next:
        (first, event), (last, _) = page.entries[0], page.entries[-1]
        self._refused.set_aside(page, count)
        self._sender.meter.count(CounterName.STREAM_REFUSED, count)
        if self._refused.in_a_row >= MAX_IN_A_ROW:
            self.place = self._refused.first
            return self._suspend(f"The destination refused {MAX_IN_A_ROW} events in a row{_with(status)}.", status)
        if self.stream.refused >= MAX_REFUSALS:
            reason = f"The destination refused {MAX_REFUSALS} events: send them again, or let the stream forget them."
            return self._suspend(reason, status)
        action = "`audit-log stream refused` lists them; they are still in the log."
        refused = {"stream": self.stream.stream_id, "status": status, "events": count, "action": action}
        _log.warning("stream_events_refused", extra=refused)
        self._refused.dealt_with(page.position, delivered=False)
        now = self._now()
        refusal = Refusal(
            stream_id=self.stream.stream_id,
            position=first,
            last=last,
            count=count,
            event_id=event.event_id,
            status=status,
            at=now,
        )
        # The first one only: a record of each would be one more event for the same destination to refuse.
        record = None if self.stream.refused else self._record("refused", now, event_id=event.event_id, status=status)
        changed = self._sender.leases.refuse(self.stream, self.holder, page.position, refusal=refusal, record=record)
        return self._keep(changed, more=page.more)

    def _fail(self, error: DeliveryError) -> Next:
        stream, now, reason = self.stream, self._now(), str(error)
        self._sender.meter.count(CounterName.STREAM_FAILED, 1)
        count = stream.failures + 1 if stream.reason == reason else 1
        if isinstance(error, DestinationGoneError):
            return self._suspend(reason, error.status)
        if stream.failing_since and now - stream.failing_since > MAX_FAILING:
            return self._suspend(f"Nothing was delivered for {MAX_FAILING.days} days. {reason}", error.status)
        if isinstance(error, MisconfiguredError):
            if count > len(MISCONFIGURED_PAUSES):
                return self._suspend(reason, error.status)
            pause = MISCONFIGURED_PAUSES[count - 1]
        else:
            pause = pause_after(count, error.retry_after if isinstance(error, DeliveryDelayedError) else None)
        if not stream.failures:
            action = "The same batch is sent again after a pause; `audit-log stream show` has the time."
            failing = {"stream": stream.stream_id, "status": error.status, "reason": reason, "action": action}
            _log.warning("stream_failing", extra=failing)
        failure = Failure(reason, error.status, count, now, now + timedelta(seconds=pause))
        self.not_before = failure.next_try_at.timestamp()
        return self._keep(self._sender.leases.fail(stream, self.holder, failure), more=False)

    def _suspend(self, reason: str, status: int | None = None) -> Next:
        record = self._record("suspended", self._now(), reason=reason, status=status)
        if self._sender.leases.suspend(self.stream, self.holder, self.place, reason=reason, record=record):
            action = "Correct the cause, then `audit-log stream resume`: it continues where it stopped."
            suspended = {"stream": self.stream.stream_id, "status": status, "reason": reason, "action": action}
            _log.error("stream_suspended", extra=suspended)
        return Next.LOST

    def _keep(self, changed: Stream | None, *, more: bool) -> Next:
        if changed is None:
            return Next.LOST
        self.stream, self._saved_at = changed, monotonic()
        self.place = max(self.place, changed.position)
        return Next.AGAIN if more else Next.IDLE

    def _record(self, kind: str, at: datetime, **facts: object) -> Event:
        return stream_record(kind, self.stream.stream_id, self.stream, at=at, **facts)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._sender.clock(), UTC)


def _with(status: int | None) -> str:
    return f" with status {status}" if status else ""

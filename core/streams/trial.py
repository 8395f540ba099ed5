"""Trials: test events, and refused events that are sent once more. Neither moves the place of a stream."""

from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic
from typing import Final, NamedTuple

from core.domain.audit_events import audit_event
from core.domain.clock import Clock
from core.domain.streams import Refusal, Stream
from core.errors import DeliveryError, DeliveryRefusedError
from core.ports.feed import FeedReader, FeedRequest
from core.ports.streams import Batch, StreamAdmin
from core.streams.outlets import Outlet

RESEND_SECONDS: Final = 20.0
"""After that many seconds no further refused event is sent in one call."""
_RESEND_REFUSALS: Final = 100


class Trial(NamedTuple):
    """Result of a test: `reason` says in words of this service why it was not delivered."""

    delivered: bool
    status: int | None = None
    reason: str | None = None


class Resent(NamedTuple):
    """Numbers of refusals that were delivered now, or refused again, and of those that are left."""

    delivered: int
    refused: int
    left: int


class StreamTrials:
    """Sends outside of the order of a stream, in the process that a person asks."""

    def __init__(
        self, store: StreamAdmin, feed: FeedReader, open_outlet: Callable[[Stream], Outlet], clock: Clock
    ) -> None:
        self._store = store
        self._feed = feed
        self._open_outlet = open_outlet
        self._clock = clock

    def test(self, stream: Stream) -> Trial:
        """Send an event of the type `audit-log.stream.test` that is not in the log."""
        event = audit_event("stream.test", stream.stream_id, at=datetime.fromtimestamp(self._clock(), UTC))
        if stream.customers:
            event = event.model_copy(update={"customer_id": stream.customers[0]})
        try:
            outlet = self._open_outlet(stream)
            try:
                receipt = outlet.destination.send(Batch(stream.stream_id, [outlet.entry(0, event)], is_test=True))
            finally:
                outlet.destination.close()
        except DeliveryError as exc:
            return Trial(False, exc.status, str(exc))
        if receipt.refused:
            return Trial(False, receipt.status, "The destination took the request, but not the event.")
        return Trial(True, receipt.status)

    def resend(self, stream: Stream) -> Resent:
        """Send refused events again, one after the other. A refusal whose events are taken, or gone, is forgotten.

        Raises:
            DeliveryError: the destination cannot be used now; refusals delivered before are forgotten.
            StoreUnavailableError: trying again later helps.
        """
        deadline = monotonic() + RESEND_SECONDS
        outlet = self._open_outlet(stream)
        delivered = refused = 0
        try:
            for refusal in self._store.refusals(stream.stream_id, _RESEND_REFUSALS):
                if monotonic() > deadline:
                    break
                try:
                    self._send(outlet, stream, refusal)
                except DeliveryRefusedError:
                    refused += 1
                else:
                    self._store.forget_refusals(stream.stream_id, [refusal.position])
                    delivered += 1
        finally:
            outlet.destination.close()
        return Resent(delivered, refused, self._store.stream(stream.stream_id).refused)

    def refusals(self, stream: Stream) -> list[Refusal]:
        """Return the refusals of a stream, in the order of their indices."""
        return self._store.refusals(stream.stream_id, stream.refused)

    def forget(self, stream: Stream) -> int:
        """Forget the refusals of a stream, and return their number. The events stay in the log."""
        refusals = self.refusals(stream)
        self._store.forget_refusals(stream.stream_id, [refusal.position for refusal in refusals])
        return len(refusals)

    def _send(self, outlet: Outlet, stream: Stream, refusal: Refusal) -> None:
        position = refusal.position
        while position <= refusal.last:
            page = self._feed.read(FeedRequest(stream.event_filter, position, refusal.last - position + 1))
            entries = [outlet.entry(index, event) for index, event in page.entries if index <= refusal.last]
            if entries and outlet.destination.send(Batch(stream.stream_id, entries)).refused:
                raise DeliveryRefusedError("The destination took the request, but not all events.")
            if page.position == position:
                return
            position = page.position

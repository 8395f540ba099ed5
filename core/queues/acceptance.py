"""Acceptance of events: publishes them, counts them, and remembers those that can repeat."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from core.domain.models import Event
from core.domain.recent_events import Content, RecentEvents
from core.ports.queue import CommitGroup, EventPublisher
from core.ports.telemetry import AcceptanceRecorder, CounterName, Meter

_NO_CONTENTS: Mapping[str, Content] = MappingProxyType({})


class _Accepted(NamedTuple):
    """See `Acceptance.publish`."""

    events: Sequence[Event]
    repeats: Sequence[Event]
    contents: Mapping[str, Content]


class Acceptance:
    """Accepts the events of one process."""

    def __init__(
        self, publisher: Callable[[], EventPublisher], recorder: AcceptanceRecorder, meter: Meter, group: CommitGroup
    ) -> None:
        """`publisher` is called at the first event: a process that only reads needs no broker."""
        self._publisher = publisher
        self._recorder = recorder
        self._meter = meter
        self._group = group
        self._recent_events = RecentEvents()

    def publish(
        self,
        events: Sequence[Event],
        traceparent: str | None = None,
        *,
        repeats: Sequence[Event] = (),
        contents: Mapping[str, Content] = _NO_CONTENTS,
    ) -> None:
        """Publish events to the queue, within the trace of `traceparent`, and count them as accepted.

        Within a `CommitGroup` (`POST /event` on the event loop) both happen after this returns and before the response
        leaves. If the write fails, the response becomes a 503, and nothing is raised here.

        `repeats` are counted as accepted and as repeated, and not published. `contents` are remembered by id, to find
        the repeats of these events; see `core.domain.recent_events`.

        Raises:
            QueueFullError: the queue is at its bound; trying again later helps.
            QueueUnavailableError: the queue cannot be reached; trying again later helps.
        """
        accepted = _Accepted(events, repeats, contents)
        if events:
            self._publisher().publish(events, traceparent)
            self._group.after_commit(self._accept, accepted)
        else:
            self._accept([accepted])

    def find_recent(self, client: str, event_id: str) -> Content | None:
        """Return the content of the event with this id that this process has accepted from the client, if any."""
        self._group.commit_if_holds(event_id)
        return self._recent_events.find(client, event_id)

    def _accept(self, requests: Sequence[_Accepted]) -> None:
        for accepted in requests:
            for event in accepted.events if accepted.contents else ():
                if event.event_id in accepted.contents:
                    self._recent_events.add(event.recorded_by, event.event_id, accepted.contents[event.event_id])
        events = [event for accepted in requests for event in accepted.events]
        repeats = [event for accepted in requests for event in accepted.repeats]
        self._recorder.record(events, repeats)
        self._meter.count(CounterName.ACCEPTED, len(events) + len(repeats))
        if repeats:
            self._meter.count(CounterName.DUPLICATE, len(repeats))

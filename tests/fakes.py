"""Fakes with state, in place of what a test has no need to run."""

from collections.abc import Sequence

from core.errors import EventNotStorableError, QueueFullError, StoreUnavailableError
from core.models import Event, EventFilter, Matches, PageRequest
from core.ports import Outcome


class FakeQueue:
    """An `EventPublisher` that keeps what it was given, up to a capacity."""

    def __init__(self, capacity: int = 1000) -> None:
        self.capacity = capacity
        self.events: list[Event] = []

    def publish(self, events: Sequence[Event]) -> None:
        if len(self.events) + len(events) > self.capacity:
            raise QueueFullError("The queue is full.")
        self.events.extend(events)


class FakeStore:
    """An event store in a dict. It can be told to be down, or to refuse certain event types."""

    def __init__(self) -> None:
        self.events: dict[str, Event] = {}
        self.down = False
        self.refused_types: set[str] = set()
        self.batches: list[int] = []

    def add(self, events: Sequence[Event]) -> list[Outcome]:
        self._reach()
        self.batches.append(len(events))
        if any(event.event_type in self.refused_types for event in events):
            raise EventNotStorableError("The store refuses the event.")
        outcomes = []
        for event in events:
            kept = self.events.setdefault(event.event_id, event)
            same = Outcome.DUPLICATE if kept.same_content(event) else Outcome.CONFLICT
            outcomes.append(Outcome.STORED if kept is event else same)
        return outcomes

    def find(self, event_filter: EventFilter, page: PageRequest) -> Matches:
        self._reach()
        visible = event_filter.visible_customers
        found = [event for event in self.events.values() if visible is None or event.customer_id in visible]
        found.sort(key=lambda event: (event.timestamp_utc, event.event_id), reverse=page.order == "desc")
        part = found[page.offset : page.offset + page.limit]
        more = page.offset + page.limit < len(found)
        return Matches(events=part, more=more, total_count=len(found), total_relation="eq")

    def get(self, event_id: str) -> Event | None:
        self._reach()
        return self.events.get(event_id)

    def _reach(self) -> None:
        if self.down:
            raise StoreUnavailableError("The event store cannot be used at the moment.")

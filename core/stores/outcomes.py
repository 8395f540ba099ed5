"""Outcomes of the events of a batch, and their counts for reconciliation."""

from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, select

from core.domain.models import Event
from core.domain.reconciliation import minute_of
from core.ports.store import Outcome
from core.stores import event_counters
from core.stores.schema import erasures


def outcome(item: Event, first: Event) -> Outcome:
    """Return the outcome of an event; `first` is the event stored with its id, `item` itself if it is new."""
    if item is first:
        return Outcome.STORED
    return Outcome.DUPLICATE if item.same_content(first) else Outcome.CONFLICT


def forgive_erased(
    connection: Connection, batch: Sequence[Event], firsts: Mapping[str, Event], outcomes: Sequence[Outcome]
) -> list[Outcome]:
    """Return the outcomes with DUPLICATE for repeats of erased events, whose content cannot be compared any more.

    Where only the data was erased, the rest is compared. A conflict would keep the data among the dead letters.
    """
    conflicts = {item.event_id for item, each in zip(batch, outcomes, strict=True) if each is Outcome.CONFLICT}
    query = select(erasures.c.event_id, erasures.c.whole).where(erasures.c.event_id.in_(conflicts))
    erased = {row.event_id: bool(row.whole) for row in connection.execute(query)}

    def final(item: Event, each: Outcome) -> Outcome:
        if each is not Outcome.CONFLICT or item.event_id not in erased:
            return each
        rest = item.model_copy(update={"event_data": {}})
        is_repeat = erased[item.event_id] or rest.same_content(firsts[item.event_id])
        return Outcome.DUPLICATE if is_repeat else Outcome.CONFLICT

    return [final(item, each) for item, each in zip(batch, outcomes, strict=True)]


def counts_of(
    batch: Sequence[Event], outcomes: Sequence[Outcome], firsts: Mapping[str, Event]
) -> event_counters.Counts:
    """Count the outcomes by minute. A redelivered message has the receive time of the stored event: no repeat."""
    pairs = list(zip(batch, outcomes, strict=True))
    received = {
        event_counters.STORED: Counter(item.received_at for item, outcome in pairs if outcome is Outcome.STORED),
        event_counters.REPEATED: Counter(
            item.received_at
            for item, outcome in pairs
            if outcome is Outcome.DUPLICATE and item.received_at != firsts[item.event_id].received_at
        ),
    }
    counts: Counter[tuple[int, event_counters.CounterKind]] = Counter()
    for kind, times in received.items():
        for received_at, count in times.items():  # few, because events of a batch share their milliseconds
            counts[minute_of(received_at), kind] += count
    return counts

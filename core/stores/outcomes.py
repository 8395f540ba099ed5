"""Outcomes of the events of a batch, and their counts for reconciliation."""

from collections import Counter
from collections.abc import Mapping, Sequence

from core.domain.models import Event
from core.domain.reconciliation import minute_of
from core.ports.store import Outcome
from core.stores import event_counters


def outcome(item: Event, first: Event) -> Outcome:
    """Return the outcome of an event; `first` is the event stored with its id, `item` itself if it is new."""
    if item is first:
        return Outcome.STORED
    return Outcome.DUPLICATE if item.same_content(first) else Outcome.CONFLICT


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

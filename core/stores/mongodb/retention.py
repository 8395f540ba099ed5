"""Retention in MongoDB: deletes due events in bounded batches, and records what it deleted.

A batch is noted first, in one document: the ids, and the audit events and counts that record their deletion. Then the
events are deleted, the records stored, and the note removed. Each of these steps can be repeated, and the next purge,
in any process, completes a batch that a killed one has noted before it begins another.
"""

import contextlib
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from pymongo.errors import DuplicateKeyError

from core.domain.audit_events import audit_event
from core.domain.models import RESERVED_PREFIX, Event
from core.domain.reconciliation import minute_of
from core.domain.retention import RetentionRule, stronger
from core.ports.retention import Archive, Due, Pause, Purged
from core.stores.event_counters import DROPPED, Counts
from core.stores.mongodb.connection import READ_SECONDS, Connection, Document, reading, writing
from core.stores.mongodb.documents import FIELDS, to_event
from core.stores.mongodb.event_counters import count_once
from core.stores.mongodb.filters import all_of, sort_order
from core.stores.mongodb.own_events import store_own, store_recorded
from core.stores.mongodb.rules import read_rules, remove_rule, replace_rules, set_rule
from core.stores.purging import purge_refused

BATCH_EVENTS: Final = 1_000

_NOTE: Final = {"_id": "purge"}
_OWN: Final = {"event_type": {"$gte": RESERVED_PREFIX, "$lt": RESERVED_PREFIX[:-1] + chr(ord(RESERVED_PREFIX[-1]) + 1)}}


class MongoRetention:
    """Implements `Retention`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rules(self) -> list[RetentionRule]:
        """See `Retention.rules`."""
        return read_rules(self._connection)

    def set_rule(self, rule: RetentionRule, *, at: datetime) -> None:
        """See `Retention.set_rule`."""
        set_rule(self._connection, rule, at=at)

    def replace_rules(self, rules: Sequence[RetentionRule], *, at: datetime) -> None:
        """See `Retention.replace_rules`."""
        replace_rules(self._connection, rules, at=at)

    def remove_rule(self, rule: RetentionRule, *, at: datetime) -> None:
        """See `Retention.remove_rule`."""
        remove_rule(self._connection, rule, at=at)

    def plan(self, *, now: datetime, proposed: Sequence[RetentionRule] | None = None) -> list[Due]:
        """See `Retention.plan`."""
        rules = self.rules() if proposed is None else proposed
        found = []
        for rule in rules:
            query = _due(rule, rules, now)
            with writing():  # counts all that is due, which may take longer than a read has time for
                count = self._connection.writes.events.count_documents(query)
                first = self._connection.writes.events.find_one(query, {"timestamp_utc": 1}, sort=sort_order("asc"))
            found.append(Due(rule, rule.before(now), count, int(first["timestamp_utc"]) if first else None))
        return found

    def purge(self, *, now: datetime, pause: Pause, everything: bool = False, archive: Archive | None = None) -> Purged:
        """See `Retention.purge`."""
        return Purged(self._purge(now, pause, archive, everything=everything), {})

    def leaves_nothing(self, rules: Sequence[RetentionRule], *, now: datetime) -> bool:
        """See `Retention.leaves_nothing`."""
        due = [_due(rule, rules, now) for rule in rules]
        return bool(due) and self._any({"$or": due}) and not self._any({"$nor": [_OWN, *due]})

    def kept_by_holds(self, *, now: datetime) -> dict[str, int]:  # noqa: ARG002 - of the port
        """See `Retention.kept_by_holds`: there are no legal holds here."""
        return {}

    def _purge(self, now: datetime, pause: Pause, archive: Archive | None, *, everything: bool) -> Counter[str]:
        store_recorded(self._connection)
        deleted = self._complete()
        rules = self.rules()
        due = [_due(rule, rules, now) for rule in rules]
        if not everything and self.leaves_nothing(rules, now=now):
            raise purge_refused()
        for query in due:
            while batch := self._next_batch(query):
                started = time.monotonic()
                if archive:
                    archive(batch)
                # The note of another process is completed first.
                with writing(), contextlib.suppress(DuplicateKeyError):
                    self._connection.writes.retention.insert_one(_note(batch, now))
                deleted += self._complete()
                if pause(time.monotonic() - started):
                    return deleted
        return deleted

    def _next_batch(self, query: Document) -> list[Event]:
        with reading():
            found = self._connection.reads.events.find(
                query, FIELDS, sort=sort_order("asc"), limit=BATCH_EVENTS, max_time_ms=int(READ_SECONDS * 1000)
            )
            return [to_event(document) for document in found]

    def _any(self, query: Document) -> bool:
        with reading():
            found = self._connection.reads.events.find_one(query, {"_id": 1}, max_time_ms=int(READ_SECONDS * 1000))
        return found is not None

    def _complete(self) -> Counter[str]:
        """Delete the events of the noted batch, and record it; return their numbers by month."""
        with writing():
            note = self._connection.writes.retention.find_one(_NOTE)
            if note is None:
                return Counter()
            self._connection.writes.events.delete_many({"_id": {"$in": note["ids"]}})
            for text in note["events"]:
                store_own(self._connection, Event.model_validate_json(text))
            counts: Counts = {(int(minute), DROPPED): count for minute, count in note["minutes"].items()}
            count_once(self._connection, note["batch"], counts)
            self._connection.writes.retention.delete_one(_NOTE | {"batch": note["batch"]})
        return Counter(note["months"])


def _note(batch: Sequence[Event], now: datetime) -> Document:
    months = Counter(f"{datetime.fromtimestamp(event.timestamp_utc, UTC):%Y-%m}" for event in batch)
    records = [
        audit_event("events.dropped", month, at=now, month=month, events=count)
        for month, count in sorted(months.items())
    ]
    return _NOTE | {
        "batch": f"purge-{uuid.uuid4().hex}",
        "ids": [event.event_id for event in batch],
        "months": dict(months),
        "minutes": {str(minute): count for minute, count in Counter(minute_of(e.received_at) for e in batch).items()},
        "events": [record.to_json().decode() for record in records],
    }


def _due(rule: RetentionRule, rules: Sequence[RetentionRule], now: datetime) -> Document:
    others = [_about(other) for other in stronger(rule, rules)]
    before = {"timestamp_utc": {"$lt": rule.before(now)}}
    return all_of([_about(rule), before, {"$nor": others} if others else {}])


def _about(rule: RetentionRule) -> Document:
    of_type = {"$nor": [_OWN]} if rule.event_type is None else {"event_type": rule.event_type}
    of_customer = {} if rule.customer_id is None else {"customer_id": rule.customer_id}
    return all_of([of_type, of_customer])

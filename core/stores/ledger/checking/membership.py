"""Finds stored events that have no entry in the ledger: each event must be at the place that it claims in its batch."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from sqlalchemy import Connection, Row, bindparam, select

from core.domain.queries import Position
from core.stores.dialects import StoreDialect
from core.stores.ledger.checking.rows import ids_of
from core.stores.schema import events, ledger_batches

_ROWS_PER_QUERY: Final = 5_000
_KEPT_BATCHES: Final = 2_000
_BATCHES_PER_QUERY: Final = 100
_COLUMNS: Final = (events.c.timestamp_utc, events.c.event_id, events.c.batch, events.c.place)
_IDS: Final = select(ledger_batches.c.number, ledger_batches.c.ids).where(
    ledger_batches.c.number.in_(bindparam("numbers", expanding=True))
)

NO_BATCH: Final = "it is in no batch: stored by a version before the ledger (`audit-log ledger adopt`), or inserted"


class Membership:
    """Reads all events in the order of their times, and compares each with the ids of its batch."""

    def __init__(self, connection: Connection, dialect: StoreDialect) -> None:
        self._connection = connection
        self._dialect = dialect
        self._ids: OrderedDict[int, list[str]] = OrderedDict()
        self._seen: dict[int, bytearray] = {}
        self.events = 0

    def strangers(self, progress: Callable[[int], None]) -> Iterator[tuple[str, str]]:
        """Yield id and problem of each event that is not at its place. `progress` gets numbers of events."""
        query = select(*_COLUMNS).order_by(events.c.timestamp_utc, events.c.event_id).limit(_ROWS_PER_QUERY)
        part = query
        while rows := self._connection.execute(part).all():
            self._load({row.batch for row in rows if row.batch is not None})
            for row in rows:
                if problem := self._problem(row):
                    yield row.event_id, problem
            self.events += len(rows)
            progress(len(rows))
            last = Position.model_construct(timestamp_utc=rows[-1].timestamp_utc, event_id=rows[-1].event_id)
            part = query.where(self._dialect.keyset_condition(last, descending=False))

    def _problem(self, row: Row[int, str, int, int]) -> str | None:
        if row.batch is None:
            return NO_BATCH
        ids = self._ids.get(row.batch, ())
        place = row.place
        if not isinstance(place, int) or not 0 <= place < len(ids) or ids[place] != row.event_id:
            return f"it is not at place {place} of batch {row.batch}"
        seen = self._seen.setdefault(row.batch, bytearray(len(ids) // 8 + 1))
        if seen[place // 8] >> place % 8 & 1:
            return "it is stored twice"
        seen[place // 8] |= 1 << place % 8
        return None

    def _load(self, numbers: set[int]) -> None:
        missing = sorted(numbers - self._ids.keys())
        for start in range(0, len(missing), _BATCHES_PER_QUERY):
            wanted: Sequence[int] = missing[start : start + _BATCHES_PER_QUERY]
            for row in self._connection.execute(_IDS, {"numbers": list(wanted)}):
                self._ids[row.number] = ids_of(row.ids) if len(row.ids) % 16 == 0 else []
        for number in numbers & self._ids.keys():
            self._ids.move_to_end(number)
        while len(self._ids) > max(_KEPT_BATCHES, len(numbers)):
            self._ids.popitem(last=False)

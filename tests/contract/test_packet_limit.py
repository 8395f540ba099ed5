"""A MariaDB that takes small packets only: an event that does not fit is refused, and no other event is affected."""

from collections.abc import Iterator

import pytest

from core.errors import EventNotStorableError
from core.ports.store import Outcome
from core.stores.migrations.upgrade import migrate
from core.stores.sql import SqlEventStore
from tests.faults.servers import MariaDB, running_or_skipped
from tests.support import databases
from tests.support.builders import event

PACKET = 65_536


class SmallPackets(MariaDB):
    options = (f"--max-allowed-packet={PACKET}",)


@pytest.fixture(scope="module")
def store() -> Iterator[SqlEventStore]:
    with running_or_skipped(SmallPackets) as server, databases.opened(server.url) as engine:
        migrate(engine)
        yield SqlEventStore(engine)


def test_an_event_beyond_a_packet_is_refused_and_not_taken_for_an_outage(store: SqlEventStore) -> None:
    large = event(1, event_data={"text": "x" * 200_000})
    for batch in ([large], [event(2), large, event(3)]):
        with pytest.raises(EventNotStorableError):
            store.add(batch)
    assert store.add([event(2), event(3)]) == [Outcome.STORED] * 2
    assert store.get(event(1).event_id) is None


@pytest.mark.parametrize("text", ["x", '"', "'", "\\", "\n", "é", "😀"])
def test_events_up_to_a_packet_are_stored_whatever_has_to_be_escaped(store: SqlEventStore, text: str) -> None:
    """Those beyond are refused, wherever between."""
    numbers = range(100, 160)
    for number in numbers:
        kept = event(
            number, event_id=f"{ord(text):08x}-0000-7000-8000-{number:012d}", event_data={"text": text * number * 400}
        )
        try:
            assert store.add([kept]) == [Outcome.STORED]
        except EventNotStorableError:
            assert len(kept.to_json()) > PACKET // 3
        else:
            assert store.get(kept.event_id) == kept


def test_a_batch_beyond_a_packet_is_stored_in_several_statements(store: SqlEventStore) -> None:
    batch = [event(number, event_data={"text": "x" * 5_000}) for number in range(1000, 1100)]
    assert store.add(batch) == [Outcome.STORED] * 100
    assert store.add(batch) == [Outcome.DUPLICATE] * 100

"""Every queue with every store: each published event is stored once, and nothing is left in the queue."""

from collections.abc import Iterator

import pytest

from core.domain.queries import EventFilter, PageRequest
from core.settings import Settings
from core.wiring import Services
from functions.consume_events import consume_events
from local_runner.aws_events.sqs_event import to_sqs_event
from tests.support.builders import event
from tests.support.documents import read, tables
from tests.support.every_queue import QUEUES
from tests.support.queues import QueueUnderTest
from tests.support.stores import DATABASES, DatabaseStore
from tests.support.waiting import until

"""Seconds after which an event that is not stored counts as missing."""


def test_the_documentation_has_every_queue_with_every_store() -> None:
    page = read("docs/explanation/architecture.md")
    [(heading, *rows)] = [found for found in tables(page) if found[0][1:2] == ("SQLite",)]
    assert [name.lower() for name in heading[1:]] == list(DATABASES)
    cells = {name.lower(): stores for name, *stores in rows if name.lower() in QUEUES}
    assert cells.keys() == QUEUES.keys() - {"kafka-mock"}
    assert all(cell.split(", ")[0] == "c" for stores in cells.values() for cell in stores)


@pytest.fixture(params=QUEUES)
def queue(request: pytest.FixtureRequest) -> Iterator[QueueUnderTest]:
    with QUEUES[request.param]() as opened:
        yield opened


def test_a_published_event_is_stored_once_by_every_store(
    queue: QueueUnderTest, database_store: DatabaseStore, settings: Settings
) -> None:
    services = Services(settings, writer=database_store)
    accepted = [event(number, event_data={"n": number, "ü": [1, 2.5, None]}) for number in range(20)]
    queue.publisher.publish(accepted[:12])
    queue.publisher.publish(accepted[8:])  # four of them again, as after a publish whose confirmation was lost
    left = len(accepted) + 4

    def all_are_stored() -> bool:
        nonlocal left
        if messages := queue.source.receive(10, wait=0.1):
            assert consume_events(to_sqs_event(messages), services) == {"batchItemFailures": []}
            queue.source.delete([message.receipt_handle for message in messages])
            left -= len(messages)
        return not left

    until(all_are_stored, shown=lambda: f"{left} messages have not come")
    assert database_store.find_page(EventFilter(), PageRequest(order="asc")).events == accepted
    assert queue.source.receive(10, wait=0.3) == []

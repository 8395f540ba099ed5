"""`audit-log serve` with MongoDB as the store: what works there, and how it says what does not."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx
import pytest

from core.domain.reconciliation import Window, minute_of
from core.settings import Settings
from core.stores.opening import database_for
from tests.support import ferretdb
from tests.support.ferretdb import FerretDB
from tests.support.service import Service
from tests.support.waiting import until

PATIENCE = 150.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FerretDB]:
    """A server of this test, which it may kill."""
    ferretdb.program()
    server = FerretDB(tmp_path / "ferretdb")
    (tmp_path / "ferretdb").mkdir()
    server.start()
    yield server
    server.kill()


@pytest.fixture
def url(server: FerretDB) -> str:
    return f"{server.url}/audit_log?serverSelectionTimeoutMS=500"


@pytest.fixture
def service(url: str, tmp_path: Path) -> Iterator[Service]:
    with Service.start(tmp_path / "data", database_url=url, ledger="off") as running:
        yield running


def total(client: httpx.Client) -> int:
    """The number of stored events of the test; -1 while the store does not answer."""
    answer = client.get("/event", params={"event_type": "order.paid", "limit": 1})
    return int(answer.json()["total_count"]) if answer.status_code == 200 else -1


def post(client: httpx.Client, numbers: range) -> None:
    events = [
        {"event_type": "order.paid", "customer_id": n % 3, "event_data": {"n": n, "tags": ["x"]}} for n in numbers
    ]
    assert client.post("/events", json={"events": events}).status_code == 202


def test_events_are_stored_found_and_counted_and_the_feed_is_refused(service: Service) -> None:
    with service.client() as client:
        post(client, range(30))
        until(lambda: total(client) == 30, shown=lambda: total(client), seconds=PATIENCE)
        found = client.get("/event", params={"event_data.tags[*]": "x", "event_data.n[gte]": 28})
        assert [each["event_data"]["n"] for each in found.raise_for_status().json()["events"]] == [29, 28]
        assert client.get("/event/summary").json()["total_count"] == 30
        feed = client.get("/event/feed")
        assert (feed.status_code, "the feed" in feed.json()["detail"]) == (501, True)
        ready = client.get("/ready").json()
        assert (ready["status"], ready["checks"]["store"]["database"]) == ("ready", "mongodb")
        assert not ready["checks"].keys() & {"ledger", "history", "signing"}


def test_no_event_is_lost_or_counted_twice_when_the_server_is_killed_and_started_again(
    server: FerretDB, service: Service, url: str
) -> None:
    with service.client() as client:
        for round_number in range(3):
            for part in range(3):
                post(client, range(100 * part, 100 * part + 100))
            server.kill()  # while the service stores them
            post(client, range(10))
            server.start()
            expected = 310 * (round_number + 1)
            until(lambda: total(client) == expected, shown=lambda: total(client), seconds=PATIENCE)  # noqa: B023
    now = minute_of(datetime.now(UTC))
    window = Window(now - 60, now + 2)
    with closing(database_for(Settings(database_url=url, ledger="off"))) as database:
        sums = partial(database.event_counters.sums, *window)
        until(lambda: sums() == {"accepted": 930, "stored": 930}, shown=sums, seconds=PATIENCE)
        assert database.rows_received(window) == 930

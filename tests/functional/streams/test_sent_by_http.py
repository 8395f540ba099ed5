"""A stream from the database to an HTTP endpoint: refused events are found, and secrets stay secret on the way."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from core.auth.sealing import SecretSeal
from core.stores.stream_leases import SqlStreamLeases
from core.stores.streams import SqlStreams
from core.streams.delivery import Delivery, Next, Sender
from core.streams.outlets import Outlet
from tests.support.builders import event
from tests.support.sites import HTTP_SITES, HttpSite, site
from tests.support.streams import NOW, StoreEvents, make_stream, record

Begin = Callable[..., Delivery]
KEY = "key-Xq7vKp2mZr9tWb4nYc6hJd8sLf3g"


@pytest.fixture(params=["webhook", "splunk", "otlp-gzip"])
def http_site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HttpSite]:
    with site(request.param, tmp_path) as opened:
        assert isinstance(opened, HttpSite)
        yield opened


def deliver(delivery: Delivery) -> None:
    """Take steps until there is nothing to do."""
    for _ in range(1000):
        if delivery.step() is not Next.AGAIN:
            return
    raise AssertionError("The delivery does not end.")


@pytest.fixture
def begin(engine: Engine, leases: SqlStreamLeases, sender: Sender) -> Begin:
    """Add a stream to a site, and take it."""

    def start(opened: HttpSite, **fields: Any) -> Delivery:
        stream = make_stream(filter="event_type=user.login", **fields)
        SqlStreams(engine).add_stream(stream, record())
        assert leases.take(leases.active()[0], "me")
        outlet = Outlet(opened.destination, lambda each: each, lambda each: {"event_id": each.event_id})
        return Delivery(stream, "me", replace(sender, open_outlet=lambda _stream: outlet))

    return start


def test_the_refused_events_are_found_by_halving_and_all_others_arrive_in_order(
    http_site: HttpSite, begin: Begin, store_events: StoreEvents, engine: Engine
) -> None:
    events = [event(number) for number in range(60)]
    refused = {events[number].event_id for number in (7, 8, 41)}
    store_events(*events)
    http_site.refuses = refused.__contains__
    delivery = begin(http_site)

    deliver(delivery)

    arrived = [each for arrival in http_site.arrivals() for each in arrival.event_ids]
    assert arrived == [each.event_id for each in events if each.event_id not in refused]
    found = SqlStreams(engine).refusals(delivery.stream.stream_id, 10)
    assert {(each.event_id, each.status) for each in found} == {(each, 400) for each in refused}


def test_a_batch_that_fails_first_is_repeated_with_its_id(
    http_site: HttpSite, begin: Begin, store_events: StoreEvents
) -> None:
    store_events(*[event(number) for number in range(5)])
    delivery = begin(http_site)
    http_site.answer(503, [("Retry-After", "90")])
    deliver(delivery)
    assert delivery.not_before == NOW.timestamp() + 90
    http_site.recover()
    deliver(delivery)
    first, second = http_site.receiver.requests
    assert first.body == second.body
    assert first.headers.get("webhook-id") == second.headers.get("webhook-id")


@pytest.fixture(params=HTTP_SITES)
def name(request: pytest.FixtureRequest) -> str:
    """The name of any site that is sent to by HTTP."""
    return str(request.param)


@pytest.fixture
def database_file(engine: Engine, store_events: StoreEvents, tmp_path: Path) -> Callable[[], bytes]:
    """Read all bytes of a database with three events."""
    store_events(*[event(number) for number in range(3)])

    def read() -> bytes:
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return b"".join(path.read_bytes() for path in tmp_path.glob("audit-log.db*"))

    return read


def test_no_secret_is_in_the_database_or_the_log_after_any_answer(
    name: str, begin: Begin, database_file: Callable[[], bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = HTTP_SITES[name][2]
    with site(name, tmp_path) as opened:
        assert isinstance(opened, HttpSite)
        sealed = SecretSeal([KEY]).seal("stream-0000000000000001", secrets)
        delivery = begin(opened, sealed=sealed)
        for status in (503, 301, 429, 403, 400, 410):
            opened.answer(status, body=b"canary-of-the-other-side")
            delivery.step()
    stored = database_file()
    assert sealed.encode() in stored
    for text in ["canary", KEY, *opened.secrets]:
        assert text.encode() not in stored
        assert text not in caplog.text

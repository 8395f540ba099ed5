"""Requests for events that are not stored yet: held without a thread, and ended by whatever happens first."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from threading import Event as Flag
from types import SimpleNamespace
from typing import Any

import pytest
import uvloop
from prometheus_client import CollectorRegistry

from core.settings import Settings
from core.stores.database import Database
from core.wiring import Services
from functions.http.route import Place
from local_runner.background.ledger_watch import LedgerWatch
from local_runner.http.application import Application
from local_runner.http.dispatcher import BOUNDS, Dispatcher
from local_runner.http.held_requests import MAX_HELD
from local_runner.http.protocol import HTTPProtocol
from local_runner.telemetry.requests import RequestMetrics
from tests.support import databases
from tests.support.builders import event
from tests.support.raw import connect, read_to_end, statuses
from tests.support.waiting import SECONDS, until


class Server:
    """A service on a SQLite file, whose event loop runs in a thread."""

    def __init__(self, settings: Settings) -> None:
        self.database = Database(settings.store_url)
        databases.copy_migrated(self.database.engine.url)
        self.services = Services(settings, database=self.database)
        self.registry = CollectorRegistry()
        application = Application(self.services, requests=RequestMetrics(self.registry, []))
        self.dispatcher = Dispatcher(application, on_stop=lambda: None)
        self.integrated = Flag()
        self.connections: set[HTTPProtocol] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port: int = self._listener.getsockname()[1]
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        self._watch: LedgerWatch | None = None

    def watch(self, pause: float) -> None:
        self._watch = LedgerWatch(self.database.feed.size, self.dispatcher.held, self.integrated, pause)

    def store(self, *numbers: int, customer_id: int = 1) -> None:
        self.database.events.add([event(number, customer_id=customer_id) for number in numbers])
        self.database.ledger.integrate()

    def request(self, query: str, customers: list[int] | None = None, version: str = "1.1", more: str = "") -> bytes:
        token, _ = self.services.issuer.issue("tests", customers=customers)
        head = f"GET /event/feed?{query} HTTP/{version}\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{more}\r\n"
        return head.encode()

    def ask(self, query: str, customers: list[int] | None = None) -> socket.socket:
        return connect(self.port, self.request(query, customers))

    def counted(self, what: str) -> float:
        """The `count` of the answers, or the `sum` of their seconds."""
        labels = {"route": "/event/feed", "method": "GET", "status": "2xx"}
        return self.registry.get_sample_value(f"audit_log_http_request_seconds_{what}", labels) or 0

    def held(self, count: int) -> None:
        """Wait until so many requests are held."""
        until(lambda: len(self.dispatcher.held._requests) == count)  # noqa: SLF001 - nothing shows it

    def asked_again(self, ledger_size: int) -> bool:
        """Whether one request is held, and has an answer of when the ledger had this size."""
        return [each.ledger_size for each in list(self.dispatcher.held._requests)] == [ledger_size]  # noqa: SLF001

    def stop_serving(self) -> None:
        """As uvicorn does it on a stop."""
        for connection in list(self.connections):
            self._loop.call_soon_threadsafe(connection.shutdown)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        state = SimpleNamespace(connections=self.connections, default_headers=[])

        def connection() -> HTTPProtocol:
            return HTTPProtocol(SimpleNamespace(loaded_app=self.dispatcher), state, {})  # type: ignore[arg-type]

        server = self._loop.run_until_complete(self._loop.create_server(connection, sock=self._listener))
        self._loop.run_forever()
        server.close()
        for left in list(self.connections):
            left.evict()
        self._loop.run_until_complete(server.wait_closed())
        self._loop.close()

    def close(self) -> None:
        if self._watch:
            self._watch.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self.services.close()


@pytest.fixture
def server(settings: Settings) -> Iterator[Server]:
    server = Server(settings)
    yield server
    server.close()


def answer(connection: socket.socket) -> dict[str, Any]:
    """The JSON of one response with status 200."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    assert statuses(head) == [200], head
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        body += connection.recv(65536)
    return dict(json.loads(body))


def numbers(connection: socket.socket) -> list[int]:
    return [each["event_data"]["number"] for each in answer(connection)["events"]]


def test_a_reader_that_waits_gets_the_next_event_when_the_integrator_has_given_its_index(server: Server) -> None:
    server.watch(pause=SECONDS * 10)
    server.store(1)
    with server.ask("after=0&wait=25") as reader, server.ask("after=now&wait=25") as other:
        server.held(2)
        server.store(2)
        server.integrated.set()
        assert (numbers(reader), numbers(other)) == ([2], [2])
    server.held(0)


def test_a_reader_that_waits_gets_what_another_process_has_stored(server: Server) -> None:
    server.watch(pause=0.01)
    with server.ask("wait=25") as reader:
        server.held(1)
        server.store(1)
        assert numbers(reader) == [1]


def test_events_of_other_customers_end_no_wait(server: Server) -> None:
    server.watch(pause=0.01)
    with server.ask("after=now&wait=25", customers=[2]) as reader:
        server.held(1)
        for number in range(5):
            server.store(number, customer_id=1)
            until(partial(server.asked_again, number + 1))
        server.store(7, customer_id=2)
        assert numbers(reader) == [7]


def test_events_that_are_there_are_no_reason_to_wait(server: Server) -> None:
    server.store(1, 2)
    with server.ask("wait=25&limit=1") as reader:
        assert numbers(reader) == [1]


def test_readers_that_wait_hold_no_thread_and_are_answered_at_once_where_too_many_wait(server: Server) -> None:
    assert BOUNDS[Place.READ].threads < MAX_HELD
    with ExitStack() as connections:
        readers = [connections.enter_context(server.ask("wait=25")) for _ in range(MAX_HELD)]
        server.held(MAX_HELD)
        with server.ask("wait=25") as one_more:
            assert numbers(one_more) == []
        server.watch(pause=0.01)
        server.store(1)
        assert [numbers(reader) for reader in readers] == [[1]] * MAX_HELD


def test_the_wait_ends_without_an_event_in_time_and_does_not_count_as_slowness(server: Server) -> None:
    with server.ask("") as first:
        assert numbers(first) == []
    until(lambda: server.counted("count") == 1)

    def counts_as_slowness() -> bool:
        before, answers, began = server.counted("sum"), server.counted("count"), time.monotonic()
        with server.ask("wait=1") as reader:
            found = answer(reader)
            assert time.monotonic() - began >= 1
            assert (found["events"], found["more"], len(found["next_cursor"])) == ([], False, 44)
            until(lambda: server.counted("count") == answers + 1)
        return server.counted("sum") - before >= 0.5

    until(lambda: not counts_as_slowness())  # not at the first attempt where this process stands still meanwhile


def test_a_lost_connection_is_released_at_once(server: Server) -> None:
    with ExitStack() as connections:
        for _ in range(5):
            connections.enter_context(server.ask("wait=25"))
        server.held(5)
    server.held(0)
    until(lambda: not server.connections)
    until(lambda: server.counted("count") == 5)


def test_a_client_that_will_send_nothing_more_is_answered_at_once(server: Server) -> None:
    with server.ask("wait=25") as reader:
        server.held(1)
        reader.shutdown(socket.SHUT_WR)
        assert statuses(read_to_end(reader)) == [200]


@pytest.mark.parametrize(("version", "more"), [("1.1", "Connection: close\r\n"), ("1.0", "")])
def test_a_reader_waits_on_a_connection_that_ends_with_the_answer(server: Server, version: str, more: str) -> None:
    server.watch(pause=0.01)
    with connect(server.port, server.request("wait=25", version=version, more=more)) as reader:
        server.held(1)
        server.store(1)
        received = read_to_end(reader)
    assert statuses(received) == [200]
    assert b'"number":1' in received
    with connect(server.port, server.request("after=now&wait=25", version=version, more=more)) as lost:
        server.held(1)
        lost.close()
        server.held(0)


def test_requests_behind_one_that_waits_are_answered_after_it(server: Server) -> None:
    server.watch(pause=0.01)
    with connect(server.port, server.request("wait=25") + server.request("wait=25&limit=1")) as reader:
        server.held(1)
        server.store(1)
        reader.shutdown(socket.SHUT_WR)
        assert statuses(read_to_end(reader)) == [200, 200]


def test_a_stop_of_the_service_answers_those_that_wait_and_closes(server: Server) -> None:
    with server.ask("wait=25") as reader:
        server.held(1)
        server.stop_serving()
        sent = read_to_end(reader)
    assert statuses(sent) == [200]
    assert b"connection: close" in sent.lower()

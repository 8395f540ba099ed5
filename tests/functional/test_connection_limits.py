"""Memory of connections: what a closed one held is free at once, and all together hold no more than their limits."""

import asyncio
import gc
import resource
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import uvloop

import functions
from core.domain.models import Event
from core.wiring import Services
from local_runner.http.application import Application
from local_runner.http.connection_limits import ConnectionLimits, max_connections
from local_runner.http.dispatcher import Dispatcher
from local_runner.http.parser import RequestParser
from local_runner.http.protocol import HTTPProtocol
from tests.support.fakes import FakeQueue
from tests.support.raw import connect, read_to_end, statuses
from tests.support.waiting import SECONDS, until

LARGE = 300_000


class Server:
    """Accepts connections on a free port, in a thread with an event loop."""

    def __init__(self, application: Application, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._front = Dispatcher(application, on_stop=lambda: None, limits=limits)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)  # the least there is
        self.port: int = self._listener.getsockname()[1]
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        open_connections: set[HTTPProtocol] = set()
        state = SimpleNamespace(connections=open_connections, default_headers=[])

        def connection() -> HTTPProtocol:
            return HTTPProtocol(SimpleNamespace(loaded_app=self._front), state, {})  # type: ignore[arg-type]  # stand-ins

        server = self._loop.run_until_complete(self._loop.create_server(connection, sock=self._listener))
        self._loop.run_forever()
        server.close()
        for left in list(open_connections):
            left.evict()
        self._loop.run_until_complete(server.wait_closed())
        self._loop.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


Start = Callable[..., Server]
ClientOf = Callable[..., socket.socket]


@pytest.fixture
def start(services: Services) -> Iterator[Start]:
    """Starts a server of the service with limits."""
    servers: list[Server] = []

    def start(**limits: int) -> Server:
        server = Server(Application(services), ConnectionLimits(**limits))
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def client_of() -> Iterator[ClientOf]:
    """Connects to a server, and sends some bytes; the connection is closed after the test."""
    with ExitStack() as connections:
        yield lambda server, request=b"": connections.enter_context(connect(server.port, request))


@pytest.fixture
def token(services: Services) -> str:
    return services.issuer.issue("test")[0]


def in_memory() -> list[object]:
    """The connections and their readers, which hold the bodies, that exist."""
    return [thing for thing in gc.get_objects() if isinstance(thing, HTTPProtocol | RequestParser)]


def post(token: str, body: bytes, length: int | None = None) -> bytes:
    """POST /event with `body`, which has `length` bytes when it is whole."""
    head = (
        "POST /event HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Authorization: Bearer {token}",
        f"Content-Length: {len(body) if length is None else length}",
    )
    return "\r\n".join([*head, "", ""]).encode() + body


def batch(token: str, *events: bytes) -> bytes:
    """POST /events, which a thread answers."""
    whole = post(token, b'{"events": [%s]}' % b", ".join(events))
    return whole.replace(b"/event ", b"/events ", 1)


def event(size: int = 0) -> bytes:
    return b'{"event_type": "memory", "customer_id": 1, "event_data": {"text": "%s"}}' % (b"x" * size)


CHUNKED = b"POST /events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
DOCS = b"GET /docs HTTP/1.1\r\nHost: x\r\n\r\n"
BUNDLE = DOCS.replace(b"/docs", b"/docs/swagger-ui-bundle.js")
BUNDLE_BYTES = (Path(functions.__file__).parent / "pages" / "static" / "swagger-ui-bundle.js").stat().st_size
ENDS = {
    "nothing sent": b"",
    "half a head": b"POST /event HTTP/1.1\r\nHost: ",
    "half a body": post("none", b"x" * LARGE, LARGE + 1),
    "half a chunk": CHUNKED + b"fffff\r\n" + b"x" * LARGE,
    "no chunk": CHUNKED + b"hello\r\n",
    "too large": post("none", b"", 10**9),
    "too many headers": b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 101 + b"\r\n",
    "no HTTP": b"\x00\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "answered": post("none", event()),
    "answered by a thread": DOCS,
    "half a body behind others": DOCS * 3 + post("none", b"x" * LARGE, LARGE + 1),
}


@pytest.mark.parametrize("sent", ENDS.values(), ids=ENDS.keys())
def test_a_closed_connection_is_freed_without_the_garbage_collector(start: Start, sent: bytes) -> None:
    server = start()
    gc.collect()
    gc.disable()
    try:
        with connect(server.port) as connection:
            until(in_memory)  # before it gets something that ends it at once
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            read_to_end(connection)
        until(lambda: not in_memory())
    finally:
        gc.enable()
    assert (server.limits.connections, server.limits.requests.used, server.limits.responses.used) == (0, 0, 0)


def test_a_request_beyond_the_budget_is_refused_until_there_is_room_again(start: Start, token: str) -> None:
    server = start(max_request_bytes=LARGE)
    used = partial(getattr, server.limits.requests, "used")
    large, small = post(token, event(size=100_000)), post(token, event(size=14_000))
    with connect(server.port, post(token, b"x" * (LARGE - 5_000), LARGE)) as slow:
        until(lambda: used() > LARGE - 5_000)

        with connect(server.port, large[:60_000]) as refused:
            head, _, body = read_to_end(refused).partition(b"\r\n\r\n")
        assert statuses(head) == [503]
        assert b"Retry-After: 2\r\n" in head
        assert b"Content-Type: application/problem+json\r\n" in head
        assert b'"status":503' in body

        until(lambda: used() < LARGE)
        with connect(server.port, small[:10_000]) as taken:
            until(lambda: used() > LARGE)
            taken.sendall(small[10_000:])
            assert statuses(taken.recv(65536)) == [202]
        assert used() > LARGE - 5_000  # the slow one may continue
        slow.close()
        until(lambda: used() == 0)
    with connect(server.port, large[:60_000]) as taken:
        until(lambda: used() > 50_000)
        taken.sendall(large[60_000:])
        assert statuses(taken.recv(65536)) == [202]


def test_many_small_requests_in_one_piece_count_as_what_they_take(start: Start) -> None:
    server = start(max_request_bytes=LARGE)
    smallest = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    with connect(server.port, smallest * (200_000 // len(smallest))) as flood:
        assert statuses(read_to_end(flood))[-1] == 503
    assert server.limits.requests.used == 0


class HeldQueue(FakeQueue):
    """Takes events once it is released; `publishing` are the calls until then."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()
        self.publishing = 0

    def publish(self, events: Sequence[Event], traceparent: str | None = None) -> None:
        self.publishing += 1
        assert self.released.wait(SECONDS)
        super().publish(events, traceparent)


@pytest.fixture
def held(services: Services) -> HeldQueue:
    """The queue of the service."""
    services.publisher = HeldQueue()
    return services.publisher


def test_what_a_thread_works_on_counts_until_it_is_answered(start: Start, token: str, held: HeldQueue) -> None:
    server = start()
    with connect(server.port, batch(token, event(size=LARGE // 2), event(size=LARGE // 2))) as client:
        until(lambda: server.limits.requests.used > LARGE)
        held.released.set()
        assert statuses(client.recv(65536)) == [202]
        assert server.limits.requests.used == 0


def test_the_client_that_has_not_read_for_longest_makes_room_for_the_answers_of_others(
    start: Start, client_of: ClientOf
) -> None:
    server = start(max_response_bytes=5 * BUNDLE_BYTES // 2)
    clients: list[socket.socket] = []
    for held in (1, 2, 2, 2):  # the budget has room for two of them
        clients.append(client_of(server, BUNDLE))
        until(lambda answers=held: server.limits.responses.used // BUNDLE_BYTES == answers)  # type: ignore[misc]
    # The first two get no more than the kernel had taken already.
    assert [len(read_to_end(client)) < BUNDLE_BYTES for client in clients[:2]] == [True, True]
    for client in clients[2:]:
        read = 0
        while read < BUNDLE_BYTES:
            read += len(client.recv(1 << 20))
    until(lambda: server.limits.responses.used == 0)


def test_the_connection_that_waits_longest_for_its_client_makes_room_for_a_new_one(
    start: Start, client_of: ClientOf, token: str
) -> None:
    server = start(max_connections=4)
    idle = []
    for number in range(1, 5):
        idle.append(client_of(server))
        until(lambda count=number: server.limits.connections == count)  # type: ignore[misc]
    with connect(server.port, post(token, event())) as new:
        assert statuses(new.recv(65536)) == [202]
        assert read_to_end(idle[0]) == b""
        assert server.limits.connections == 4


def test_a_connection_beyond_those_that_wait_for_the_service_is_refused(
    start: Start, client_of: ClientOf, token: str, held: HeldQueue
) -> None:
    server = start(max_connections=2)
    busy = [client_of(server, batch(token, event())) for _ in range(2)]
    until(lambda: server.limits.requests.used > 2 * 2048)
    with connect(server.port, DOCS) as refused:
        answer = read_to_end(refused)
    assert statuses(answer) == [503]
    assert b"Retry-After: 2\r\n" in answer
    held.released.set()
    assert [statuses(connection.recv(65536)) for connection in busy] == [[202]] * 2


def test_connections_leave_file_descriptors_for_the_rest() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
        assert max_connections(tls=False) == 1024 - 128
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 8192), hard))
        assert (max_connections(tls=False), max_connections(tls=True)) == (4096, 1024)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_of_large_bodies_one_at_a_time_is_parsed_and_small_ones_go_on(
    start: Start, client_of: ClientOf, token: str, held: HeldQueue
) -> None:
    server = start()
    large = batch(token, *[event(size=200_000)] * 3)
    clients = [client_of(server, large) for _ in range(2)]
    until(lambda: server.limits.requests.used > 2 * 600_000)
    clients += [client_of(server, batch(token, event())) for _ in range(2)]
    until(lambda: held.publishing >= 3)
    assert held.publishing == 3  # the small ones, and the first large one
    held.released.set()
    assert [statuses(client.recv(65536)) for client in clients] == [[202]] * 4

"""Where requests are answered: what hangs in one place holds up no other."""

import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from threading import Semaphore
from typing import cast

import pytest
from prometheus_client import CollectorRegistry

from core.domain.queries import EventFilter, Matches, PageRequest
from core.settings import Settings
from core.wiring import Services
from functions.http.request import Request
from functions.http.response import Response
from functions.http.route import Place, Route
from functions.routes import ROUTES
from local_runner.aws_events.proxy_event import HTTPRequest, HTTPResponse
from local_runner.http.application import Application, Exchange
from local_runner.http.dispatcher import BOUNDS, Bounds, Dispatcher
from local_runner.http.parser import ParsedRequest
from local_runner.telemetry.requests import RequestMetrics
from tests.support.builders import new_event
from tests.support.fakes import FakeClock, FakeQueue, FakeStore
from tests.support.waiting import SECONDS, until

Ask = Callable[..., Future[HTTPResponse]]


class HangingStore(FakeStore):
    """A store that returns no page before `go_on` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = Flag()
        self.asked = Semaphore(0)

    def find_page(self, event_filter: EventFilter, page: PageRequest) -> Matches:
        self.asked.release()
        assert self.go_on.wait(SECONDS)
        return super().find_page(event_filter, page)

    def wait_until_asked(self, times: int) -> None:
        for _ in range(times):
            assert self.asked.acquire(timeout=SECONDS)


@pytest.fixture
def hanging() -> Iterator[HangingStore]:
    store = HangingStore()
    yield store
    store.go_on.set()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def open_front(
    settings: Settings, queue: FakeQueue, hanging: HangingStore, registry: CollectorRegistry, clock: FakeClock
) -> Callable[..., Ask]:
    services = Services(
        settings, publisher=queue, reader=hanging, summaries=hanging, writer=hanging, checks={"store": dict}
    )
    token = services.issuer.issue("tests")[0]
    application = Application(services, requests=RequestMetrics(registry, []))

    def open_front(bounds: Mapping[Place, Bounds] = BOUNDS, *, waits: bool = False) -> Ask:
        front = Dispatcher(application, on_stop=lambda: None, waits=waits, bounds=bounds, clock=clock)

        def ask(method: str, path: str, posted: object = None) -> Future[HTTPResponse]:
            """As the connection does: on the event loop, which is here, or in the threads that the front names."""
            threads, answer = front.dispatch(ParsedRequest(asked(method, path, token, posted), keep_alive=True))
            task = cast("Callable[[], HTTPResponse]", answer)  # none of these requests would be held
            if threads is not None:
                return threads.submit(task)
            done: Future[HTTPResponse] = Future()
            done.set_result(task())
            return done

        return ask

    return open_front


def asked(method: str, path: str, token: str, posted: object) -> HTTPRequest:
    body = b"" if posted is None else json.dumps(posted).encode()
    headers = {"Content-Type": ["application/json"], "Authorization": [f"Bearer {token}"]}
    return HTTPRequest(method, path, "", headers, body, source_ip="127.0.0.1")


def status(future: Future[HTTPResponse]) -> int:
    return future.result(timeout=SECONDS).status


@pytest.mark.parametrize("waits", [False, True])
def test_readers_that_hang_hold_up_nothing_else(
    open_front: Callable[..., Ask], hanging: HangingStore, queue: FakeQueue, *, waits: bool
) -> None:
    ask = open_front(waits=waits)
    reads = [ask("GET", "/event") for _ in range(12)]
    hanging.wait_until_asked(BOUNDS[Place.READ].threads)

    assert ask("GET", "/health").done()
    assert status(ask("POST", "/event", new_event())) == 202
    assert status(ask("POST", "/events", {"events": [new_event(), new_event()]})) == 202
    for path in ("/health", "/ready", "/access-token", "/", "/docs", "/.well-known/jwks.json"):
        assert status(ask("GET", path)) == 200
    assert status(ask("GET", "/nowhere")) == 404
    assert len(queue.events) == 3

    assert not any(read.done() for read in reads)
    hanging.go_on.set()
    assert [status(read) for read in reads] == [200] * 12


WAIT_FOR_OTHER_HOSTS = (
    ("GET", "/session/sign-in"),
    ("GET", "/session/callback"),
    ("POST", "/session/sign-out"),
    ("POST", "/stream/{stream_id}/test"),
    ("POST", "/stream/{stream_id}/resend"),
)


@pytest.mark.parametrize("waiting", WAIT_FOR_OTHER_HOSTS, ids=" ".join)
def test_a_request_that_waits_for_another_host_holds_up_no_request_that_does_not(
    services: Services, waiting: tuple[str, str]
) -> None:
    go_on = Flag()

    def hang(_request: Request, _services: Services) -> Response:
        assert go_on.wait(SECONDS)
        return Response(200)

    routes = [replace(route, operation=hang) if (route.method, route.path) == waiting else route for route in ROUTES]
    front = Dispatcher(Application(services, routes), on_stop=lambda: None)

    def ask(method: str, path: str) -> Future[HTTPResponse | Exchange]:
        path = path.replace("{stream_id}", f"stream-{1:016x}").replace("{rule_id}", f"rule-{1:016x}")
        threads, task = front.dispatch(ParsedRequest(asked(method, path, "no token", None), keep_alive=True))
        assert threads
        return threads.submit(task)

    hanging = [ask(*waiting) for _ in range(20)]
    others = {(route.method, route.path) for route in ROUTES if route.place in {Place.READ, Place.STREAM, Place.TOKEN}}
    for method, path in others - set(WAIT_FOR_OTHER_HOSTS):
        ask(method, path).result(timeout=SECONDS)
    assert not any(each.done() for each in hanging)
    go_on.set()
    for each in hanging:
        each.result(timeout=SECONDS)


def test_what_finds_its_place_full_is_refused_at_once_until_there_is_room(
    open_front: Callable[..., Ask], hanging: HangingStore, registry: CollectorRegistry
) -> None:
    ask = open_front({**BOUNDS, Place.READ: Bounds(threads=1, waiting=2, seconds=10)})
    reads = [ask("GET", "/event") for _ in range(3)]
    hanging.wait_until_asked(1)

    refused = ask("GET", "/event")

    assert refused.done()
    assert_refused(refused)
    labels = {"route": "/event", "method": "GET", "status": "5xx"}
    assert registry.get_sample_value("audit_log_http_request_seconds_count", labels) == 1
    hanging.go_on.set()
    assert [status(read) for read in reads] == [200] * 3
    until(lambda: status(ask("GET", "/event")) == 200)  # a thread gives its place back just after its answer


def test_what_has_waited_too_long_is_refused_and_not_begun(
    open_front: Callable[..., Ask], hanging: HangingStore, clock: FakeClock
) -> None:
    ask = open_front({**BOUNDS, Place.READ: Bounds(threads=1, waiting=2, seconds=10)})
    first = ask("GET", "/event")
    hanging.wait_until_asked(1)
    late = ask("GET", "/event")
    clock.now += 9
    in_time = ask("GET", "/event")
    clock.now += 2

    hanging.go_on.set()

    assert_refused(late)
    assert [status(first), status(in_time)] == [200, 200]
    hanging.wait_until_asked(1)
    assert not hanging.asked.acquire(blocking=False)


def assert_refused(future: Future[HTTPResponse]) -> None:
    code, headers, body = future.result(timeout=SECONDS)
    assert (code, dict(headers)["Retry-After"], dict(headers)["Content-Type"]) == (503, "2", "application/problem+json")
    assert json.loads(body)["detail"].startswith("Too many requests of this kind wait")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_request_is_answered_in_the_place_of_its_route(services: Services, route: Route) -> None:
    application = Application(services)
    path = route.path.replace("{event_id}", str(uuid.uuid4())).replace("{stream_id}", f"stream-{1:016x}")
    path = path.replace("{file}", "main.js").replace("{rule_id}", f"rule-{1:016x}")
    assert application.place(route.method, path) is route.place
    if route.method == "GET":
        assert application.place("HEAD", path) is route.place


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nowhere"), ("GET", "/events/1/2"), ("OPTIONS", "/event"), ("PUT", "/event"), ("GET", "")],
)
def test_what_has_no_route_is_refused_where_no_read_waits(services: Services, method: str, path: str) -> None:
    assert Application(services).place(method, path) is Place.PAGE


@pytest.mark.parametrize("place", BOUNDS)
def test_the_bounds_are_those_of_the_documentation(place: Place) -> None:
    threads, waiting, seconds = BOUNDS[place]
    rows = (Path(__file__).parents[2] / "docs" / "explanation" / "architecture.md").read_text().splitlines()
    [row] = [row.split(" | ") for row in rows if row.startswith(f"| `{place.name}` |")]
    assert re.search(rf"\b{threads}\b", row[2])
    assert row[3] == f"{waiting:,} requests, {seconds:.0f} s |"

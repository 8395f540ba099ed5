from concurrent.futures import ThreadPoolExecutor
from threading import Event as Flag
from typing import NoReturn

import pytest
from prometheus_client import CollectorRegistry
from werkzeug.test import Client

from core.errors import StoreUnavailableError
from core.settings import Settings
from core.wiring import Services
from functions.http.handler import Handler
from functions.routes import ROUTES
from local_runner.aws_events.proxy_event import HTTPRequest
from local_runner.http.application import Application
from local_runner.http.wsgi import WSGIApplication
from local_runner.telemetry.requests import OTHER, RequestMetrics
from local_runner.telemetry.tracing import NoTracing
from tests.support.builders import new_event
from tests.support.fakes import FakeQueue
from tests.support.waiting import SECONDS

COUNT = "audit_log_http_request_seconds_count"
IN_FLIGHT = "audit_log_http_requests_in_flight"


class Counted:
    """An application that counts, and a look at what it has counted."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.registry = CollectorRegistry()
        self.metrics = RequestMetrics(self.registry, [(route.method, route.path) for route in ROUTES])
        self.client = Client(WSGIApplication(Application(services, requests=self.metrics)))
        token, _ = services.issuer.issue("tests")
        self.headers = {"Authorization": f"Bearer {token}"}

    def value(self, name: str, route: str, method: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, {"route": route, "method": method, **labels})

    def answered(self) -> dict[tuple[str, str, str], float]:
        """Number of responses by route, method and class."""
        return {
            (sample.labels["route"], sample.labels["method"], sample.labels["status"]): sample.value
            for family in self.registry.collect()
            for sample in family.samples
            if sample.name == COUNT and sample.value
        }


@pytest.fixture
def counted(services: Services) -> Counted:
    return Counted(services)


def test_a_request_counts_under_its_route_method_and_class(counted: Counted) -> None:
    counted.client.post("/event", json=new_event(), headers=counted.headers)
    counted.client.post("/event", json=new_event())
    counted.client.get("/event/00000000-0000-7000-8000-000000000001", headers=counted.headers)
    counted.client.head("/health")
    assert counted.answered() == {
        ("/event", "POST", "2xx"): 1,
        ("/event", "POST", "4xx"): 1,
        ("/event/{event_id}", "GET", "4xx"): 1,
        ("/health", "HEAD", "2xx"): 1,
    }


def test_what_a_client_makes_up_is_one_label(counted: Counted) -> None:
    for number in range(30):
        counted.client.get(f"/made/up/{number}")
        counted.client.open("/event", environ_overrides={"REQUEST_METHOD": f"MADEUP{number}"})
    assert counted.answered() == {(OTHER, "GET", "4xx"): 30, (OTHER, OTHER, "4xx"): 30}


def test_every_route_is_shown_before_its_first_request(counted: Counted) -> None:
    for route in ROUTES:
        for status in ("2xx", "4xx", "5xx"):
            assert counted.value(COUNT, route.path, route.method, status=status) == 0
        assert counted.value(IN_FLIGHT, route.path, route.method) == 0


def test_a_failure_of_ours_counts_as_5xx(settings: Settings) -> None:
    class AwayQueue(FakeQueue):
        def publish(self, _events: object, _traceparent: str | None = None) -> NoReturn:
            raise StoreUnavailableError("away")

    counted = Counted(Services(settings, publisher=AwayQueue()))
    counted.client.post("/event", json=new_event(), headers=counted.headers)
    assert counted.answered() == {("/event", "POST", "5xx"): 1}


def test_an_error_that_escapes_counts_as_5xx_and_is_in_flight_no_longer(counted: Counted) -> None:
    def fail(_event: object, _context: object) -> NoReturn:
        raise ZeroDivisionError

    class BrokenTracing(NoTracing):
        def handler(self, _handler: object) -> Handler:
            return fail

    application = Application(counted.services, requests=counted.metrics, tracing=BrokenTracing())
    with pytest.raises(ZeroDivisionError):
        application.answer(HTTPRequest("GET", "/health", "", {}, b"", "127.0.0.1"))
    assert counted.answered() == {("/health", "GET", "5xx"): 1}
    assert counted.value(IN_FLIGHT, "/health", "GET") == 0


def test_a_request_is_in_flight_until_it_is_answered(settings: Settings) -> None:
    arrived, go_on = Flag(), Flag()

    class SlowQueue(FakeQueue):
        def publish(self, _events: object, _traceparent: str | None = None) -> None:
            arrived.set()
            assert go_on.wait(SECONDS)

    counted = Counted(Services(settings, publisher=SlowQueue()))
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(counted.client.post, "/event", json=new_event(), headers=counted.headers)
        assert arrived.wait(SECONDS)
        assert counted.value(IN_FLIGHT, "/event", "POST") == 1
        assert counted.answered() == {}
        go_on.set()
        assert answer.result(SECONDS).status_code == 202
    assert counted.value(IN_FLIGHT, "/event", "POST") == 0
    slowest = counted.registry.get_sample_value(
        "audit_log_http_request_seconds_sum", {"route": "/event", "method": "POST", "status": "2xx"}
    )
    assert slowest
    assert slowest > 0


def test_requests_of_many_threads_are_all_counted() -> None:
    registry = CollectorRegistry()
    metrics = RequestMetrics(registry, [])

    def answer(_number: int) -> None:
        for _ in range(1000):
            observation = metrics.begin("GET")
            observation.route, observation.status = "/event", 200
            metrics.end(observation)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(answer, range(8)))
    labels = {"route": "/event", "method": "GET", "status": "2xx"}
    assert registry.get_sample_value(COUNT, labels) == 8000

"""Spans from a request through the queue to the store, as the SDK of OpenTelemetry exports them."""

import sys
import time
from collections.abc import Iterator, Sequence
from threading import Event as Flag
from typing import NoReturn

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from werkzeug.test import Client

from core.domain.models import Event
from core.errors import InvalidSettingsError, StoreUnavailableError
from core.ports.queue import Message
from core.settings import Settings
from core.wiring import Services
from functions.consume_events import lambda_consumer
from functions.create_event import create_event
from functions.http.handler import lambda_handler
from local_runner.aws_events.sqs_event import to_sqs_event
from local_runner.http.application import Application
from local_runner.http.wsgi import WSGIApplication
from local_runner.telemetry.opentelemetry_spans import CLOSE_SECONDS, MOST_LINKS, ReportingExporter, Spans
from local_runner.telemetry.tracing import NoTracing, tracing
from tests.support.builders import event, new_event, proxy_event
from tests.support.fakes import FakeQueue, FakeStore
from tests.support.pipelines import start_pipeline
from tests.support.waiting import SECONDS, until

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


class Collector:
    """Spans that end here."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.spans = Spans(provider)

    def all(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def one(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.all() if span.name == name]
        return found


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.spans.close()


def ids(span: ReadableSpan) -> tuple[str, str]:
    context = span.get_span_context()
    assert context is not None
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def parent(span: ReadableSpan) -> str | None:
    return f"{span.parent.span_id:016x}" if span.parent else None


def links(span: ReadableSpan) -> list[tuple[str, str]]:
    return [(f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") for link in span.links]


def message(number: int, traceparent: str | None = None) -> Message:
    return Message(f"m{number}", f"r{number}", event(number).model_dump_json(), 1, 1.0, traceparent)


def post(services: Services, collector: Collector, **headers: str) -> int:
    """The status of a post by an application with spans around its requests."""
    token, _ = services.issuer.issue("tests")
    client = Client(WSGIApplication(Application(services, tracing=collector.spans)))
    answer = client.post("/event", json=new_event(), headers={"authorization": f"Bearer {token}", **headers})
    return answer.status_code


def test_a_request_can_be_followed_into_the_store(settings: Settings, collector: Collector) -> None:
    pipeline = start_pipeline(settings, tracing=collector.spans)
    try:
        assert post(pipeline.services, collector, traceparent=TRACEPARENT) == 202
        until(lambda: any(span.name == "process events" for span in collector.all()))
    finally:
        pipeline.close()

    request, sent = collector.one("POST /event"), collector.one("send events")
    processed, stored = collector.one("process events"), collector.one("store events")
    assert [span.kind for span in (request, sent, processed, stored)] == [
        SpanKind.SERVER, SpanKind.PRODUCER, SpanKind.CONSUMER, SpanKind.CLIENT,
    ]  # fmt: skip
    assert (ids(request)[0], parent(request)) == (TRACE, PARENT)
    assert (ids(sent)[0], parent(sent)) == (TRACE, ids(request)[1])
    assert links(processed) == [ids(sent)]
    assert (ids(stored)[0], parent(stored)) == ids(processed)
    assert request.attributes == {
        "http.request.method": "POST", "http.route": "/event", "http.response.status_code": 202,
    }  # fmt: skip


@pytest.mark.parametrize("headers", [{}, {"traceparent": "nonsense"}])
def test_a_request_without_a_trace_begins_one(
    settings: Settings, queue: FakeQueue, collector: Collector, headers: dict[str, str]
) -> None:
    services = Services(settings, publisher=collector.spans.publisher(queue))
    assert post(services, collector, **headers) == 202
    sent = collector.one("send events")
    assert parent(collector.one("POST /event")) is None
    assert queue.traceparents == ["00-{}-{}-01".format(*ids(sent))]


def test_the_line_of_the_log_names_the_trace_that_was_begun(
    services: Services, collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    post(services, collector)
    (line,) = [vars(record) for record in caplog.records if record.name == "audit_log.request"]
    assert line["trace_id"] == ids(collector.one("POST /event"))[0]


def test_what_a_caller_does_not_sample_is_not_exported(
    services: Services, queue: FakeQueue, collector: Collector
) -> None:
    post(services, collector, traceparent=f"00-{TRACE}-{PARENT}-00")
    assert collector.all() == []
    (traceparent,) = queue.traceparents
    assert traceparent is not None
    assert (traceparent[3:35], traceparent[-2:]) == (TRACE, "00")


def test_probes_have_no_spans(services: Services, collector: Collector) -> None:
    client = Client(WSGIApplication(Application(services, tracing=collector.spans)))
    assert client.get("/health").status_code == client.get("/ready").status_code == 200
    assert collector.all() == []


class Talkative(FakeStore):
    def add(self, events: Sequence[Event]) -> NoReturn:
        raise StoreUnavailableError(f"hidden {events}") from ValueError("hidden cause")


def test_a_failure_is_told_by_its_kind_and_not_by_its_words(settings: Settings, collector: Collector) -> None:
    services = Services(settings, writer=collector.spans.writer(Talkative()))
    with pytest.raises(StoreUnavailableError):
        collector.spans.consumer(lambda_consumer(lambda: services))(to_sqs_event([message(1)]), None)

    for span in (collector.one("store events"), collector.one("process events")):
        assert span.status.status_code is StatusCode.ERROR
        assert (span.attributes or {})["error.type"] == "StoreUnavailableError"
    assert "hidden" not in "".join(span.to_json() for span in collector.all())


def test_a_fault_of_ours_is_a_failed_request_and_one_of_the_client_is_not(
    settings: Settings, collector: Collector
) -> None:
    full = Services(settings, publisher=collector.spans.publisher(FakeQueue(capacity=0)))
    assert post(full, collector) == 503
    assert collector.one("POST /event").status.status_code is StatusCode.ERROR
    assert (collector.one("send events").attributes or {})["error.type"] == "QueueFullError"

    other = Collector()
    assert post(full, other, authorization="Bearer nonsense") == 401
    assert other.one("POST /event").status.status_code is StatusCode.UNSET


def test_a_batch_is_linked_to_each_publish_once_and_to_no_more_than_are_kept(
    settings: Settings, store: FakeStore, collector: Collector
) -> None:
    services = Services(settings, writer=store)
    parents = [f"{number:016x}" for number in range(1, MOST_LINKS + 50)]
    messages = [message(number, f"00-{TRACE}-{parent}-01") for number, parent in enumerate(parents + parents)]
    messages += [message(9000, "nonsense"), message(9001)]
    collector.spans.consumer(lambda_consumer(lambda: services))(to_sqs_event(messages), None)
    assert links(collector.one("process events")) == [(TRACE, parent) for parent in parents[:MOST_LINKS]]


def test_without_a_collector_nothing_is_put_around_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    off = tracing()
    queue, store = FakeQueue(), FakeStore()
    assert isinstance(off, NoTracing)
    assert (off.publisher(queue), off.writer(store)) == (queue, store)


def test_a_collector_without_the_extra_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setitem(sys.modules, "local_runner.telemetry.opentelemetry_spans", None)
    with pytest.raises(InvalidSettingsError, match=r"audit-log-service\[otel\]"):
        tracing()


class Hanging(SpanExporter):
    """To a collector that does not answer until it is let go."""

    def __init__(self) -> None:
        self.let_go = Flag()

    def export(self, _spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.let_go.wait(SECONDS)
        return SpanExportResult.FAILURE


class Scripted(SpanExporter):
    def __init__(self, results: Sequence[SpanExportResult]) -> None:
        self._results = iter(results)

    def export(self, _spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return next(self._results)


def test_an_outage_of_the_collector_is_logged_at_its_beginning_and_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    good, bad = SpanExportResult.SUCCESS, SpanExportResult.FAILURE
    exporter = ReportingExporter(Scripted([good, bad, bad, good, good, bad]))
    assert [exporter.export([]) for _ in range(6)] == [good, bad, bad, good, good, bad]
    assert caplog.messages == [f"trace_collector_{state}" for state in ("unavailable", "available", "unavailable")]


def test_a_collector_that_does_not_answer_holds_up_a_stop_for_a_second(services: Services) -> None:
    exporter, provider = Hanging(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    spans = Spans(provider)
    spans.handler(lambda_handler(create_event, lambda: services))(proxy_event("POST"), None)
    started = time.monotonic()
    spans.close()
    taken = time.monotonic() - started
    exporter.let_go.set()
    assert CLOSE_SECONDS <= taken < 25  # the SDK itself waits for 30 s

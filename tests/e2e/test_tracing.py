"""A real service and a collector: what arrives there by OTLP over HTTP."""

import gzip
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.builders import new_event
from tests.support.rabbitmq import queue_url
from tests.support.service import AUDIT_LOG, Service, free_port, get
from tests.support.waiting import until


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[ExportTraceServiceRequest]]:
    """Spans that a collector receives from the services of this test."""
    requests: list[ExportTraceServiceRequest] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers["Content-Encoding"] == "gzip":
                body = gzip.decompress(body)
            requests.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield requests
        server.shutdown()


def spans(collected: list[ExportTraceServiceRequest]) -> list[Span]:
    return [
        span
        for request in collected
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def test_the_spans_of_an_event_have_arrived_when_the_service_has_stopped(
    tmp_path: Path, collected: list[ExportTraceServiceRequest]
) -> None:
    with Service.start(tmp_path / "data") as service, service.client() as http:
        assert http.post("/event", json=new_event(event_data={"secret": "hidden"})).status_code == 202

    names = [span.name for span in spans(collected)]
    assert sorted(names) == ["GET /access-token", "POST /event", "process events", "send events", "store events"]
    resource = {each.key: each.value.string_value for each in collected[0].resource_spans[0].resource.attributes}
    assert resource["service.name"] == "audit-log"
    assert "hidden" not in str(collected)


def test_a_batch_of_a_worker_is_linked_to_what_another_process_has_sent(
    tmp_path: Path, collected: list[ExportTraceServiceRequest]
) -> None:
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with queue_url() as url:
        settings = {"queue_url": url, "jwt_secret": "Hq7-the-hosts-of-these-tests-share-this-one"}
        with Service.start(tmp_path / "data", **settings) as service, service.client() as http:
            assert http.post("/event", json=new_event(), headers={"traceparent": traceparent}).status_code == 202
        port = free_port()
        with Service([AUDIT_LOG, "worker", "--port", str(port)], port, tmp_path / "data", settings) as worker:
            worker.wait_until_up()
            until(lambda: 'outcome="stored"} 1.0' in get(f"{worker.url}/metrics").text)

    found = {span.name: span for span in spans(collected)}
    (link,) = found["process events"].links
    assert (link.trace_id.hex(), link.span_id) == (traceparent[3:35], found["send events"].span_id)
    assert found["store events"].parent_span_id == found["process events"].span_id

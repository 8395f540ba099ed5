"""A real service and a collector: what arrives there by OTLP over HTTP."""

import gzip
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.builders import new_event
from tests.service import Service


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[ExportTraceServiceRequest]]:
    """What a collector is sent that the services of this test are told of."""
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


def test_the_spans_of_an_event_have_arrived_when_the_service_has_stopped(
    tmp_path: Path, collected: list[ExportTraceServiceRequest]
) -> None:
    with Service.start(tmp_path / "data") as service, service.client() as http:
        assert http.post("/event", json=new_event(event_data={"secret": "hidden"})).status_code == 202

    resources = [resource for request in collected for resource in request.resource_spans]
    names = [span.name for resource in resources for scope in resource.scope_spans for span in scope.spans]
    assert sorted(names) == ["GET /access-token", "POST /event", "process events", "send events", "store events"]
    service_names = {
        each.value.string_value
        for resource in resources
        for each in resource.resource.attributes
        if each.key == "service.name"
    }
    assert service_names == {"audit-log"}
    assert "hidden" not in str(collected)

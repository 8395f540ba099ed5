"""Spans by the SDK of OpenTelemetry, sent to a collector by OTLP over HTTP.

Names and attributes: https://opentelemetry.io/docs/specs/semconv/. No path, no query and no text of an error is among
them: those may hold what an event says.
"""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from itertools import islice
from threading import Thread
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from core import __version__
from core.domain.models import Event
from core.domain.traceparent import TRACEPARENT, normalize
from core.ports.queue import EventPublisher
from core.ports.store import EventWriter, Outcome
from functions.consume_events import ConsumeHandler, traceparent_of
from functions.http.access_log import PROBES
from functions.http.handler import Handler
from functions.http.request import ProxyEvent
from functions.http.response import ProxyResponse

Attributes = Mapping[str, str | int]

CLOSE_SECONDS: Final = 1.0
MOST_LINKS: Final = 128
"""Of a batch, as many as the SDK keeps."""

_log = logging.getLogger(__name__)

_HEADER: Final = TRACEPARENT.title()  # as the gateway spells all headers
_PROPAGATOR: Final = TraceContextTextMapPropagator()


class Spans:
    """Implements `Tracing`."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("audit-log", __version__)

    def handler(self, handler: Handler) -> Handler:
        """See `Tracing.handler`. The span takes the place of its parent in the request that the handler sees."""

        def traced(event: ProxyEvent, context: object) -> ProxyResponse:
            method, route = event["httpMethod"], event["resource"]
            if route in PROBES:
                return handler(event, context)
            parent = _context(normalize(event["headers"].get(_HEADER)))
            attributes = {"http.request.method": method, "http.route": route}
            with self.span(f"{method} {route}", SpanKind.SERVER, attributes, parent=parent) as span:
                headers = {**event["multiValueHeaders"], _HEADER: [_traceparent(span)]}
                answer = handler({**event, "multiValueHeaders": headers}, context)
                status = answer["statusCode"]
                span.set_attribute("http.response.status_code", status)
                if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    _fail(span, str(status))
                return answer

        return traced

    def publisher(self, publisher: EventPublisher) -> EventPublisher:
        """See `Tracing.publisher`."""
        return _Publisher(publisher, self)

    def consumer(self, handler: ConsumeHandler) -> ConsumeHandler:
        """See `Tracing.consumer`."""

        def traced(event: Mapping[str, Any], context: object) -> Mapping[str, Any]:
            records = event["Records"]
            named = dict.fromkeys(filter(None, map(traceparent_of, records)))  # each once, in their order
            links = [Link(get_current_span(_context(each)).get_span_context()) for each in islice(named, MOST_LINKS)]
            attributes: Attributes = {
                "messaging.operation.type": "process",
                "messaging.batch.message_count": len(records),
            }
            with self.span("process events", SpanKind.CONSUMER, attributes, links=links):
                return handler(event, context)

        return traced

    def writer(self, writer: EventWriter) -> EventWriter:
        """See `Tracing.writer`."""
        return _Writer(writer, self)

    def close(self) -> None:
        """See `Tracing.close`. The SDK itself would wait for a collector that is away."""
        closing = Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)

    @contextmanager
    def span(
        self,
        name: str,
        kind: SpanKind,
        attributes: Attributes,
        *,
        parent: Context | None = None,
        links: Sequence[Link] = (),
    ) -> Iterator[Span]:
        """A span around a block, part of `parent`, else of the span around it."""
        with self._tracer.start_as_current_span(
            name,
            parent,
            kind,
            attributes,
            links,
            # The SDK's default would record the text of the error and of its causes.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except Exception as exc:
                _fail(span, type(exc).__name__)
                raise


class _Publisher:
    """Implements `EventPublisher`. Messages name the span of their publish, not that of the request."""

    def __init__(self, publisher: EventPublisher, spans: Spans) -> None:
        self._publisher = publisher
        self._spans = spans

    def publish(self, events: Sequence[Event], traceparent: str | None = None) -> None:
        """See `EventPublisher.publish`."""
        attributes: Attributes = {"messaging.operation.type": "send", "messaging.batch.message_count": len(events)}
        with self._spans.span("send events", SpanKind.PRODUCER, attributes, parent=_context(traceparent)) as span:
            self._publisher.publish(events, _traceparent(span))


class _Writer:
    """Implements `EventWriter`."""

    def __init__(self, writer: EventWriter, spans: Spans) -> None:
        self._writer = writer
        self._spans = spans

    def add(self, events: Sequence[Event]) -> Sequence[Outcome]:
        """See `EventWriter.add`."""
        with self._spans.span("store events", SpanKind.CLIENT, {"db.operation.batch.size": len(events)}):
            return self._writer.add(events)


class ReportingExporter(SpanExporter):
    """Exports spans by another exporter, and logs where outages of the collector begin and end."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._is_away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See `SpanExporter.export`."""
        result = self._exporter.export(spans)
        was_away, self._is_away = self._is_away, result is not SpanExportResult.SUCCESS
        if self._is_away and not was_away:
            action = "Check the collector and OTEL_EXPORTER_OTLP_ENDPOINT; spans of this time are lost."
            _log.warning("trace_collector_unavailable", extra={"action": action})
        elif was_away and not self._is_away:
            _log.info("trace_collector_available")
        return result

    def shutdown(self) -> None:
        """See `SpanExporter.shutdown`."""
        self._exporter.shutdown()


def exporting() -> Spans:
    """Sends spans in batches from a thread; spans beyond its limit are dropped."""
    attributes = {SERVICE_NAME: os.environ.get("OTEL_SERVICE_NAME", "audit-log"), SERVICE_VERSION: __version__}
    provider = TracerProvider(resource=Resource.create(attributes), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(ReportingExporter(OTLPSpanExporter())))
    return Spans(provider)


def _context(traceparent: str | None) -> Context | None:
    """What the SDK makes of a traceparent; None: there is none."""
    return _PROPAGATOR.extract({TRACEPARENT: traceparent}, Context()) if traceparent else None


def _traceparent(span: Span) -> str | None:
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, set_span_in_context(span))
    return carrier.get(TRACEPARENT)


def _fail(span: Span, kind: str) -> None:
    span.set_attribute("error.type", kind)
    span.set_status(StatusCode.ERROR)

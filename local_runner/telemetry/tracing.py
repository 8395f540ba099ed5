"""Spans of OpenTelemetry around what the handlers do. Without a collector there is nothing around it, and no cost."""

import os
from typing import Final, Protocol

from core.errors import InvalidSettingsError
from core.ports.queue import EventPublisher
from core.ports.store import EventWriter
from functions.consume_events import ConsumeHandler
from functions.http.handler import Handler

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""https://opentelemetry.io/docs/specs/otel/protocol/exporter/. All else that the SDK reads counts as well."""


class Tracing(Protocol):
    """Puts spans around the parts of a process, each of which stays what it is."""

    def handler(self, handler: Handler) -> Handler:
        """Around a request; its publish is a part of it."""

    def publisher(self, publisher: EventPublisher) -> EventPublisher:
        """Around a publish, which the messages name as what they come from."""

    def consumer(self, handler: ConsumeHandler) -> ConsumeHandler:
        """Around a batch, linked to what its messages come from."""

    def writer(self, writer: EventWriter) -> EventWriter:
        """Wrap the writer: a span for each write, within that of the batch."""

    def close(self) -> None:
        """Send the remaining spans, for at most a second."""


class NoTracing:
    """Implements `Tracing` without a collector."""

    def handler(self, handler: Handler) -> Handler:
        """See `Tracing.handler`."""
        return handler

    def publisher(self, publisher: EventPublisher) -> EventPublisher:
        """See `Tracing.publisher`."""
        return publisher

    def consumer(self, handler: ConsumeHandler) -> ConsumeHandler:
        """See `Tracing.consumer`."""
        return handler

    def writer(self, writer: EventWriter) -> EventWriter:
        """See `Tracing.writer`."""
        return writer

    def close(self) -> None:
        """See `Tracing.close`."""


def tracing() -> Tracing:
    """Spans to the collector that this process's environment names, which the SDK reads by itself.

    Raises:
        InvalidSettingsError: it names one, and the extra `otel` is not installed.
    """
    if not any(os.environ.get(name) for name in ENDPOINTS):
        return NoTracing()
    try:
        from local_runner.telemetry.opentelemetry_spans import exporting  # noqa: PLC0415 - an extra, and none of the lightest
    except ImportError as exc:
        raise InvalidSettingsError(
            f"{exc.name} is missing, which {ENDPOINTS[1]} needs: pip install 'audit-log-service[otel]', or unset it"
        ) from None
    return exporting()

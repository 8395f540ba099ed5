"""The consumer: an SQS event in, the messages that must come again out.

Event and answer: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html and, for partial failures,
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from core.domain.models import Event
from core.domain.traceparent import TRACEPARENT, checked, trace_id
from core.errors import EventNotStorableError
from core.ports.store import EventWriter, Outcome
from core.ports.telemetry import CounterName, HistogramName
from core.wiring import Services
from functions import runtime

SqsEvent = Mapping[str, Any]
BatchResponse = dict[str, list[dict[str, str]]]

_COUNTED: Final = {
    Outcome.STORED: CounterName.STORED,
    Outcome.DUPLICATE: CounterName.DUPLICATE,
    Outcome.CONFLICT: CounterName.CONFLICT,
}

_log = logging.getLogger(__name__)


def consume_events(event: SqsEvent, services: Services) -> BatchResponse:
    """Store a batch of messages in one transaction; when that fails for what one of them holds, one by one.

    A message fails, and so comes again until it is a dead letter, when it is no event, when the store refuses it, or
    when it repeats an id with other content.

    Raises:
        StoreUnavailableError: nothing was stored and all of the batch must come again.
    """
    failed: list[str] = []
    batch: list[tuple[Mapping[str, Any], Event]] = []
    for record in event["Records"]:
        try:
            batch.append((record, Event.model_validate_json(record["body"])))
        except ValidationError:
            _log.warning("a message is not an event", extra=_log_fields(record))
            failed.append(record["messageId"])
    started = time.perf_counter()
    outcomes = _store([item for _, item in batch], services.writer)
    services.meter.measure(HistogramName.BATCH_EVENTS, [len(batch)])
    services.meter.measure(HistogramName.STORE_SECONDS, [time.perf_counter() - started])
    _count(event, [item for _, item in batch], outcomes, services)
    for (record, item), outcome in zip(batch, outcomes, strict=True):
        if outcome not in {Outcome.STORED, Outcome.DUPLICATE}:
            reason = "the store refuses an event" if outcome is None else "an event repeats an id with other content"
            _log.warning(reason, extra={**_log_fields(record), "event_id": item.event_id})
            failed.append(record["messageId"])
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def lambda_consumer(
    services: Callable[[], Services] = runtime.services,
) -> Callable[[SqsEvent, object], BatchResponse]:
    """A handler for SQS events that stores with `services`."""

    def handler(event: SqsEvent, context: object) -> BatchResponse:  # noqa: ARG001 - Lambda's signature
        return consume_events(event, services())

    return handler


handler = lambda_consumer()


def traceparent_of(record: Mapping[str, Any]) -> str | None:
    """What a record says of its trace, see `core.domain.traceparent`."""
    attributes = record.get("messageAttributes") or {}
    return checked(attributes[TRACEPARENT].get("stringValue")) if TRACEPARENT in attributes else None


def _log_fields(record: Mapping[str, Any]) -> dict[str, str]:
    """What the log says of a record."""
    traceparent = traceparent_of(record)
    trace = {"trace_id": trace_id(traceparent)} if traceparent else {}
    return {"message_id": record["messageId"], **trace}


def _count(event: SqsEvent, batch: Sequence[Event], outcomes: Sequence[Outcome | None], services: Services) -> None:
    meter, now = services.meter, services.clock()
    meter.count(
        CounterName.RETRIED, sum(record["attributes"]["ApproximateReceiveCount"] != "1" for record in event["Records"])
    )
    meter.count(CounterName.REFUSED, len(event["Records"]) - len(batch) + outcomes.count(None))
    for outcome, what in _COUNTED.items():
        meter.count(what, outcomes.count(outcome))
    # A clock that differs between hosts must not make an age negative.
    ages = (
        max(0.0, now - item.received_at.timestamp())
        for item, outcome in zip(batch, outcomes, strict=True)
        if outcome is Outcome.STORED
    )
    meter.measure(HistogramName.ACCEPTED_TO_STORED_SECONDS, ages)


def _store(events: Sequence[Event], writer: EventWriter) -> Sequence[Outcome | None]:
    """What became of each event; None: the store refuses it."""
    if not events:
        return []
    try:
        return writer.add(events)
    except EventNotStorableError:
        if len(events) == 1:
            return [None]
        return [outcome for item in events for outcome in _store([item], writer)]


ConsumeHandler = Callable[[Mapping[str, Any], object], Mapping[str, Any]]

"""Stores a batch of queued events.

A message carries the JSON of one event, as `create_event` published it. Lambda's event source mapping, or the consumer
in `local_runner.queue`, receives a batch and calls the handler with it in the form of an SQS event, the latter through
the storing process under `audit-log serve`:
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html

The response names the messages that failed. The caller deletes the others, and redelivers the failed ones until
they are dead letters: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from core.domain.models import Event
from core.domain.queued_events import decode_event
from core.domain.traceparent import TRACEPARENT, normalize, trace_id
from core.errors import EventNotStorableError, MalformedJSONError, StoreUnavailableError
from core.ports.store import EventWriter, Outcome
from core.ports.telemetry import CounterName, HistogramName
from core.wiring import Services
from functions import runtime

SqsEvent = Mapping[str, Any]
SqsRecord = Mapping[str, Any]
BatchResponse = dict[str, list[dict[str, str]]]
ConsumeHandler = Callable[[SqsEvent, object], Mapping[str, Any]]
"""A Lambda handler of SQS events: takes the event and Lambda's context, returns a `BatchResponse`."""

_COUNTERS: Final = {
    Outcome.STORED: CounterName.STORED,
    Outcome.DUPLICATE: CounterName.DUPLICATE,
    Outcome.CONFLICT: CounterName.CONFLICT,
}

_log = logging.getLogger(__name__)


def consume_events(event: SqsEvent, services: Services) -> BatchResponse:
    """Store the events of a batch in one transaction, or one by one if the store refuses one of them.

    A message fails if it is no event, if the store refuses its event or fails because of it, or if its id is stored
    with other content. It takes no other message with it.

    Raises:
        StoreUnavailableError: the batch has to be redelivered. If a part of it was stored, that is a duplicate then.
    """
    failed: list[str] = []
    decoded: list[SqsRecord] = []
    events: list[Event] = []
    for record in event["Records"]:
        try:
            events.append(decode_event(record["body"]))
        except (MalformedJSONError, ValidationError):
            _log.warning("message_malformed", extra=_log_fields(record))
            failed.append(record["messageId"])
        else:
            decoded.append(record)

    started = time.perf_counter()
    outcomes = _store(events, services.writer)
    services.meter.measure(HistogramName.BATCH_EVENTS, [len(events)])
    services.meter.measure(HistogramName.STORE_SECONDS, [time.perf_counter() - started])
    _count(event["Records"], events, outcomes, services)

    for record, item, outcome in zip(decoded, events, outcomes, strict=True):
        if outcome is Outcome.STORED or outcome is Outcome.DUPLICATE:
            continue
        fields = {**_log_fields(record), "event_id": item.event_id}
        if outcome is None:
            _log.warning("event_refused", extra=fields)
        else:
            _log.warning("event_conflict", extra=fields)
        failed.append(record["messageId"])
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def lambda_consumer(
    services: Callable[[], Services] = runtime.services,
) -> Callable[[SqsEvent, object], BatchResponse]:
    """Return a handler of SQS events that stores with `services`."""

    def handler(event: SqsEvent, context: object) -> BatchResponse:  # noqa: ARG001 - Lambda's signature
        return consume_events(event, services())

    return handler


handler = lambda_consumer()


def traceparent_of(record: SqsRecord) -> str | None:
    """Return the valid traceparent among a record's attributes, if there is one, see `core.domain.traceparent`."""
    attributes = record.get("messageAttributes") or {}
    return normalize(attributes[TRACEPARENT].get("stringValue")) if TRACEPARENT in attributes else None


def _store(events: Sequence[Event], writer: EventWriter) -> Sequence[Outcome | None]:
    """Return the outcome of each event; None for one that the store refuses, or that makes it fail."""
    if not events:
        return []
    try:
        return writer.add(events)
    except StoreUnavailableError:
        raise
    except EventNotStorableError:
        pass
    except Exception:  # noqa: BLE001 - a bug that one event of the batch brings out must not fail the others
        action = "Report the bug with this stack trace; an event that fails alone is retried, then dead-lettered."
        _log.exception("store_failed", extra={"events": len(events), "action": action})
    if len(events) == 1:
        return [None]
    return [outcome for item in events for outcome in _store([item], writer)]


def _count(
    records: Sequence[SqsRecord], events: Sequence[Event], outcomes: Sequence[Outcome | None], services: Services
) -> None:
    meter, now = services.meter, services.clock()
    meter.count(CounterName.RETRIED, sum(record["attributes"]["ApproximateReceiveCount"] != "1" for record in records))
    meter.count(CounterName.REFUSED, len(records) - len(events) + outcomes.count(None))
    for outcome, counter in _COUNTERS.items():
        meter.count(counter, outcomes.count(outcome))
    received = [item.received_at for item, outcome in zip(events, outcomes, strict=True) if outcome is Outcome.STORED]
    # Events of a batch share few receive times. The clocks of two hosts may differ, so none gets a negative age.
    ages = {received_at: max(0.0, now - received_at.timestamp()) for received_at in set(received)}
    meter.measure(HistogramName.ACCEPTED_TO_STORED_SECONDS, map(ages.__getitem__, received))


def _log_fields(record: SqsRecord) -> dict[str, str]:
    """Return the fields that identify a message in the log; nothing of its body."""
    traceparent = traceparent_of(record)
    trace = {"trace_id": trace_id(traceparent)} if traceparent else {}
    return {"message_id": record["messageId"], **trace}

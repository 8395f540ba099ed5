"""Acceptance of posted events: validates them, gives them ids and receive times, and queues them."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from core.auth.tokens import WRITE, Claims
from core.domain.models import Event, NewEvent, derive_id
from core.domain.recent_events import Content
from core.errors import FieldError, InsufficientScopeError, InvalidFieldsError
from core.ports.telemetry import CounterName
from core.wiring import Services
from functions.http.request_body import validate_event

if TYPE_CHECKING:
    from core.domain.catalogue.catalogue import Catalogue

_MAX_LISTED_BYTES: Final = 4096
"""Of one request, the bytes of events whose errors are all listed: see `SchemaCheck.errors`."""

_log = logging.getLogger(__name__)


class EventIntake:
    """Collects the valid events of one request, then queues all or none of them."""

    def __init__(self, claims: Claims, services: Services, key: str | None) -> None:
        """Begin with no event. `key` is the Idempotency-Key of the request.

        All events get the same receive time, so that a repeat within one request is one within a millisecond.
        """
        self._claims = claims
        self._services = services
        self._key = key
        self._now = _moment(int(services.clock() * 1000))
        self._events: list[Event] = []
        self._repeats: list[Event] = []
        self._repeatable: dict[str, Content] = {}
        """By id: the content of the events to publish whose id the client can send again."""
        self._catalogue = services.catalogue
        self._listed_bytes = 0
        self.warnings: dict[int | None, Sequence[FieldError]] = {}
        """By index: in which way accepted events do not conform to the catalogue."""

    def add(self, value: object, sent_bytes: int, index: int | None = None) -> Event:
        """Validate a decoded event and give it an id and a receive time. `index` is its place in a batch.

        Raises:
            InvalidFieldsError: a field is missing, unknown or invalid; the catalogue does not allow the event; or the
                client has sent another event with the same id or Idempotency-Key.
            EventTooLargeError: the event is too large.
            InsufficientScopeError: the token does not allow this customer.
        """
        new = validate_event(value, sent_bytes)
        if not self._claims.may_touch(new.customer_id):
            raise InsufficientScopeError(
                "The token is limited to certain customers, which do not include this one.", WRITE
            )
        warnings = self._check(self._catalogue, new, sent_bytes) if self._catalogue else None
        derived_id = self._derive_id(self._key, index) if self._key and not new.event_id else None
        event = Event.received(new, at=self._now, by=self._claims.client, derived_id=derived_id)
        generated = not (new.event_id or derived_id)
        is_new = generated or self._is_new(event, "event_id" if new.event_id else "Idempotency-Key")
        (self._events if is_new else self._repeats).append(event)
        if warnings:
            self.warnings[index] = warnings
        return event

    def publish(self, traceparent: str | None) -> None:
        """Queue all events that were added.

        Raises:
            QueueFullError: the queue is at its limit; try again later.
            QueueUnavailableError: the queue is unreachable; try again later.
        """
        self._services.acceptance.publish(self._events, traceparent, repeats=self._repeats, contents=self._repeatable)
        if self.warnings:
            self._services.meter.count(CounterName.NONCONFORMING, len(self.warnings))

    def _check(self, catalogue: "Catalogue", new: NewEvent, sent_bytes: int) -> Sequence[FieldError]:
        """Return the warnings of the catalogue about an event, and log it.

        Raises:
            InvalidFieldsError: the catalogue does not allow the event.
        """
        in_full = self._listed_bytes + sent_bytes <= _MAX_LISTED_BYTES
        try:
            warnings = catalogue.check(new.event_type, new.event_data, in_full=in_full)
        except InvalidFieldsError:
            self._listed_bytes += sent_bytes
            raise
        if warnings:
            self._listed_bytes += sent_bytes
            # Neither values nor names of members: they are what the client sent.
            fields = {"event_type": new.event_type, "client": self._claims.client, "errors": len(warnings)}
            action = "Correct the program that sends such events, or the schema of the type in the catalogue."
            _log.warning("event_nonconforming", extra={**fields, "action": action})
        return warnings

    def _derive_id(self, key: str, index: int | None) -> str:
        name = key if index is None else f"{key}\n{index}"
        return derive_id(self._services.keys.id_namespace, self._claims.client, name)

    def _is_new(self, event: Event, field: str) -> bool:
        """Whether an event with the id in `field` has to be published: not if it repeats one of the same millisecond.

        Raises:
            InvalidFieldsError: as far as this process knows, the event repeats the id with other content.
        """
        content = Content.of(event)
        first = self._repeatable.get(event.event_id) or self._services.acceptance.find_recent(
            event.recorded_by, event.event_id
        )
        if first and not content.equals(first):
            message = (
                f"belongs to the event {event.event_id}, which was accepted with other content: "
                f"repeat that content, or use another {field}"
            )
            raise InvalidFieldsError("The event repeats an id with other content.", [{"loc": [field], "msg": message}])
        if first and first.received_at == event.received_at:
            return False
        self._repeatable[event.event_id] = content
        return True


@lru_cache(maxsize=8)  # under load, several events have the same millisecond
def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)

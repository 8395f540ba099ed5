"""Acceptance of posted events: validates them, gives them ids and receive times, and queues them."""

from datetime import UTC, datetime
from functools import lru_cache

from core.auth.tokens import WRITE, Claims
from core.domain.models import Event
from core.errors import InsufficientScopeError
from core.wiring import Services
from functions.http.request_body import validate_event


class EventIntake:
    """Collects the valid events of one request, then queues all or none of them."""

    def __init__(self, claims: Claims, services: Services, key: str | None) -> None:
        """Begin with no event. `key` is the Idempotency-Key of the request."""
        self._claims = claims
        self._services = services
        self._key = key
        self._events: list[Event] = []

    def add(self, value: object, sent_bytes: int, index: int | None = None) -> Event:
        """Validate a decoded event and give it an id and a receive time. `index` is its place in a batch.

        Raises:
            InvalidFieldsError: a field is missing, unknown or invalid.
            EventTooLargeError: the event is too large.
            InsufficientScopeError: the token does not allow this customer.
        """
        new = validate_event(value, sent_bytes)
        if not self._claims.may_touch(new.customer_id):
            raise InsufficientScopeError(
                "The token is limited to certain customers, which do not include this one.", WRITE
            )
        key = self._key if self._key is None or index is None else f"{self._key}\n{index}"
        now = _moment(int(self._services.clock() * 1000))
        event = Event.received(new, at=now, by=self._claims.client, idempotency_key=key)
        self._events.append(event)
        return event

    def publish(self, traceparent: str | None) -> None:
        """Queue all events that were added.

        Raises:
            QueueFullError: the queue is at its limit; try again later.
            QueueUnavailableError: the queue is unreachable; try again later.
        """
        self._services.publish(self._events, traceparent)


@lru_cache(maxsize=8)  # under load, several events have the same millisecond
def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)

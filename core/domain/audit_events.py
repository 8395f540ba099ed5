"""Audit events of the service itself: operations of the service and of its operator are recorded like other events."""

from datetime import datetime
from typing import Final

from core.domain.models import RESERVED_PREFIX, SYSTEM_CUSTOMER, Event, NewEvent

VIEWER_TYPE: Final = f"{RESERVED_PREFIX}viewer"
"""Records that a person got a token to read. It explains no other event, and can be erased."""

_SERVICE_NAME: Final = "audit-log"


def audit_event(kind: str, subject: str, /, *, at: datetime, **data: object) -> Event:
    """Build an event that records an operation, such as `audit-log.client.created`, on `subject`."""
    return Event.received(
        NewEvent.model_construct(
            event_type=RESERVED_PREFIX + kind, customer_id=SYSTEM_CUSTOMER, event_data={"subject": subject, **data}
        ),
        at=at,
        by=_SERVICE_NAME,
    )

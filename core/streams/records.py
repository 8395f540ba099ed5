"""Records of streams: the events of the log by which a customer sees who sends its events where."""

from datetime import datetime

from core.domain.audit_events import audit_event
from core.domain.models import SYSTEM_CUSTOMER, Event
from core.domain.streams import StreamDefinition


def stream_record(kind: str, stream_id: str, stream: StreamDefinition, *, at: datetime, **facts: object) -> Event:
    """Build the event `audit-log.stream.KIND`.

    It belongs to the customer of the stream if that is exactly one, and otherwise to the service.
    """
    customers = stream.customers or ()
    record = audit_event(f"stream.{kind}", stream_id, at=at, name=stream.name, **facts)
    customer = customers[0] if len(customers) == 1 else SYSTEM_CUSTOMER
    return record.model_copy(update={"customer_id": customer})

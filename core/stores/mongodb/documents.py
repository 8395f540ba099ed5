"""Events as documents.

`event_data` is its JSON text. BSON would change it: it has no more than 100 levels of nesting, and the meaning of names
with dots and dollars depends on the version of the server. `terms` make it searchable.
"""

from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final, NamedTuple

import bson
import orjson
from bson.errors import BSONError
from bson.int64 import Int64
from bson.raw_bson import RawBSONDocument

from core.domain.models import Event
from core.domain.trusted_fields import build_model
from core.errors import EventNotStorableError
from core.stores.json_text import to_json
from core.stores.mongodb.terms import terms_of

FIELDS: Final = {name: 1 for name in Event.model_fields if name != "event_id"}
"""Projection of what an event needs, without `terms` and the batch."""


Origin = tuple[str, int]
"""Writer of an event, and number of the batch, see `core.stores.mongodb.writers`."""


class Stored(NamedTuple):
    """An event of a document, and where it comes from."""

    event: Event
    origin: Origin


def to_stored(document: Mapping[str, Any]) -> Stored:
    """Decode an event with its origin."""
    return Stored(to_event(document), (document["writer"], int(document["batch"])))


def to_document(event: Event, writer: str, batch: int) -> RawBSONDocument:
    """Encode an event, with the writer and the number of the batch that store it.

    Raises:
        EventNotStorableError: BSON cannot represent it.
    """
    try:
        document = {
            "_id": event.event_id,
            "event_type": event.event_type,
            "customer_id": Int64(event.customer_id),
            "timestamp_utc": Int64(event.timestamp_utc),
            "event_data": to_json(event.event_data),
            "received_at": event.received_at,
            "recorded_by": event.recorded_by,
            "terms": terms_of(event.event_data),
            "writer": writer,
            "batch": Int64(batch),
        }
        return RawBSONDocument(bson.encode(document))
    except (BSONError, OverflowError, UnicodeEncodeError):  # the message may quote a value
        raise EventNotStorableError("The event store cannot store a value of this event.") from None


def to_event(document: Mapping[str, Any]) -> Event:
    """Decode an event."""
    return build_model(
        Event,
        {
            "event_id": document["_id"],
            "event_type": document["event_type"],
            "customer_id": int(document["customer_id"]),
            "timestamp_utc": int(document["timestamp_utc"]),
            "event_data": orjson.loads(document["event_data"]),
            "received_at": document["received_at"].astimezone(UTC),
            "recorded_by": document["recorded_by"],
        },
    )

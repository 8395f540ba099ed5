"""Events of queue messages: decodes the JSON that `Event.to_json` wrote, and any other JSON of a valid event."""

import re
from datetime import datetime
from functools import lru_cache
from typing import Final

import orjson

from core.domain.models import MAX_TIMESTAMP, Event
from core.domain.strict_json import MAX_INTEGER, MIN_INTEGER, loads_encoded
from core.domain.trusted_fields import build_model

_ID: Final = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_RECEIVED_AT: Final = re.compile(r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):\d\d:\d\d\.\d{3}Z", re.ASCII)
_NAMES: Final = tuple(Event.model_fields)
_MAX_TYPE_CHARACTERS: Final = 255


def decode_event(body: str) -> Event:
    """Decode the body of a queue message.

    Almost every message is one that this service published. For these, comparisons of a microsecond replace pydantic's
    validation, which takes five. A message that fails one of them may come from another program, and is left to strict
    JSON and to pydantic, which alone refuse messages.

    Raises:
        MalformedJSONError: no JSON that a client could have posted, such as NaN.
        ValidationError: pydantic's, for JSON that is no valid event.
    """
    return decode_published(body) or Event.model_validate(loads_encoded(body.encode(errors="surrogatepass")))


def decode_published(body: str) -> Event | None:
    """Decode a body as `Event.to_json` writes it; return None for any other, such as one whose values are invalid.

    The body must be equal to the JSON of the decoded fields. This excludes member names that occur twice, numbers that
    a decoder would round, and fields in another order or of another spelling.
    """
    try:
        fields = orjson.loads(body)
        if orjson.dumps(fields) != body.encode() or tuple(fields) != _NAMES or "\\u0000" in body:
            return None
        event_id, event_type, customer_id, timestamp_utc, event_data, received_at, recorded_by = fields.values()
        if (
            _ID.fullmatch(event_id)
            and 0 < len(event_type) <= _MAX_TYPE_CHARACTERS
            and event_type.isprintable()  # excludes all control characters
            and type(customer_id) is int
            and MIN_INTEGER <= customer_id <= MAX_INTEGER
            and type(timestamp_utc) is int
            and 0 <= timestamp_utc <= MAX_TIMESTAMP
            and type(event_data) is dict
            and event_data
            and type(recorded_by) is str
        ):
            fields["received_at"] = _receive_time(received_at)
            return build_model(Event, fields)
    except (ValueError, TypeError, AttributeError, OverflowError):  # not JSON, or not the types of an event
        pass
    return None


@lru_cache(maxsize=64)  # events of one batch share their milliseconds
def _receive_time(text: str) -> datetime:
    """Decode a receive time in the form of `Event.to_json`.

    Raises:
        ValueError: it has another form, or names no moment.
    """
    if not _RECEIVED_AT.fullmatch(text):
        raise ValueError(text)
    return datetime.fromisoformat(text)

"""Events as CloudEvents 1.0 in structured mode.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

import re
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from core.domain.models import Event, rfc3339_milliseconds

_NONCHARACTERS: Final = re.compile(
    "[\ufdd0-\ufdef" + "".join(chr(plane << 16 | 0xFFFE) + chr(plane << 16 | 0xFFFF) for plane in range(17)) + "]"
)
"""Code points that attributes must not contain: section 1.4, String."""
_IN_URIS: Final = "/:?#[]@!$&'()*+,;=%"


def cloud_event(event: Event, source: str) -> dict[str, Any]:
    """Return an event as a CloudEvent with the extensions `customerid`, `recordedby` and `recordedat`.

    `customerid` is a text, because integers of attributes have 32 bits.
    """
    return {
        "specversion": "1.0",
        "id": event.event_id,
        "source": quote(source, safe=_IN_URIS),
        "type": _attribute(event.event_type),
        "subject": str(event.customer_id),
        "time": datetime.fromtimestamp(event.timestamp_utc, UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "customerid": str(event.customer_id),
        "recordedby": _attribute(event.recorded_by),
        "recordedat": rfc3339_milliseconds(event.received_at),
        "data": event.event_data,
    }


def _attribute(text: str) -> str:
    return _NONCHARACTERS.sub("\ufffd", text)

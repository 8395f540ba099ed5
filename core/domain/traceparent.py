"""The `traceparent` header, which identifies the trace that a request belongs to.

W3C Trace Context, https://www.w3.org/TR/trace-context/#traceparent-header, which requires that an invalid header is
ignored.
"""

import re
from typing import Final

TRACEPARENT: Final = "traceparent"
"""Name of the header, in lower case, and of the attribute or header of queue messages."""

# Version, trace-id, parent-id, flags. Later versions may append more.
_FORM: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED: Final = 1  # the only flag of version 00; unknown flags must not be passed on


def normalize(value: str | None) -> str | None:
    """Convert `value` to version 00; None if it is not a valid traceparent."""
    match = _FORM.fullmatch(value) if value else None
    if match is None:
        return None
    version, trace, parent, flags, suffix = match.groups()
    if version == "ff" or (version == "00" and suffix) or not (trace.strip("0") and parent.strip("0")):
        return None
    return f"00-{trace}-{parent}-{int(flags, 16) & _SAMPLED:02x}"


def trace_id(traceparent: str) -> str:
    """Return the trace id of a normalized `traceparent`."""
    return traceparent.split("-")[1]

"""The header `traceparent`, by which a request says which trace it is a part of.

W3C Trace Context, https://www.w3.org/TR/trace-context/#traceparent-header; what breaks its rules is ignored by them.
"""

import re
from typing import Final

TRACEPARENT: Final = "traceparent"
"""Its name, in lower case, which is also that of the attribute or header of a queue's message."""

# Version, trace-id, parent-id, flags. Later versions may append more.
_FORM: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED: Final = 1  # the one flag of version 00; the others must not be passed on


def checked(value: str | None) -> str | None:
    """A traceparent of version 00 that says the same as `value`; None: `value` is none."""
    found = _FORM.fullmatch(value) if value else None
    if found is None:
        return None
    version, trace, parent, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not (trace.strip("0") and parent.strip("0")):
        return None
    return f"00-{trace}-{parent}-{int(flags, 16) & _SAMPLED:02x}"


def trace_id(traceparent: str) -> str:
    """The id of the trace, which is the same in all its parts; `traceparent` is checked."""
    return traceparent.split("-")[1]

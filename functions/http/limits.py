"""Size limits of requests and responses, in bytes."""

from typing import Final

from core.errors import EventTooLargeError

MAX_BODY_BYTES: Final = 5 * 1024 * 1024
"""Largest body that any route accepts, and the most that a server reads. (API Gateway itself accepts 10 MB.)"""

MAX_EVENT_BYTES: Final = 256 * 1024
"""Largest event: its type, customer and data as compact JSON."""

MAX_EVENT_BODY_BYTES: Final = 2 * MAX_EVENT_BYTES
"""Largest body with one event, which may have an id and a timestamp, white space and escapes."""

MAX_FORM_BYTES: Final = 16 * 1024
"""Largest form of a token request, which is decoded before the client is authenticated."""

MAX_DEFINITION_BYTES: Final = 64 * 1024
"""Largest definition of a stream or an alert rule."""

MAX_RESPONSE_BYTES: Final = 2_000_000
"""Largest page, or part of an export, with several events. A Lambda response has at most 6 MB, and its JSON may take
three bytes for one."""


def body_too_large() -> EventTooLargeError:
    """Build the error for a body of more than `MAX_BODY_BYTES`."""
    return EventTooLargeError(f"The body has more than {MAX_BODY_BYTES} bytes: send less, or split the batch.")

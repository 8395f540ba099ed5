"""Client of the Audit Log Service.

A program records its events like this:

    from audit_log_client import AuditLog

    log = AuditLog("http://127.0.0.1:8000")
    log.record("user.login", customer_id=42, event_data={"actor": {"id": "admin"}, "outcome": "success"})

`record` only puts the event into a buffer. A background thread sends the buffer in batches, retries while the service
is unavailable, and gets time to finish when the program ends. `Api` has the service's routes as methods, for programs
that wait for responses, query or export.
"""

from audit_log_client.api import Api
from audit_log_client.credentials import ClientSecret, Credentials, Token
from audit_log_client.errors import (
    AuditLogClientError,
    BufferFullError,
    ClosedError,
    EventTooLargeError,
    RefusedError,
    UnavailableError,
)
from audit_log_client.models import FeedPage, Filters, Page, Receipt, StoredEvent
from audit_log_client.recorder import AuditLog, Failure

__all__ = [
    "Api",
    "AuditLog",
    "AuditLogClientError",
    "BufferFullError",
    "ClientSecret",
    "ClosedError",
    "Credentials",
    "EventTooLargeError",
    "Failure",
    "FeedPage",
    "Filters",
    "Page",
    "Receipt",
    "RefusedError",
    "StoredEvent",
    "Token",
    "UnavailableError",
]

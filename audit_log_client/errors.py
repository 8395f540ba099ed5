"""Errors of the client. No message repeats the content of an event."""


class AuditLogClientError(Exception):
    """Base of all errors of this client. Catch a subclass: each says whether retrying helps."""


class UnavailableError(AuditLogClientError):
    """The service did not answer, or was temporarily unavailable, for longer than the configured patience.

    An event may have been accepted all the same. Sending it again with its id is harmless.
    """


class RefusedError(AuditLogClientError):
    """The service refuses the request; retrying it unchanged is useless. `status` is the HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class EventTooLargeError(AuditLogClientError):
    """The event's JSON exceeds the service's limit. Record less, such as a reference to the rest."""


class BufferFullError(AuditLogClientError):
    """The buffer is full because the service is unavailable. The event was not recorded; try again later."""


class ClosedError(AuditLogClientError):
    """The log is closed, so the event was not recorded. Create a new log."""

"""What can go wrong between a program and the service. No message repeats what was sent."""


class AuditLogClientError(Exception):
    """Base of all errors of this client. Catch a subclass: each says whether trying again helps."""


class UnavailableError(AuditLogClientError):
    """The service did not answer, or said that it cannot at the moment, for longer than was to be waited.

    An event may have been accepted all the same: sending it again with its id is harmless.
    """


class RefusedError(AuditLogClientError):
    """The service does not take the request; trying again unchanged is useless. `status` is that of HTTP."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class EventTooLargeError(AuditLogClientError):
    """The event's JSON is larger than the service takes. Record less, such as a reference to the rest."""


class BufferFullError(AuditLogClientError):
    """As many events wait as may: the service has been away for long. This one was not recorded; try again later."""


class ClosedError(AuditLogClientError):
    """The log was closed before. Record before that, or make a new one."""

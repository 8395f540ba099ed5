"""Errors of HTTP itself, raised for requests that reach no operation or that it cannot read."""

from collections.abc import Sequence

from core import errors


class UnsupportedMediaTypeError(errors.AuditLogError):
    """The body is of a type that this route does not read. Send one that the message names."""


class MalformedRequestError(errors.AuditLogError):
    """The request breaks HTTP's own rules. Correct it as the message says."""


class PathTooLongError(errors.AuditLogError):
    """The path and query are longer than those of a request may be. Send less, such as a shorter list of filters."""


class HeadersTooLargeError(errors.AuditLogError):
    """There are more headers, or larger ones, than a request may have. Send fewer."""


class RequestTimeoutError(errors.AuditLogError):
    """The request did not arrive in time. Send it again, over a connection that is fast enough."""


class ServerBusyError(errors.AuditLogError):
    """Too many requests of this kind are at work here already. Nothing was done: send it again after a while."""


class OverloadedError(errors.AuditLogError):
    """The service has no memory or connection left. Nothing was accepted: send the request again after a while."""


class RouteNotFoundError(errors.AuditLogError):
    """There is no such path. See /docs."""


class MethodNotAllowedError(errors.AuditLogError):
    """The path does not take this method; `allowed` are those that it takes."""

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__(f"This path takes {', '.join(allowed)}.")
        self.allowed = allowed

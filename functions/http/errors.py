"""Errors of HTTP: requests that match no route, exceed a limit or cannot be read."""

from collections.abc import Sequence

from core import errors


class UnsupportedMediaTypeError(errors.AuditLogError):
    """The body has a media type that the route does not accept. Send one that the message names."""


class UnsupportedContentCodingError(errors.AuditLogError):
    """The body has a content coding that the route does not accept. Use one of `accepted`."""

    def __init__(self, accepted: Sequence[str]) -> None:
        super().__init__(f"The Content-Encoding is not supported: send the body as {' or '.join(accepted)}.")
        self.accepted = accepted


class MalformedRequestError(errors.AuditLogError):
    """The request violates HTTP. Correct it as the message says."""


class PathTooLongError(errors.AuditLogError):
    """Path and query exceed the limit. Send fewer parameters."""


class HeadersTooLargeError(errors.AuditLogError):
    """The headers exceed the limit in number or size. Send fewer."""


class RequestTimeoutError(errors.AuditLogError):
    """The request did not arrive in time. Send it again over a faster connection."""


class ServerBusyError(errors.AuditLogError):
    """Too many requests of this kind are in progress. Nothing was done: send it again later."""


class OverloadedError(errors.AuditLogError):
    """The service has no memory or connection left. Nothing was accepted: send the request again after a while."""


class RouteNotFoundError(errors.AuditLogError):
    """No route has this path. See /docs."""


class MethodNotAllowedError(errors.AuditLogError):
    """The path does not support this method. `allowed` lists those that it supports."""

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__(f"This path supports {', '.join(allowed)}.")
        self.allowed = allowed

"""What can go wrong, in the domain's own words.

Every error's message is written for whoever caused it and says what to do; none of them repeats what was sent, so that
a secret that was put in the wrong place is not echoed. `functions.http.request` turns each class into its HTTP status.
"""

from collections.abc import Sequence

from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12


class FieldError(TypedDict):
    """One thing wrong with one field: where it is (`loc`, outermost name first) and what to do (`msg`)."""

    loc: list[str | int]
    msg: str


class AuditLogError(Exception):
    """Base of all errors of this service. Catch a subclass: each says whether trying again helps."""


class InvalidSettingsError(AuditLogError):
    """The environment does not describe a service that can start. Correct the setting that the message names."""


class MalformedJSONError(AuditLogError):
    """The text is not the JSON this service takes (RFC 8259, I-JSON names). Correct it; trying again is useless."""


class InvalidFieldsError(AuditLogError):
    """Well-formed but wrong. Correct the listed fields; trying again unchanged is useless."""

    def __init__(self, message: str, errors: Sequence[FieldError]) -> None:
        super().__init__(message)
        self.errors = list(errors)


class UnauthenticatedError(AuditLogError):
    """No token was sent. Get one and send it as `Authorization: Bearer TOKEN`."""


class InvalidTokenError(AuditLogError):
    """A token was sent and is not accepted. Get a new one."""


class TokenCheckUnavailableError(AuditLogError):
    """What a token is checked against is not known, or too old. Nothing was accepted: try again after a while."""


class InvalidClientError(AuditLogError):
    """Client id and secret do not belong together, or the client is disabled. The answer never says which."""


class RateLimitedError(AuditLogError):
    """Too many requests, or too many failed ones. Try again after `retry_after` seconds, and less often."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class InsufficientScopeError(AuditLogError):
    """The token is good but does not allow this. Ask for a token with the scope or customer that the message names."""

    def __init__(self, message: str, scope: str) -> None:
        super().__init__(message)
        self.scope = scope


class EventNotFoundError(AuditLogError):
    """No such event, or none that the token may see. An event just accepted appears once its batch is stored."""


class EventTooLargeError(AuditLogError):
    """The event or the request is over a size limit. Send less, or split the batch."""


class QueueFullError(AuditLogError):
    """The queue holds as much as it may. Nothing was accepted: send the same request again after a while."""


class QueueUnavailableError(AuditLogError):
    """The queue cannot be reached. Nothing was accepted: send the same request again after a while."""


class NotSupportedError(AuditLogError):
    """The queue or store that is configured cannot do this. The message says what to ask for instead."""


class StoreUnavailableError(AuditLogError):
    """The event store cannot be reached or is busy. Nothing was changed: try again after a while."""


class ReadTimeoutError(StoreUnavailableError):
    """A read was stopped at a time limit. Read less if the message says so, or try again after a while."""


class SecretUnavailableError(AuditLogError):
    """A secret that a setting names cannot be read. Nothing was changed: try again after a while."""


class MetricsUnavailableError(AuditLogError):
    """What was counted elsewhere cannot be asked for. Try again after a while."""


class EventNotStorableError(AuditLogError):
    """The store refuses this event for what it is. Trying again is useless: it belongs in the dead letters."""

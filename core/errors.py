"""Errors of the service.

A message addresses the person who caused the error and gives the remedy. It never repeats input, which may be a secret
in the wrong place. `functions.http.problems` maps each class to an HTTP status.
"""

from collections.abc import Iterable, Sequence

from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12


class FieldError(TypedDict):
    """One problem with one field: its path (`loc`, outermost name first) and the remedy (`msg`)."""

    loc: list[str | int]
    msg: str


def as_sentence(errors: Iterable[FieldError]) -> str:
    """Join errors on one line: each is the path, if there is one, and the remedy."""
    return "; ".join(f"{'.'.join(map(str, error['loc']))} {error['msg']}".strip() for error in errors)


def cause_of(error: Exception) -> str:
    """Describe the cause of an error for the log, with the notes of the cause; the error itself if it has none."""
    cause = error.__cause__
    return ", ".join([repr(cause), *getattr(cause, "__notes__", ())]) if cause else str(error)


class AuditLogError(Exception):
    """Base class of all errors of this service. Catch a subclass: each says whether trying again helps."""


class InvalidSettingsError(AuditLogError):
    """The settings are invalid, so the service cannot start. Correct the setting that the message names."""


class MalformedJSONError(AuditLogError):
    """The body is not JSON as `core.domain.strict_json` accepts it. Correct it; trying again unchanged is useless."""


class InvalidFieldsError(AuditLogError):
    """The JSON is valid, but some fields are not. Correct the listed fields; trying again unchanged is useless."""

    def __init__(self, message: str, errors: Sequence[FieldError]) -> None:
        super().__init__(message)
        self.errors = list(errors)


class UnauthenticatedError(AuditLogError):
    """The request has no token. Get one and send it as `Authorization: Bearer TOKEN`."""


class InvalidTokenError(AuditLogError):
    """The token is invalid or has expired. Get a new one."""


class SignInRefusedError(AuditLogError):
    """A person's sign-in failed, or the request is not one of this service's page. Begin the sign-in again."""


class TokenCheckUnavailableError(AuditLogError):
    """What a token is checked against is not known, or too old. Nothing was accepted: try again after a while."""


class InvalidClientError(AuditLogError):
    """The client id or secret is wrong, or the client is disabled. The response never says which."""


class ClientNotFoundError(AuditLogError):
    """An operator named a client that is not registered. List the clients to find its id."""


class RateLimitedError(AuditLogError):
    """Too many requests, or too many failed logins. Try again after `retry_after` seconds, and send less often."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class InsufficientScopeError(AuditLogError):
    """The token does not allow the request. Get a token with the scope or customer that the message names."""

    def __init__(self, message: str, scope: str) -> None:
        super().__init__(message)
        self.scope = scope


class EventNotFoundError(AuditLogError):
    """The event does not exist, is not visible to the token, or is accepted but not stored yet."""


class ProofNotFoundError(AuditLogError):
    """The ledger has no such proof, checkpoint or tile. The message says whether it ever will."""


class ProofPendingError(ProofNotFoundError):
    """The event is stored, and no signed checkpoint covers it yet. Try again after `retry_after` seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class EventErasedError(ProofNotFoundError):
    """The event was erased, so that this part of its proof does not exist any more. It never will."""


class EventHeldError(AuditLogError):
    """A legal hold keeps events that were to be erased or deleted. Release the hold that the message names first."""


class ErasureRefusedError(AuditLogError):
    """The erasure names events that cannot be erased. Nothing was erased; the message says what to change."""


class HoldNotFoundError(AuditLogError):
    """No active legal hold has this id. List the holds to find its id."""


class CursorAheadError(AuditLogError):
    """The ledger ends before the cursor: an older state of the database was restored. The message has the remedy."""


class EventTooLargeError(AuditLogError):
    """The event or the request exceeds a size limit. Send less, or split the batch."""


class QueueFullError(AuditLogError):
    """The queue is at its limit. Nothing was accepted: send the same request again later."""


class QueueUnavailableError(AuditLogError):
    """The queue is unreachable. Nothing was accepted: send the same request again later."""


class NotSupportedError(AuditLogError):
    """The configured queue or store does not support the operation. The message names the alternative."""


class StoreUnavailableError(AuditLogError):
    """The event store is unreachable or busy. Nothing was changed: try again later."""


class ReadTimeoutError(StoreUnavailableError):
    """A read was stopped at a time limit. Read less if the message says so, or try again after a while."""


class GuardUnavailableError(AuditLogError):
    """The guard of the ledger's checkpoints cannot be used, so none is signed. Trying again later helps."""


class LedgerForkError(AuditLogError):
    """The ledger does not contain the checkpoint signed before, so nothing is signed. Events are stored as before."""


class AnchorUnavailableError(AuditLogError):
    """A witness or another place outside of this service did not take a checkpoint. The next round tries again."""


class RuleNotFoundError(AuditLogError):
    """An operator named a retention rule that does not exist. List the rules to find it."""


class PurgeRefusedError(AuditLogError):
    """The retention rules would delete every event. Nothing was deleted; the message has the remedy."""


class ArchiveUnavailableError(AuditLogError):
    """The archive cannot be written, so the events stay in the store. Make room, or name another directory."""


class StreamNotFoundError(AuditLogError):
    """No stream has this id, or the token does not see it."""


class NameTakenError(AuditLogError):
    """Another stream or alert rule of the same customers has this name. Choose another one."""


class TooManyStreamsError(AuditLogError):
    """The log has as many streams as it can have. Delete one, or let one destination serve several customers."""


class StreamStateError(AuditLogError):
    """The stream is in a state in which the operation makes no sense. The message says what to do instead."""


class AlertRuleNotFoundError(AuditLogError):
    """No alert rule has this id, or the token does not see it."""


class TooManyAlertRulesError(AuditLogError):
    """The log has as many alert rules as it can have. Delete one, or group one rule by customer."""


class VersionConflictError(AuditLogError):
    """The stream or alert rule was changed since it was read. Read it again, and repeat the change."""


class MissingVersionError(AuditLogError):
    """The request does not say which version it changes. Send If-Match with the ETag of the last answer."""


class DeliveryError(AuditLogError):
    """A destination did not take a batch. Messages are words of this service and never quote the other side."""

    def __init__(self, message: str, status: int | None = None) -> None:
        """`status` is the HTTP status of the answer; None: there was no answer, or not by HTTP."""
        super().__init__(message)
        self.status = status


class DeliveryDelayedError(DeliveryError):
    """A fault that may pass: the same batch is sent again, not before `retry_after` seconds if that is known."""

    def __init__(self, message: str, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, status)
        self.retry_after = retry_after


class DeliveryRefusedError(DeliveryError):
    """Something in the batch is not accepted. Smaller batches show which event it is."""


class DestinationGoneError(DeliveryError):
    """The destination asks for no further events (410). The stream is suspended."""


class MisconfiguredError(DeliveryError):
    """No batch would be accepted: an address, a credential or a certificate is wrong. Correct the stream."""


class SecretUnavailableError(AuditLogError):
    """A secret of this service cannot be read or written. Nothing was changed: try again later."""


class MetricsUnavailableError(AuditLogError):
    """The metrics service, which has the counts, is unreachable. Try again later."""


class EventNotStorableError(AuditLogError):
    """The store rejects this event because of its content. Trying again is useless: move it to the dead letters."""

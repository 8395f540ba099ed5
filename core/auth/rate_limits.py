"""Rate limits for failed logins and for requests of a client, counted by the library `limits`."""

import logging
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from core.errors import InvalidSettingsError, RateLimitedError
from core.settings import Settings

if TYPE_CHECKING:
    from limits import RateLimitItem

_NAMESPACE: Final = "audit-log"
_ADDRESS_FACTOR: Final = 10
_SCHEMES: Final = ("memory", "redis", "rediss")
_TIMEOUT_SECONDS: Final = 0.25
_PAUSE_SECONDS: Final = 5.0

_ACTION: Final = "Check Redis (AUDIT_LOG_RATE_LIMIT_STORAGE); until it is back, no rate limit applies."

_log = logging.getLogger(__name__)


class RateLimiter:
    """Counts requests in fixed windows, in the process or in Redis.

    While Redis is unreachable nothing is limited, and the log says so: recording events is more important.
    """

    def __init__(self, settings: Settings) -> None:
        """Set up the counters. Redis is connected at the first use.

        Raises:
            InvalidSettingsError: the URL is neither memory:// nor redis://, or the client library is not installed.
        """
        from limits import parse  # noqa: PLC0415 - takes a third of a second
        from limits.errors import ConfigurationError, StorageError  # noqa: PLC0415 - the same
        from limits.storage import storage_from_string  # noqa: PLC0415 - the same
        from limits.strategies import FixedWindowRateLimiter  # noqa: PLC0415 - the same

        url = settings.rate_limit_storage
        try:
            if urlsplit(url).scheme not in _SCHEMES:
                raise ConfigurationError  # noqa: TRY301 - all three errors have one message
            timeouts = {"socket_timeout": _TIMEOUT_SECONDS, "socket_connect_timeout": _TIMEOUT_SECONDS}
            storage = storage_from_string(url, wrap_exceptions=True, **timeouts)
        except (ConfigurationError, ValueError):
            raise InvalidSettingsError(
                "AUDIT_LOG_RATE_LIMIT_STORAGE: use memory://, or redis://HOST:PORT with the extra `redis` installed"
            ) from None
        self._counters: Final = FixedWindowRateLimiter(storage)
        self._unreachable: Final = StorageError
        self._unavailable_until = 0.0
        self._failures = parse(settings.rate_limit_failed_logins)
        self._failures_of_address = type(self._failures)(
            self._failures.amount * _ADDRESS_FACTOR, self._failures.multiples
        )
        self._requests = parse(settings.rate_limit_requests) if settings.rate_limit_requests else None

    def check_storage(self) -> None:
        """Log an error if the storage gives no answer."""
        self._has_room(self._counters.test, self._failures, "start", "")

    def refuse_login_after_failures(self, client_id: str, address: str) -> None:
        """Check the limits after a secret was wrong. The right secret always gets a token.

        Raises:
            RateLimitedError: too many failures of this client from this address, or of all clients from this address.
        """
        for rate, name in self._failure_limits(client_id, address):
            if not self._has_room(self._counters.test, rate, "login", name):
                raise self._limited("Too many failed token requests", rate, "login", name)

    def count_failed_login(self, client_id: str, address: str) -> bool:
        """Count a failure; return whether it was the last one allowed."""
        last = False
        for rate, name in self._failure_limits(client_id, address):
            self._has_room(self._counters.hit, rate, "login", name)
            last = last or not self._has_room(self._counters.test, rate, "login", name)
        return last

    def _failure_limits(self, client_id: str, address: str) -> "list[tuple[RateLimitItem, str]]":
        # Counted by client and address, so that knowing a client's id is not enough to lock it out from elsewhere.
        # Many clients may share an address, so its limit is higher.
        return [(self._failures, f"{client_id} {address}"), (self._failures_of_address, address)]

    def count_request(self, client: str) -> None:
        """Count a request of a client, if requests are limited.

        Raises:
            RateLimitedError: the client has sent too many.
        """
        if self._requests and not self._has_room(self._counters.hit, self._requests, "request", client):
            raise self._limited("Too many requests", self._requests, "request", client)

    def _has_room(self, ask: Callable[..., bool], rate: "RateLimitItem", kind: str, name: str) -> bool:
        """Ask the counters. If their storage is unreachable, return True and do not try it again for a while."""
        if time.monotonic() < self._unavailable_until:
            return True
        try:
            return ask(rate, _NAMESPACE, kind, name)
        except self._unreachable as exc:
            self._unavailable_until = time.monotonic() + _PAUSE_SECONDS
            reason = type(exc.storage_error).__name__
            _log.error(
                "rate_limit_storage_unavailable",
                extra={"reason": reason, "retry_after_seconds": _PAUSE_SECONDS, "action": _ACTION},
            )
            return True

    def _limited(self, what: str, rate: "RateLimitItem", kind: str, name: str) -> RateLimitedError:
        try:
            reset = self._counters.get_window_stats(rate, _NAMESPACE, kind, name).reset_time
        except self._unreachable:
            reset = time.time() + rate.get_expiry()
        seconds = max(1, math.ceil(reset - time.time()))
        return RateLimitedError(f"{what}: try again in {seconds} seconds.", seconds)

"""Records events in the background, so that the program never waits for the service."""

import atexit
import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event, Thread
from types import TracebackType
from typing import Any, Final, Self

import httpx
import uuid_utils

from audit_log_client.api import DEFAULT_URL, Api
from audit_log_client.buffer import Buffer, EncodedEvent
from audit_log_client.credentials import Credentials
from audit_log_client.errors import EventTooLargeError, RefusedError
from audit_log_client.models import MAX_EVENT_BYTES

CLOSING_SECONDS: Final = 10.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """An event that was not recorded and is not retried. `event` is its JSON, so that it can be kept elsewhere."""

    event_id: str
    event: bytes
    reason: str


def log_failure(failure: Failure) -> None:
    """Log a failure without the event's content."""
    _log.error("event_not_recorded event_id=%s reason=%s", failure.event_id, failure.reason)


class _StoppedError(Exception):
    """The time to finish has run out."""


class AuditLog:
    """Records events in the background. Thread-safe; a forked process has to create a log for itself.

    Every event gets its id here, so that a retry after a lost response stores it once. While the service is unavailable
    up to `capacity` events or `max_bytes` are buffered; beyond that `record` raises BufferFullError. `on_failure` is
    called in the sending thread for each event that the service refuses, or that is left when the log is closed.
    """

    def __init__(  # noqa: PLR0913 - one parameter per choice, all with defaults
        self,
        url: str = DEFAULT_URL,
        credentials: Credentials = None,
        *,
        on_failure: Callable[[Failure], None] = log_failure,
        capacity: int = 10_000,
        max_bytes: int = 32 * 1024 * 1024,
        delay: float = 0.5,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._on_failure = on_failure
        self._buffer = Buffer(capacity, max_bytes, delay)
        self._stopped = Event()
        self._api = Api(url, credentials, patience=math.inf, sleep=self._pause, transport=transport)
        # A daemon, because the interpreter joins other threads before it runs atexit handlers, one of which ends this.
        self._thread = Thread(target=self._run, name="audit-log", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def record(
        self,
        event_type: str,
        customer_id: int,
        event_data: Mapping[str, Any],
        *,
        timestamp_utc: int | None = None,
        event_id: str | None = None,
    ) -> str:
        """Put an event into the buffer and return its id. `timestamp_utc` is in Unix seconds; the default is now.

        Raises:
            BufferFullError: the buffer is full.
            ClosedError: the log was closed.
            EventTooLargeError: the event exceeds the service's limit.
            TypeError: event_data cannot be encoded as JSON.
            ValueError: event_data contains NaN or an infinity.
        """
        event_id = event_id or str(uuid_utils.uuid7())
        event = {
            "event_id": event_id,
            "event_type": event_type,
            "customer_id": customer_id,
            "timestamp_utc": int(time.time()) if timestamp_utc is None else timestamp_utc,
            "event_data": event_data,
        }
        text = json.dumps(event, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
        if len(text) > MAX_EVENT_BYTES:
            raise EventTooLargeError(f"The event has {len(text)} bytes of JSON: the limit is {MAX_EVENT_BYTES}.")
        self._buffer.put(EncodedEvent(event_id, text))
        return event_id

    def flush(self, timeout: float = 30.0) -> bool:
        """Send buffered events now, and wait until the service has accepted or refused each of them.

        Returns:
            Whether it accepted every event that was recorded since the last flush. False if it refused one, which was
            reported to `on_failure`, or if some still wait after `timeout` seconds.
        """
        return self._buffer.flush(timeout)

    def close(self, timeout: float = CLOSING_SECONDS) -> None:
        """Send buffered events for up to `timeout` seconds, then stop and report the rest to `on_failure`.

        A request in progress at that time is completed. Called when the program exits.
        """
        self._buffer.close()
        self._thread.join(timeout)
        self._stopped.set()
        self._thread.join()
        self._api.close()
        atexit.unregister(self.close)

    def __enter__(self) -> Self:
        """Return the log; leaving the block closes it."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _run(self) -> None:
        while batch := self._buffer.take():
            self._buffer.done(batch, refused=self._send(batch))

    def _send(self, batch: list[EncodedEvent]) -> int:
        """Send a batch and report the events that are not accepted. Return their number."""
        try:
            self._pause(0)
            rejected = self._api.send([event.json for event in batch]).rejected
        except _StoppedError:
            rejected = dict.fromkeys(range(len(batch)), "the log was closed before the service accepted it")
        except RefusedError as exc:
            rejected = dict.fromkeys(range(len(batch)), str(exc))
        except Exception as exc:  # noqa: BLE001 - the thread must continue; the failure is reported
            rejected = dict.fromkeys(range(len(batch)), f"a bug of the client: {type(exc).__name__}")
            _log.exception("send_failed events=%d", len(batch))
        for index, reason in rejected.items():
            self._report(Failure(batch[index].event_id, batch[index].json, reason))
        return len(rejected)

    def _report(self, failure: Failure) -> None:
        try:
            self._on_failure(failure)
        except Exception:  # noqa: BLE001 - a bug of the program must not stop other events
            _log.exception("on_failure_raised event_id=%s", failure.event_id)

    def _pause(self, seconds: float) -> None:
        if self._stopped.wait(seconds):
            raise _StoppedError

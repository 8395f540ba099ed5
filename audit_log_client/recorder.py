"""Recording events from inside a program, without waiting for the service."""

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
from audit_log_client.buffer import Buffer, Line
from audit_log_client.credentials import Credentials
from audit_log_client.errors import EventTooLargeError, RefusedError
from audit_log_client.models import MAX_EVENT_BYTES

CLOSING_SECONDS: Final = 10.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """An event that was not recorded and will not be sent again; `event` is its JSON, to be kept elsewhere."""

    event_id: str
    event: bytes
    reason: str


def log_failure(failure: Failure) -> None:
    """Tell the log of the program, without the event's content."""
    _log.error("the event %s was not recorded: %s", failure.event_id, failure.reason)


class _StoppedError(Exception):
    """The time to finish is over."""


class AuditLog:
    """Records events in the background. Several threads may use one; a process that was forked makes its own.

    Every event gets its id here, so that sending it again after a lost answer stores it once. While the service is away
    events wait, up to `capacity` of them or `max_bytes`; then `record` raises BufferFullError. `on_failure` is called,
    in the sending thread, for each event that the service refuses or that is left when the log is closed.
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
        # A daemon: the interpreter waits for other threads before it calls what atexit has, which ends this one.
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
        """Take an event into the buffer; its id. `timestamp_utc` is in Unix seconds, now by default.

        Raises:
            BufferFullError: too many wait.
            ClosedError: the log was closed.
            EventTooLargeError: the service would not take it.
            TypeError: event_data is not JSON.
            ValueError: event_data holds NaN or an infinity.
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
            raise EventTooLargeError(f"The event has {len(text)} bytes of JSON: at most {MAX_EVENT_BYTES} are taken.")
        self._buffer.put(Line(event_id, text))
        return event_id

    def flush(self, timeout: float = 30.0) -> bool:
        """Send what waits now; whether everything had been accepted or refused within `timeout` seconds."""
        return self._buffer.flush(timeout)

    def close(self, timeout: float = CLOSING_SECONDS) -> None:
        """Send what waits, for `timeout` seconds, and stop; `on_failure` is told of what is left then. Called at exit.

        A request that is under way when the time is over is waited for.
        """
        self._buffer.close()
        self._thread.join(timeout)
        self._stopped.set()
        self._thread.join()
        self._api.close()
        atexit.unregister(self.close)

    def __enter__(self) -> Self:
        """The log itself; leaving the block closes it."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _run(self) -> None:
        while batch := self._buffer.take():
            self._send(batch)
            self._buffer.done(batch)

    def _send(self, batch: list[Line]) -> None:
        try:
            self._pause(0)
            rejected = self._api.send([line.json for line in batch]).rejected
        except _StoppedError:
            rejected = dict.fromkeys(range(len(batch)), "the log was closed before the service took it")
        except RefusedError as exc:
            rejected = dict.fromkeys(range(len(batch)), str(exc))
        except Exception as exc:  # noqa: BLE001 - the thread has to live on; what failed is told
            rejected = dict.fromkeys(range(len(batch)), f"a bug of the client: {type(exc).__name__}")
            _log.exception("a batch could not be sent")
        for index, reason in rejected.items():
            self._report(Failure(batch[index].event_id, batch[index].json, reason))

    def _report(self, failure: Failure) -> None:
        try:
            self._on_failure(failure)
        except Exception:  # noqa: BLE001 - theirs, and no reason to keep other events from being sent
            _log.exception("on_failure failed for the event %s", failure.event_id)

    def _pause(self, seconds: float) -> None:
        if self._stopped.wait(seconds):
            raise _StoppedError

"""Reachability of the brokers, from librdkafka's error callback and from probes."""

import time
from collections.abc import Callable
from threading import Condition
from typing import Final

from confluent_kafka import KafkaError, KafkaException

from core.errors import QueueUnavailableError

PROBE_SECONDS: Final = 1.0
BACK_OFF_SECONDS: Final = 0.5


class Connectivity:
    """State of the connection, updated by the thread that serves a client and read by the threads that use it.

    librdkafka reconnects in the background. It reports the loss of all brokers, but not their return. So the serving
    thread probes the brokers, and until they answer the users fail at once.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._known = False
        self._failure: Exception | None = None
        self._not_before = 0.0

    def on_error(self, error: KafkaError) -> None:
        """Handle librdkafka's `error_cb`: the next probe asks the brokers."""
        if error.code() in {KafkaError._ALL_BROKERS_DOWN, KafkaError._AUTHENTICATION}:  # noqa: SLF001 - a public name
            with self._changed:
                self._known = False

    def probe(self, ask: Callable[[float], object]) -> bool:
        """Return whether the brokers are reachable. If that is unknown, call `ask` with a time limit in seconds.

        Raises:
            Exception: any error of `ask` other than KafkaException and QueueUnavailableError.
        """
        if self._known and self._failure is None:
            return True
        if time.monotonic() < self._not_before:
            return False
        try:
            ask(PROBE_SECONDS)
        except (KafkaException, QueueUnavailableError) as exc:
            self._not_before = time.monotonic() + BACK_OFF_SECONDS
            self.fail(exc)
            return False
        with self._changed:
            self._known, self._failure = True, None
            self._changed.notify_all()
        return True

    def fail(self, failure: Exception) -> None:
        """Make users fail with `failure` until a probe succeeds."""
        with self._changed:
            self._known, self._failure = True, failure
            self._changed.notify_all()

    def wait_until_reachable(self, timeout: float) -> None:
        """Wait for the result of a probe, for at most `timeout` seconds.

        Raises:
            QueueUnavailableError: the brokers are unreachable, or no probe has ended in time.
        """
        with self._changed:
            known = self._changed.wait_for(lambda: self._known or self._failure is not None, timeout)
        self.raise_if_unreachable()
        if not known:
            raise unavailable()

    def raise_if_unreachable(self) -> None:
        """Raise the last failure, if no probe has succeeded since.

        Raises:
            QueueUnavailableError: the brokers are unreachable.
        """
        failure = self._failure
        if isinstance(failure, QueueUnavailableError):
            raise QueueUnavailableError(str(failure)) from failure.__cause__
        if failure is not None:
            raise unavailable() from failure


def unavailable() -> QueueUnavailableError:
    """Build the error for any operation while Kafka is unavailable."""
    return QueueUnavailableError("Kafka is unavailable at the moment: try again later.")

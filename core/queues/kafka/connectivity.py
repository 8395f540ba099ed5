"""Whether the brokers can be reached: what librdkafka tells of it, and what has to be asked."""

import time
from collections.abc import Callable
from threading import Condition
from typing import Final

from confluent_kafka import KafkaError, KafkaException

from core.errors import QueueUnavailableError

PROBE_SECONDS: Final = 1.0
BACK_OFF_SECONDS: Final = 0.5


class Connectivity:
    """Kept up by the one thread that serves a client, and waited for by those that use it.

    librdkafka connects in the background for ever, and says so when it has lost all brokers but not when it has one
    again. So the thread asks, and as long as there is no answer the users fail at once.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._known = False
        self._failure: Exception | None = None
        self._not_before = 0.0

    def on_error(self, error: KafkaError) -> None:
        """Take note of what librdkafka tells; its `error_cb`."""
        if error.code() in {KafkaError._ALL_BROKERS_DOWN, KafkaError._AUTHENTICATION}:  # noqa: SLF001 - its public name
            with self._changed:
                self._known = False

    def probe(self, ask: Callable[[float], object]) -> bool:
        """Whether the brokers can be reached; `ask`, which gets seconds to wait, finds out if that is not known.

        Raises:
            Exception: what `ask` raises beyond KafkaException and QueueUnavailableError.
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
        """Let users fail with this, until a probe succeeds."""
        with self._changed:
            self._known, self._failure = True, failure
            self._changed.notify_all()

    def wait_until_reachable(self, timeout: float) -> None:
        """Wait until it is known, for at most `timeout` seconds.

        Raises:
            QueueUnavailableError: the brokers cannot be reached.
        """
        with self._changed:
            known = self._changed.wait_for(lambda: self._known or self._failure is not None, timeout)
        self.raise_if_unreachable()
        if not known:
            raise unavailable()

    def raise_if_unreachable(self) -> None:
        """Do nothing, unless it is known that the brokers cannot be reached.

        Raises:
            QueueUnavailableError: they cannot.
        """
        failure = self._failure
        if isinstance(failure, QueueUnavailableError):
            raise QueueUnavailableError(str(failure)) from failure.__cause__
        if failure is not None:
            raise unavailable() from failure


def unavailable() -> QueueUnavailableError:
    """What to raise while Kafka cannot be used."""
    return QueueUnavailableError("Kafka cannot be used at the moment: try again later.")

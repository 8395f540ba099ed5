"""Registry of the brokers: selects the adapter for the scheme of a queue URL."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from core.errors import InvalidSettingsError
from core.ports.queue import DeadLetterQueue, EventPublisher, EventSource, QueueStatistics
from core.settings import Settings

SCHEMES: Final = frozenset({"amqp", "amqps", "kafka", "sqs", "sqs+http"})
"""URL schemes of the brokers."""


class Closable(Protocol):
    """An adapter that holds connections."""

    def close(self) -> None:
        """Disconnect. Messages that were received and not deleted are redelivered."""


class BrokerPublisher(EventPublisher, Closable, Protocol):
    """An `EventPublisher` that also reports its queue's figures."""

    def statistics(self) -> QueueStatistics:
        """Implement `QueueMonitor.statistics`."""


class BrokerSource(EventSource, Closable, Protocol):
    """An `EventSource` that holds a connection."""


class BrokerDeadLetters(DeadLetterQueue, Closable, Protocol):
    """A `DeadLetterQueue` that holds a connection."""


@dataclass(frozen=True)
class Broker:
    """The adapters of one kind of broker, each created from the queue's URL."""

    publisher: Callable[[str], BrokerPublisher]
    source: Callable[[str], BrokerSource]
    dead_letters: Callable[[str], BrokerDeadLetters]


def broker(settings: Settings) -> Broker:
    """Return the broker of `AUDIT_LOG_QUEUE_URL`. Imports its client library, and no other.

    Raises:
        InvalidSettingsError: no broker has this scheme, or its client library is not installed.
    """
    scheme = settings.queue_scheme
    try:
        match scheme:
            case "amqp" | "amqps":
                from core.queues import rabbitmq  # noqa: PLC0415 - at use

                return Broker(rabbitmq.RabbitMQPublisher, rabbitmq.RabbitMQSource, rabbitmq.RabbitMQDeadLetters)
            case "kafka":
                from core.queues import kafka  # noqa: PLC0415 - at use

                return Broker(kafka.KafkaPublisher, kafka.KafkaSource, kafka.KafkaDeadLetters)
            case "sqs" | "sqs+http":
                from core.queues import sqs  # noqa: PLC0415 - at use

                return Broker(sqs.SQSPublisher, sqs.SQSSource, sqs.SQSDeadLetters)
    except ImportError as exc:
        extra = {"kafka": "kafka", "sqs": "aws", "sqs+http": "aws"}.get(scheme, "rabbitmq")
        raise InvalidSettingsError(
            f"AUDIT_LOG_QUEUE_URL: {exc.name} is not installed: pip install 'audit-log-service[{extra}]'"
        ) from exc
    raise unknown_scheme(scheme)


def unknown_scheme(scheme: str) -> InvalidSettingsError:
    """Build the error for a queue URL whose scheme is not in `SCHEMES`."""
    return InvalidSettingsError(
        f"AUDIT_LOG_QUEUE_URL: there is no queue for {scheme}:// here: use memory:// with the local runner, "
        "amqp:// (RabbitMQ), kafka:// or sqs://"
    )

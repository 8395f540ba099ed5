"""Which adapter speaks to the broker of a queue URL."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from core.errors import InvalidSettingsError
from core.ports.queue import DeadLetterQueue, EventPublisher, EventSource
from core.settings import Settings

SCHEMES: Final = frozenset({"amqp", "amqps", "kafka", "sqs", "sqs+http"})
"""Of the queue URLs that name a broker."""


class Closable(Protocol):
    """A part that holds connections."""

    def close(self) -> None:
        """Give them back. What is received and not deleted comes again."""


class BrokerPublisher(EventPublisher, Closable, Protocol):
    """A publisher that can tell how its broker is."""

    def check(self) -> dict[str, object]:
        """Implements `Check`."""


class BrokerSource(EventSource, Closable, Protocol):
    """A source with a connection."""


class BrokerDeadLetters(DeadLetterQueue, Closable, Protocol):
    """Dead letters behind a connection."""


@dataclass(frozen=True)
class Broker:
    """What speaks to one kind of broker; each part is made from the queue's URL."""

    publisher: Callable[[str], BrokerPublisher]
    source: Callable[[str], BrokerSource]
    dead_letters: Callable[[str], BrokerDeadLetters]


def broker(settings: Settings) -> Broker:
    """The broker of `AUDIT_LOG_QUEUE_URL`; its client library is imported here and not before.

    Raises:
        InvalidSettingsError: there is none of this scheme, or its client library is not installed.
    """
    scheme = settings.queue_scheme
    try:
        match scheme:
            case "amqp" | "amqps":
                from core.queues import rabbitmq  # noqa: PLC0415 - see above

                return Broker(rabbitmq.RabbitMQPublisher, rabbitmq.RabbitMQSource, rabbitmq.RabbitMQDeadLetters)
            case "kafka":
                from core.queues import kafka  # noqa: PLC0415 - see above

                return Broker(kafka.KafkaPublisher, kafka.KafkaSource, kafka.KafkaDeadLetters)
            case "sqs" | "sqs+http":
                from core.queues import sqs  # noqa: PLC0415 - see above

                return Broker(sqs.SQSPublisher, sqs.SQSSource, sqs.SQSDeadLetters)
    except ImportError as exc:
        extra = {"kafka": "kafka", "sqs": "aws", "sqs+http": "aws"}.get(scheme, "rabbitmq")
        raise InvalidSettingsError(
            f"AUDIT_LOG_QUEUE_URL: {exc.name} is not installed: pip install 'audit-log-service[{extra}]'"
        ) from exc
    raise unknown_scheme(scheme)


def unknown_scheme(scheme: str) -> InvalidSettingsError:
    """What is wrong with a queue URL of a scheme that is none of `SCHEMES`."""
    return InvalidSettingsError(
        f"AUDIT_LOG_QUEUE_URL: there is no queue for {scheme}:// here; use memory:// with the local runner, "
        "amqp:// (RabbitMQ), kafka:// or sqs://"
    )

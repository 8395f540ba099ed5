"""Where a queue is: the broker, and the queue on it."""

from dataclasses import dataclass, field
from typing import Final

from yarl import URL

from core.errors import InvalidSettingsError

DEFAULT_QUEUE: Final = "audit-log.events"
DEAD_SUFFIX: Final = ".dead"
_LONGEST_NAME: Final = 255 - len(DEAD_SUFFIX)  # bytes: AMQP 0-9-1, short string


@dataclass(frozen=True)
class RabbitMQAddress:
    """The parts of `amqp://user:pass@host:5672/vhost?queue=NAME&max_length=N`; the others are the client's."""

    url: URL = field(repr=False)
    queue: str
    max_length: int | None

    @property
    def dead_letters(self) -> str:
        """The queue of what was given up."""
        return self.queue + DEAD_SUFFIX

    @classmethod
    def parse(cls, url: str) -> "RabbitMQAddress":
        """Take the URL of a queue apart.

        Raises:
            InvalidSettingsError: not such a URL. What is in it is not repeated, since a password may be.
        """
        try:
            parsed = URL(url)
            port = parsed.port
        except ValueError:
            raise _invalid(
                "use for example amqp://user:password@host:5672/vhost, with %XX for special characters"
            ) from None
        if parsed.scheme not in {"amqp", "amqps"} or not parsed.host or port == 0:
            raise _invalid("use for example amqp://user:password@host:5672/vhost, or amqps:// with TLS")
        queue = parsed.query.get("queue", DEFAULT_QUEUE)
        if not 0 < len(queue.encode()) <= _LONGEST_NAME or queue.startswith("amq."):
            raise _invalid(f"queue must have 1 to {_LONGEST_NAME} bytes and not begin with amq.")
        max_length = parsed.query.get("max_length")
        if max_length is not None and not (max_length.isascii() and max_length.isdecimal() and int(max_length) > 0):
            raise _invalid("max_length must be a whole number of messages, at least 1")
        return cls(
            parsed.without_query_params("queue", "max_length"), queue, None if max_length is None else int(max_length)
        )


def _invalid(hint: str) -> InvalidSettingsError:
    return InvalidSettingsError(f"AUDIT_LOG_QUEUE_URL is not the address of a RabbitMQ queue: {hint}")

"""The URL of a RabbitMQ queue: broker, queue name and length limit."""

from dataclasses import dataclass, field
from typing import Final

from yarl import URL

from core.errors import InvalidSettingsError

DEFAULT_QUEUE: Final = "audit-log.events"
DEAD_SUFFIX: Final = ".dead"
_LONGEST_NAME: Final = 255 - len(DEAD_SUFFIX)  # bytes: AMQP 0-9-1, short string


@dataclass(frozen=True)
class RabbitMQAddress:
    """Parts of `amqp://user:pass@host:5672/vhost?queue=NAME&max_length=N`. Other parameters go to aiormq."""

    url: URL = field(repr=False)
    queue: str
    max_length: int | None

    @property
    def dead_letters(self) -> str:
        """Name of the queue of the dead letters."""
        return self.queue + DEAD_SUFFIX

    @classmethod
    def parse(cls, url: str) -> "RabbitMQAddress":
        """Parse a queue URL.

        Raises:
            InvalidSettingsError: not a RabbitMQ URL. The message repeats none of it, because it may hold a password.
        """
        try:
            parsed = URL(url)
            port = parsed.port
        except ValueError:
            raise _invalid(
                "use, for example, amqp://user:password@host:5672/vhost, with %XX for special characters"
            ) from None
        if parsed.scheme not in {"amqp", "amqps"} or not parsed.host or port == 0:
            raise _invalid("use, for example, amqp://user:password@host:5672/vhost, or amqps:// with TLS")
        queue = parsed.query.get("queue", DEFAULT_QUEUE)
        if not 0 < len(queue.encode()) <= _LONGEST_NAME or queue.startswith("amq."):
            raise _invalid(f"queue must have 1 to {_LONGEST_NAME} bytes and must not begin with amq.")
        max_length = parsed.query.get("max_length")
        if max_length is not None and not (max_length.isascii() and max_length.isdecimal() and int(max_length) > 0):
            raise _invalid("max_length must be a number of messages, at least 1")
        return cls(
            parsed.without_query_params("queue", "max_length"), queue, None if max_length is None else int(max_length)
        )


def _invalid(hint: str) -> InvalidSettingsError:
    return InvalidSettingsError(f"AUDIT_LOG_QUEUE_URL is not a RabbitMQ queue URL: {hint}")

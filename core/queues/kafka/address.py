"""The URL of a Kafka queue: brokers, topic, consumer group and librdkafka settings."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from confluent_kafka import Consumer, KafkaException, Producer

from core.errors import InvalidSettingsError

DEFAULT_TOPIC: Final = "audit-log.events"
DEFAULT_GROUP: Final = "audit-log"
DEAD_SUFFIX: Final = ".dead"

DEFAULT_SETTINGS: Final[Mapping[str, Mapping[str, Any]]] = {
    "all": {"reconnect.backoff.max.ms": 1000},
    "producer": {
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": 1,
        "partitioner": "murmur2_random",  # the Java client's, so that all producers put a customer in one partition
    },
    "consumer": {
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "partition.assignment.strategy": "cooperative-sticky",
    },
}
"""Settings of the adapter, by kind of client. The URL may change those in `_TUNABLE` only."""

_TUNABLE: Final = frozenset({"reconnect.backoff.max.ms", "linger.ms", "partitioner"})
_REFUSED: Final = (
    frozenset(name for settings in DEFAULT_SETTINGS.values() for name in settings) - _TUNABLE
    | {"bootstrap.servers", "metadata.broker.list", "request.required.acks", "enable.partition.eof"}
    | {"delivery.timeout.ms", "message.timeout.ms", "transactional.id", "log_level", "log.queue"}
    | {"allow.auto.create.topics"}  # would create a topic for a misspelt name
    | {"plugin.library.paths"}  # would load code
)
_SERVER: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")
_TOPIC: Final = re.compile(rf"(?!\.\.?$)[A-Za-z0-9._-]{{1,{249 - len(DEAD_SUFFIX)}}}")
# The rest of a value whose & is not escaped as %26 looks like a name and may be a secret: only names of this form are
# repeated in errors.
_NAME: Final = re.compile(r"[a-z]+(?:\.[a-z]+)+|acks|retries|debug|partitioner")
_EXAMPLE: Final = "use, for example, kafka://host:9092,host2:9092/topic?security.protocol=ssl"


@dataclass(frozen=True)
class KafkaAddress:
    """Parts of `kafka://host:9092,host2:9092/topic?name=value`, whose parameters are librdkafka's settings.

    https://docs.confluent.io/platform/current/clients/librdkafka/html/md_CONFIGURATION.html
    """

    servers: str
    topic: str
    group: str
    _settings: Mapping[str, str] = field(repr=False)

    @property
    def dead_letters(self) -> str:
        """Name of the topic of the dead letters."""
        return self.topic + DEAD_SUFFIX

    @property
    def redrive_group(self) -> str:
        """Consumer group whose offset separates redriven dead letters from the others."""
        return self.group + ".redrive"

    def producer_settings(self, timeout: float) -> dict[str, Any]:
        """Settings of a producer that gives up on a message after `timeout` seconds."""
        return {**self._client(DEFAULT_SETTINGS["producer"]), "delivery.timeout.ms": int(timeout * 1000)}

    def consumer_settings(self, group: str) -> dict[str, Any]:
        """Settings of a consumer in `group`."""
        return {**self._client(DEFAULT_SETTINGS["consumer"]), "group.id": group}

    def admin_settings(self) -> dict[str, Any]:
        """Settings of an admin client."""
        return self._client({})

    @classmethod
    def parse(cls, url: str) -> "KafkaAddress":
        """Parse a queue URL.

        Raises:
            InvalidSettingsError: not a Kafka URL, or parameters that librdkafka rejects. The message repeats the names
                of parameters but no values, which may be passwords.
        """
        split = _split_url(url)
        if split is None:
            raise _invalid(f"{_EXAMPLE}, with %XX for special characters")
        parts, settings = split
        if parts.scheme != "kafka" or parts.fragment or not all(map(_is_server, parts.netloc.split(","))):
            raise _invalid(f"{_EXAMPLE}; set user and password as the parameters sasl.username and sasl.password")
        topic = unquote(parts.path.removeprefix("/")) or DEFAULT_TOPIC
        if not _TOPIC.fullmatch(topic):
            raise _invalid("the topic must have 1 to 244 of the characters a-z, A-Z, 0-9, '.', '_' and '-'")
        if refused := _REFUSED & settings.keys():
            raise _invalid(f"{min(refused)} is set by the service: leave it out")
        group = settings.pop("group.id", DEFAULT_GROUP)
        if not group:
            raise _invalid("group.id must not be empty")
        address = cls(parts.netloc, topic, group, settings)
        if problem := address._find_invalid_parameter():
            raise _invalid(problem)
        return address

    def _client(self, defaults: Mapping[str, Any]) -> dict[str, Any]:
        return {**DEFAULT_SETTINGS["all"], **defaults, **self._settings, "bootstrap.servers": self.servers}

    def _find_invalid_parameter(self) -> str | None:
        """Validate the settings by creating librdkafka clients without brokers; return the problem or None."""
        quiet = {"bootstrap.servers": "", "log_level": 0}
        try:
            Producer({**self.producer_settings(timeout=5), **quiet})
            Consumer({**self.consumer_settings(self.group), **quiet}).close()
        except (KafkaException, TypeError, ValueError) as exc:
            message = str(exc)
        else:
            return None
        named = [name for name in self._settings if re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", message)]
        names = [name for name in named or self._settings if _NAME.fullmatch(name)]
        if not names:
            return "librdkafka does not know one of the parameters; escape & in a value as %26"
        return f"librdkafka rejects the parameter {' with '.join(names)}: correct its value or leave it out"


def _split_url(url: str) -> tuple[SplitResult, dict[str, str]] | None:
    # Returns None in place of raising: the ValueError quotes the URL, and would be the context of the new error.
    try:
        parts = urlsplit(url)
        return parts, dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        return None


def _is_server(server: str) -> bool:
    match = _SERVER.fullmatch(server)
    return match is not None and 0 < int(match["port"] or 9092) < 2**16


def _invalid(hint: str) -> InvalidSettingsError:
    return InvalidSettingsError(f"AUDIT_LOG_QUEUE_URL is not a Kafka queue URL: {hint}")

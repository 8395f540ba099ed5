"""Where a queue is: the brokers, the topic on them, and what librdkafka has to know to reach them."""

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
        "partitioner": "murmur2_random",  # as other clients do it, so that all agree where a customer's events are
    },
    "consumer": {
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "partition.assignment.strategy": "cooperative-sticky",
    },
}
"""What the adapter sets by itself. Those of `_TUNABLE` are only defaults."""

_TUNABLE: Final = frozenset({"reconnect.backoff.max.ms", "linger.ms", "partitioner"})
_REFUSED: Final = (
    frozenset(name for settings in DEFAULT_SETTINGS.values() for name in settings) - _TUNABLE
    | {"bootstrap.servers", "metadata.broker.list", "request.required.acks", "enable.partition.eof"}
    | {"delivery.timeout.ms", "message.timeout.ms", "transactional.id", "log_level", "log.queue"}
    | {
        "allow.auto.create.topics",
        "plugin.library.paths",
    }  # the first makes topics by misspelling, the second loads code
)
_SERVER: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")
_TOPIC: Final = re.compile(rf"(?!\.\.?$)[A-Za-z0-9._-]{{1,{249 - len(DEAD_SUFFIX)}}}")
# Of a value whose & is not written as %26 the rest looks like a name: nothing else than this is repeated.
_NAME: Final = re.compile(r"[a-z]+(?:\.[a-z]+)+|acks|retries|debug|partitioner")
_EXAMPLE: Final = "use for example kafka://host:9092,host2:9092/topic?security.protocol=ssl"


@dataclass(frozen=True)
class KafkaAddress:
    """The parts of `kafka://host:9092,host2:9092/topic?name=value`; the parameters are librdkafka's settings.

    https://docs.confluent.io/platform/current/clients/librdkafka/html/md_CONFIGURATION.html
    """

    servers: str
    topic: str
    group: str
    _settings: Mapping[str, str] = field(repr=False)

    @property
    def dead_letters(self) -> str:
        """The topic of what was given up."""
        return self.topic + DEAD_SUFFIX

    @property
    def redrive_group(self) -> str:
        """The group whose offset says which dead letters were put back."""
        return self.group + ".redrive"

    def producer_settings(self, timeout: float) -> dict[str, Any]:
        """What a producer is made of that gives a message up after `timeout` seconds."""
        return {**self._client(DEFAULT_SETTINGS["producer"]), "delivery.timeout.ms": int(timeout * 1000)}

    def consumer_settings(self, group: str) -> dict[str, Any]:
        """What a consumer of this group is made of."""
        return {**self._client(DEFAULT_SETTINGS["consumer"]), "group.id": group}

    def admin_settings(self) -> dict[str, Any]:
        """What a client is made of that makes topics."""
        return self._client({})

    @classmethod
    def parse(cls, url: str) -> "KafkaAddress":
        """Take the URL of a queue apart.

        Raises:
            InvalidSettingsError: not such a URL, or parameters that librdkafka refuses. What is in it is not repeated
                but for the names of parameters, since a password may be.
        """
        split = _split_url(url)
        if split is None:
            raise _invalid(f"{_EXAMPLE}, with %XX for special characters")
        parts, settings = split
        if parts.scheme != "kafka" or parts.fragment or not all(map(_is_server, parts.netloc.split(","))):
            raise _invalid(f"{_EXAMPLE}; user and password are the parameters sasl.username and sasl.password")
        topic = unquote(parts.path.removeprefix("/")) or DEFAULT_TOPIC
        if not _TOPIC.fullmatch(topic):
            raise _invalid("a topic has at most 244 of the characters a-z, A-Z, 0-9, '.', '_' and '-'")
        if refused := _REFUSED & settings.keys():
            raise _invalid(f"{min(refused)} is set by the service, so leave it out")
        group = settings.pop("group.id", DEFAULT_GROUP)
        if not group:
            raise _invalid("group.id must not be empty")
        address = cls(parts.netloc, topic, group, settings)
        if complaint := address._find_invalid_parameter():
            raise _invalid(complaint)
        return address

    def _client(self, own: Mapping[str, Any]) -> dict[str, Any]:
        return {**DEFAULT_SETTINGS["all"], **own, **self._settings, "bootstrap.servers": self.servers}

    def _find_invalid_parameter(self) -> str | None:
        """What is wrong with the settings, as librdkafka finds by making clients that connect to nothing."""
        quiet = {"bootstrap.servers": "", "log_level": 0}
        try:
            Producer({**self.producer_settings(timeout=5), **quiet})
            Consumer({**self.consumer_settings(self.group), **quiet}).close()
        except (KafkaException, TypeError, ValueError) as exc:
            said = str(exc)
        else:
            return None
        named = [name for name in self._settings if re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", said)]
        names = [name for name in named or self._settings if _NAME.fullmatch(name)]
        if not names:
            return "it has a parameter that Kafka's client does not know; write & in a value as %26"
        return f"Kafka's client does not take the parameter {' with '.join(names)} as it is"


def _split_url(url: str) -> tuple[SplitResult, dict[str, str]] | None:
    # No error is raised while another is handled that quotes the URL: it would go along as its context.
    try:
        parts = urlsplit(url)
        return parts, dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        return None


def _is_server(server: str) -> bool:
    match = _SERVER.fullmatch(server)
    return match is not None and 0 < int(match["port"] or 9092) < 2**16


def _invalid(hint: str) -> InvalidSettingsError:
    return InvalidSettingsError(f"AUDIT_LOG_QUEUE_URL is not the address of a Kafka queue: {hint}")

"""Destination `splunk`: the HTTP Event Collector (HEC) of Splunk, and of products that speak its protocol.

https://docs.splunk.com/Documentation/Splunk/latest/Data/FormateventsforHTTPEventCollector
https://docs.splunk.com/Documentation/Splunk/latest/Data/TroubleshootHTTPEventCollector
"""

import gzip
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StrictStr

from core.errors import DeliveryDelayedError, MisconfiguredError
from core.ports.streams import Batch, BatchEntry, Limits, Receipt
from core.streams.answers import require_success
from core.streams.egress import Answer, Egress
from core.streams.settings_fields import EndpointUrl, header_value

_BAD_REQUEST: Final = 400
_WRONG_SETTINGS: Final = {
    7: "The index does not exist, or the token may not write to it.",
    10: "The token has indexer acknowledgement, which streams do not use: use one without.",
    11: "The token has indexer acknowledgement, which streams do not use: use one without.",
}
"""Codes of HEC that come with 400 and have nothing to do with the events."""

Name = Annotated[StrictStr, Field(min_length=1, max_length=255)]


class Config(BaseModel):
    """Settings of the destination."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: Literal["splunk"] = "splunk"
    url: EndpointUrl
    index: Name | None = Field(default=None, description="Index of Splunk; default: that of the token.")
    host: Name | None = Field(default=None, description="Field host of each event; default: that of the token.")
    source: Name = Field(default="audit-log", description="Field source of each event.")
    sourcetype: Name = Field(default="audit_log", description="Field sourcetype of each event.")
    gzip: bool = Field(default=True, description="Whether bodies are compressed.")


class Secrets(BaseModel):
    """Secret settings of the destination."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    token: Annotated[SecretStr, AfterValidator(header_value)] = Field(description="Token of the HEC.")


class SplunkDestination:
    """Implements `Destination`."""

    limits = Limits(events=1_000, bytes=800_000)
    """Splunk Cloud takes requests of up to 1 MB."""

    def __init__(self, config: Config, secrets: Secrets, egress: Egress) -> None:
        self._config = config
        self._egress = egress
        self._headers = {
            "Authorization": f"Splunk {secrets.token.get_secret_value()}",
            "Content-Type": "application/json",
            **({"Content-Encoding": "gzip"} if config.gzip else {}),
        }
        self._metadata = config.model_dump(include={"index", "host", "source", "sourcetype"}, exclude_none=True)

    def send(self, batch: Batch) -> Receipt:
        """See `Destination.send`."""
        body = b"".join(orjson.dumps(self._event(entry)) for entry in batch.entries)
        sent = gzip.compress(body, mtime=0) if self._config.gzip else body
        answer = self._egress.post(self._config.url, sent, self._headers)
        code = _code(answer)
        if answer.status == _BAD_REQUEST and code in _WRONG_SETTINGS:
            raise MisconfiguredError(_WRONG_SETTINGS[code], answer.status)
        require_success(answer)
        if code != 0:
            raise DeliveryDelayedError("The answer is not that of a Splunk HTTP Event Collector.", answer.status)
        return Receipt(answer.status)

    def close(self) -> None:
        """There is nothing to close: each request has a connection."""

    def _event(self, entry: BatchEntry) -> dict[str, Any]:
        event = entry.event
        return {
            "time": event.timestamp_utc,
            **self._metadata,
            "event": entry.record,
            "fields": {"event_id": event.event_id},
        }


def open_destination(_stream_id: str, config: Config, secrets: Secrets, egress: Egress) -> SplunkDestination:
    """See `core.ports.streams`."""
    egress.check(config.url)
    return SplunkDestination(config, secrets, egress)


def operator_only(_config: Config, _secrets: Secrets) -> str | None:
    """See `core.ports.streams`."""
    return None


def _code(answer: Answer) -> int | None:
    """The code of HEC in an answer; None if it has none."""
    try:
        code = orjson.loads(answer.body)["code"]
    except (ValueError, TypeError, KeyError):
        return None
    return code if isinstance(code, int) else None

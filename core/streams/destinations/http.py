"""Destination `http`: a webhook, signed by Standard Webhooks, or plain JSON for a product that takes it by HTTP."""

import time
import uuid
from collections.abc import Callable
from typing import Final, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from core.domain.models import rfc3339_milliseconds
from core.ports.streams import Batch, Limits, Receipt
from core.streams.answers import require_success
from core.streams.egress import Egress
from core.streams.settings_fields import EndpointUrl, Headers, revealed
from core.streams.signatures import SigningSecret, new_signing_secret, signature_headers

__all__ = ["Config", "HttpDestination", "Secrets", "new_signing_secret", "open_destination", "operator_only"]

_TYPE: Final = "audit-log.events"
_ID_NAMESPACE: Final = uuid.UUID("0c4b6df6-5b0b-5d0c-9a6c-4a2f3b2b8f0e")


class Config(BaseModel):
    """Settings of the destination."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: Literal["http"] = "http"
    url: EndpointUrl
    body: Literal["webhook", "array", "lines"] = Field(
        default="webhook",
        description='webhook: {"type": "audit-log.events", "timestamp": ..., "data": [events]}; array: a JSON array; '
        "lines: JSON lines.",
    )


class Secrets(BaseModel):
    """Secret settings of the destination."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    headers: Headers = {}
    signing_secrets: tuple[SigningSecret, ...] = Field(
        default=(), max_length=2, description="Secrets that sign requests, all of them; made by the service."
    )


class HttpDestination:
    """Implements `Destination`."""

    limits = Limits()

    def __init__(
        self, config: Config, secrets: Secrets, egress: Egress, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock` gives the time of the signatures."""
        self._config = config
        self._secrets = secrets
        self._egress = egress
        self._clock = clock

    def send(self, batch: Batch) -> Receipt:
        """See `Destination.send`."""
        media_type, body = self._body(batch)
        signed = signature_headers(self._secrets.signing_secrets, message_id(batch), int(self._clock()), body)
        headers = {"Content-Type": media_type, **revealed(self._secrets.headers), **signed}
        answer = self._egress.post(self._config.url, body, headers)
        require_success(answer)
        return Receipt(answer.status)

    def close(self) -> None:
        """There is nothing to close: each request has a connection."""

    def _body(self, batch: Batch) -> tuple[str, bytes]:
        """Media type and body. A batch that is sent again has the same bytes."""
        records = [entry.record for entry in batch.entries]
        if self._config.body == "lines":
            return "application/x-ndjson", b"".join(orjson.dumps(record) + b"\n" for record in records)
        if self._config.body == "array":
            return "application/json", orjson.dumps(records)
        last = rfc3339_milliseconds(batch.entries[-1].event.received_at)
        return "application/json", orjson.dumps({"type": _TYPE, "timestamp": last, "data": records})


def message_id(batch: Batch) -> str:
    """Return an id that is the same whenever the same events are sent again."""
    first, last = batch.entries[0].event.event_id, batch.entries[-1].event.event_id
    return str(uuid.uuid5(_ID_NAMESPACE, f"{batch.stream_id} {first} {last}"))


def open_destination(_stream_id: str, config: Config, secrets: Secrets, egress: Egress) -> HttpDestination:
    """See `core.ports.streams`."""
    egress.check(config.url)
    return HttpDestination(config, secrets, egress)


def operator_only(_config: Config, _secrets: Secrets) -> str | None:
    """See `core.ports.streams`."""
    return None

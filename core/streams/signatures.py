"""Signatures of webhooks by the specification Standard Webhooks, symmetric (`v1`).

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hmac
import secrets
from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import AfterValidator, SecretStr

PREFIX: Final = "whsec_"
_MIN_BYTES: Final = 24
_MAX_BYTES: Final = 64
_NEW_BYTES: Final = 32


def new_signing_secret() -> str:
    """Make a secret of 32 random bytes in the form that the published libraries take."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_NEW_BYTES)).decode()


def signature_headers(signing: Sequence[SecretStr], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers that prove who sent `body`, with a signature by each secret; none without secrets."""
    if not signing:
        return {}
    signed = f"{message_id}.{timestamp}.".encode() + body
    made = (hmac.digest(_key(secret.get_secret_value()), signed, "sha256") for secret in signing)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(each).decode()}" for each in made),
    }


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)


def _signing_secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    try:
        is_valid = text.startswith(PREFIX) and _MIN_BYTES <= len(_key(text)) <= _MAX_BYTES
    except (binascii.Error, ValueError):
        is_valid = False
    if not is_valid:
        raise ValueError(f"must be {PREFIX} and {_MIN_BYTES} to {_MAX_BYTES} bytes in base64")
    return value


SigningSecret = Annotated[SecretStr, AfterValidator(_signing_secret)]

"""Builders of what tests send: every argument has a sensible default, a test names only what it is about."""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from core.domain.models import Event

PrivateKey = Ed25519PrivateKey | RSAPrivateKey | EllipticCurvePrivateKey
PublicKey = Ed25519PublicKey | RSAPublicKey | EllipticCurvePublicKey

RECEIVED_AT = datetime(2026, 1, 31, 12, 0, 0, 123000, UTC)


def new_event(**fields: Any) -> dict[str, Any]:
    """An event as a client posts it; pass `name=...` to set a field, `name=None` to leave it out."""
    event = {"event_type": "user.login", "customer_id": 42, "event_data": {"admin_data": {"username": "admin"}}}
    return {name: value for name, value in {**event, **fields}.items() if value is not None}


def event(number: int = 1, **fields: Any) -> Event:
    """An event as the service keeps it. `number` makes its id."""
    defaults: dict[str, Any] = {
        "event_id": f"00000000-0000-7000-8000-{number:012d}",
        "event_type": "user.login",
        "customer_id": 42,
        "timestamp_utc": 1_700_000_000 + number,
        "event_data": {"number": number},
        "received_at": RECEIVED_AT,
        "recorded_by": "tests",
    }
    return Event.model_validate({**defaults, **fields})


def proxy_event(
    method: str = "GET",
    path: str = "/event",
    *,
    body: object = None,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
    query: Sequence[tuple[str, str]] = (),
    path_parameters: Mapping[str, str] | None = None,
    request_id: str | None = "request-1",
    stage_path: str | None = None,
) -> dict[str, Any]:
    """An API Gateway REST proxy event (payload 1.0). `body`: bytes go as base64, str as it is, all else as JSON."""
    text, is_base64 = _body(body)
    all_headers = dict(headers or {})
    if token is not None:
        all_headers["Authorization"] = f"Bearer {token}"
    if body is not None and not isinstance(body, bytes):
        all_headers.setdefault("Content-Type", "application/json")
    multi: dict[str, list[str]] = {}
    for name, value in query:
        multi.setdefault(name, []).append(value)
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": all_headers,
        "multiValueHeaders": {name: [value] for name, value in all_headers.items()},
        "queryStringParameters": {name: values[-1] for name, values in multi.items()} or None,
        "multiValueQueryStringParameters": multi or None,
        "pathParameters": dict(path_parameters) if path_parameters else None,
        "stageVariables": None,
        "requestContext": {"requestId": request_id, "stage": "test", "path": stage_path or path},
        "body": text,
        "isBase64Encoded": is_base64,
    }


def sqs_event(*bodies: str, first_id: int = 1) -> dict[str, Any]:
    """An SQS event as Lambda gets it, with message ids m1, m2, ..."""
    return {
        "Records": [
            {
                "messageId": f"m{number}",
                "receiptHandle": f"r{number}",
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1700000000000"},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-central-1:000000000000:events",
                "awsRegion": "eu-central-1",
            }
            for number, body in enumerate(bodies, first_id)
        ]
    }


def _body(body: object) -> tuple[str | None, bool]:
    if body is None or isinstance(body, str):
        return body, False
    if isinstance(body, bytes):
        return base64.b64encode(body).decode(), True
    return json.dumps(body), False


def pem(*keys: PrivateKey | PublicKey, password: bytes | None = None) -> str:
    """Keys as a key file holds them, one PEM block after the other; `password` encrypts the private ones."""
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    blocks = [
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
        if isinstance(key, PrivateKey)
        else key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        for key in keys
    ]
    return b"".join(blocks).decode()


def basic(client_id: str, secret: str) -> dict[str, str]:
    """The header of HTTP Basic authentication (RFC 7617)."""
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}

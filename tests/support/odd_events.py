"""Events of many shapes for what reads them: usual ones, those of other systems, and odd values in usual places."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from core.domain.models import MAX_TIMESTAMP, Event
from tests.support.builders import event

TEXTS = (
    "admin", "Ada Lovelace", "203.0.113.7", "2001:db8::7", "fe80::1%eth0", "10.0.0.1:443", "host.example.org", "Zoë",
    "中文", "😀", "a\u0308", "\u202eevil", "\ufffe", "\ufdd0", "\x00\x01", "\x7f\x9f", "\u2028", "line\nbreak", " ", "",
    "null", "True", "[*]", "{}", "<script>", "'; --", "%s", "x" * 70_000,
)  # fmt: skip
NUMBERS = (0, -1, 1, 2**53 + 1, 2**63 - 1, -(2**63), 0.1, -0.0, 1e300, 1.5e-9)
OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [[]], [None], {"": ""}, {"a": [{"b": [1]}]})
OUTCOMES = ("success", "FAILURE", "ok", "denied", "maybe", "", True, False, 1, None)
ACTIONS = ("create", "Read", "update", "DELETE", "login", "Äpfel schälen", "")
TYPES = ("user.login", "a", "Ärger", "user/ü\ufffe", "x" * 255, "🙂🙂", "document shared?#&=%20", '"quoted"')
RECORDERS = ("client-9693b25894fd7e86", "auth0|中文", "a\ufffeb", "x" * 255)
CUSTOMERS = (-1, 0, 42, 2**63 - 1, -(2**63))
TIMES = (0, 1, 1_767_225_600, MAX_TIMESTAMP)


def odd_events(count: int) -> Iterator[Event]:
    """The same events in every run."""
    chance = random.Random(19)  # noqa: S311 - the same in every run
    for number in range(count):
        yield event(
            number,
            event_type=chance.choice(TYPES),
            customer_id=chance.choice(CUSTOMERS),
            timestamp_utc=chance.choice(TIMES),
            received_at=datetime(2026, 1, 31, 12, tzinfo=UTC) + timedelta(milliseconds=chance.randrange(10**10)),
            recorded_by=chance.choice(RECORDERS),
            event_data=_data(chance),
        )


def _data(chance: random.Random) -> dict[str, Any]:
    def value() -> Any:
        return chance.choice(chance.choice((TEXTS, TEXTS, NUMBERS, OTHERS)))

    def named() -> Any:
        return chance.choice(
            ({"id": value(), "name": value(), "type": value()}, {"id": value()}, {"x": value()}, value())
        )

    shape = chance.randrange(6)
    if shape == 0:
        return {"actor": named(), "action": chance.choice(ACTIONS), "outcome": chance.choice(OUTCOMES)}
    if shape == 1:
        return {
            "actor": {"id": chance.choice(("admin", 7, "中文")), "name": value()},
            "targets": [named() for _ in range(chance.randrange(4))],
            "context": {"ip": value(), "user_agent": value()},
            "action": value(),
            "outcome": value(),
        }
    if shape == 2:
        return {"userIdentity": {"arn": "arn:aws:iam::1:user/a"}, "eventName": "PutObject", "sourceIPAddress": value()}
    if shape == 3:
        return {
            "actor": {"user": {"uid": value(), "name": value()}},
            "src_endpoint": {"ip": value()},
            "status": value(),
        }
    if shape == 4:
        return {
            "user": named(),
            "event": {"action": value(), "outcome": value()},
            "target": named(),
            "targets": value(),
        }
    return {chance.choice(TEXTS[:20]): value() for _ in range(1 + chance.randrange(4))}

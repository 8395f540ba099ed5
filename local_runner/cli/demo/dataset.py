"""Sample data: a month of plausible events of a few companies, with one account takeover."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

DAYS: Final = 30
EVENTS_A_DAY: Final = 100
CUSTOMERS: Final = {
    1001: ("Northwind Bakery", ["a.berg", "j.olsen", "m.keller"]),
    1002: ("Harbour Logistics", ["s.tanaka", "p.novak", "l.moreau", "d.okafor"]),
    1003: ("Clearwater Clinic", ["r.haas", "n.silva"]),
    1004: ("Alder & Finch", ["c.wood", "e.finch", "t.rossi"]),
}
SUSPECT: Final = "m.keller"
SUSPECT_CUSTOMER: Final = 1001
SUSPECT_ADDRESS: Final = "203.0.113.66"

_DAY: Final = 86_400
_OFFICE_HOURS: Final = (7 * 3600, 18 * 3600)
_ROLES: Final = ("viewer", "editor", "billing", "admin")


@dataclass(frozen=True, slots=True)
class DemoEvent:
    """An event to send."""

    timestamp_utc: int
    event_type: str
    customer_id: int
    event_data: dict[str, Any]


def events(now: int, seed: int = 7) -> list[DemoEvent]:
    """Generate the events of the `DAYS` before `now`, a Unix second, oldest first; equal for equal arguments."""
    chance = random.Random(seed)  # noqa: S311 - sample data, no secret
    midnight = now - now % _DAY
    ordinary = [event for day in range(1, DAYS) for event in _office_day(chance, midnight - day * _DAY)]
    takeover = _takeover(chance, midnight - 2 * _DAY + 2 * 3600)
    return sorted([*ordinary, *takeover], key=lambda event: event.timestamp_utc)


def _office_day(chance: random.Random, midnight: int) -> Iterator[DemoEvent]:
    for _ in range(EVENTS_A_DAY):
        customer, (company, people) = chance.choice(list(CUSTOMERS.items()))
        who = chance.choice(people)
        kind, data = _act(chance, company, people)
        actor = {"username": who, "ip": f"198.51.100.{10 + people.index(who) + customer % 10 * 20}"}
        yield DemoEvent(midnight + chance.randint(*_OFFICE_HOURS), kind, customer, {"admin_data": actor, **data})


def _act(chance: random.Random, company: str, people: list[str]) -> tuple[str, dict[str, Any]]:
    kinds = ("user.login", "invoice.created", "invoice.paid", "permission.changed", "export.created", "user.logout")
    [kind] = chance.choices(kinds, weights=(30, 25, 20, 5, 5, 15))
    number = f"INV-{chance.randint(10_000, 99_999)}"
    match kind:
        case "user.login":
            return kind, {"success": chance.random() > 0.04}  # noqa: PLR2004 - a mistyped password now and then
        case "invoice.created" | "invoice.paid":
            amount = {"amount": chance.randint(2_000, 900_000) / 100, "currency": "EUR"}
            return kind, {"invoice": number, **amount, "company": company}
        case "permission.changed":
            old, new = chance.sample(_ROLES[:3], 2)
            return kind, {"user": chance.choice(people), "from": old, "to": new}
        case "export.created":
            return kind, {"report": "invoices", "rows": chance.randint(20, 400)}
    return kind, {}


def _takeover(chance: random.Random, start: int) -> Iterator[DemoEvent]:
    """The attack: a guessed password, an administrator's role, exported customers, and tracks covered."""
    actor = {"username": SUSPECT, "ip": SUSPECT_ADDRESS}
    at = start

    def event(kind: str, **data: object) -> DemoEvent:
        return DemoEvent(at, kind, SUSPECT_CUSTOMER, {"admin_data": actor, **data})

    for _ in range(140):
        at += chance.randint(1, 4)
        yield event("user.login", success=False)
    acts: list[tuple[str, dict[str, object]]] = [
        ("user.login", {"success": True}),
        ("permission.changed", {"user": SUSPECT, "from": "editor", "to": "admin"}),
        *[("export.created", {"report": "customers", "rows": 48_211 - part}) for part in range(6)],
        ("api_key.created", {"key": "nightly-sync", "scopes": ["customers:read"]}),
        ("alert.disabled", {"alert": "login-failures"}),
        ("user.logout", {}),
    ]
    for kind, data in acts:
        at += chance.randint(20, 90)
        yield event(kind, **data)

"""Sample data: plausible events of a few companies, with one account takeover. Times are Unix seconds."""

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
LAST_ACT: Final = "alert.disabled"
"""Event type that only the takeover has."""

_HOUR: Final = 3_600
_DAY: Final = 24 * _HOUR
_OFFICE_HOURS: Final = (7 * _HOUR, 18 * _HOUR)
_OVERTIME_PAUSES: Final = (60, 240)
_ROLES: Final = ("viewer", "editor", "billing", "admin")


@dataclass(frozen=True, slots=True)
class DemoEvent:
    """An event to send."""

    timestamp_utc: int
    event_type: str
    customer_id: int
    event_data: dict[str, Any]


def history(now: int, after: int) -> list[DemoEvent]:
    """Generate the events later than `after` up to `now`, oldest first; equal for equal arguments.

    They begin at most `DAYS` days before `now`. There are events in the office hours of every day and in the last hour,
    and the takeover two nights ago.
    """
    midnight = now - now % _DAY
    events = [event for day in range(DAYS + 1) for event in _office_day(midnight - day * _DAY)]
    events += _last_hour(now)
    events += _takeover(midnight - 2 * _DAY + 2 * _HOUR)
    return sorted(
        (event for event in events if after < event.timestamp_utc <= now), key=lambda each: each.timestamp_utc
    )


def ordinary_event(chance: random.Random, at: int) -> DemoEvent:
    """Generate something that a person of one of the companies does."""
    customer, (company, people) = chance.choice(list(CUSTOMERS.items()))
    who = chance.choice(people)
    kind, data = _act(chance, company, people)
    address = f"198.51.100.{10 + people.index(who) + customer % 10 * 20}"
    return DemoEvent(at, kind, customer, {**_who(who, address, at), **data})


def _who(actor: str, address: str, at: int) -> dict[str, Any]:
    """The conventional fields of what somebody did: of a success, in the session of that day."""
    session = f"{actor}-{at // _DAY % 1_000:03}"
    return {
        "actor": {"id": actor, "type": "user"},
        "outcome": "success",
        "context": {"ip": address, "session": session, "user_agent": "Mozilla/5.0 (X11; Linux x86_64)"},
    }


def _targets(kind: str, target: str) -> dict[str, Any]:
    return {"targets": [{"type": kind, "id": target}]}


def _role(old: str, new: str) -> dict[str, Any]:
    return {"changes": [{"path": "role", "from": old, "to": new}]}


def _office_day(midnight: int) -> Iterator[DemoEvent]:
    chance = random.Random(midnight)  # noqa: S311 - sample data, no secret; a day is the same at every start
    for _ in range(EVENTS_A_DAY):
        yield ordinary_event(chance, midnight + chance.randint(*_OFFICE_HOURS))


def _last_hour(now: int) -> Iterator[DemoEvent]:
    chance = random.Random(now)  # noqa: S311 - as above
    at = now
    while at > now - _HOUR:
        yield ordinary_event(chance, at)
        at -= chance.randint(*_OVERTIME_PAUSES)


def _act(chance: random.Random, company: str, people: list[str]) -> tuple[str, dict[str, Any]]:
    kinds = ("user.login", "invoice.created", "invoice.paid", "permission.changed", "export.created", "user.logout")
    [kind] = chance.choices(kinds, weights=(30, 25, 20, 5, 5, 15))
    number = f"INV-{chance.randint(10_000, 99_999)}"
    match kind:
        case "user.login":
            is_mistyped = chance.random() <= 0.04  # noqa: PLR2004 - a password now and then
            return kind, {"outcome": "failure"} if is_mistyped else {}
        case "invoice.created" | "invoice.paid":
            amount = {"amount": chance.randint(2_000, 900_000) / 100, "currency": "EUR"}
            return kind, {**_targets("invoice", number), **amount, "company": company}
        case "permission.changed":
            old, new = chance.sample(_ROLES[:3], 2)
            return kind, {**_targets("user", chance.choice(people)), **_role(old, new)}
        case "export.created":
            return kind, {**_targets("report", "invoices"), "rows": chance.randint(20, 400)}
    return kind, {}


def _takeover(start: int) -> Iterator[DemoEvent]:
    """The attack: a guessed password, an administrator's role, exported customers, and tracks covered."""
    chance = random.Random(start)  # noqa: S311 - as above
    at = start

    def event(kind: str, **data: object) -> DemoEvent:
        return DemoEvent(at, kind, SUSPECT_CUSTOMER, {**_who(SUSPECT, SUSPECT_ADDRESS, at), **data})

    for _ in range(140):
        at += chance.randint(1, 4)
        yield event("user.login", outcome="failure")
    acts: list[tuple[str, dict[str, object]]] = [
        ("user.login", {}),
        ("permission.changed", {**_targets("user", SUSPECT), **_role("editor", "admin")}),
        *[("export.created", {**_targets("report", "customers"), "rows": 48_211 - part}) for part in range(6)],
        ("api_key.created", {**_targets("api_key", "nightly-sync"), "scopes": ["customers:read"]}),
        (LAST_ACT, _targets("alert", "login-failures")),
        ("user.logout", {}),
    ]
    for kind, data in acts:
        at += chance.randint(20, 90)
        yield event(kind, **data)

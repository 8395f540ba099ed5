"""Events in the Open Cybersecurity Schema Framework, https://schema.ocsf.io/1.5.0.

An event whose actor is found by the conventional fields is an API Activity (6003), any other one a Base Event (0). All
of event_data is under `unmapped`, so that nothing is lost.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from typing import Any, Final

import orjson

from core.domain.conventional_fields import FAILURES, FIELDS, SUCCESSES
from core.domain.filter_values import data_path
from core.domain.matching import values_at
from core.domain.models import Event
from core.domain.queries import Step

VERSION: Final = "1.5.0"
MAX_TEXT: Final = 4_000
"""Characters of a text outside of `unmapped`, which has all of it. OCSF allows 65,535 in most places."""

_API_ACTIVITY: Final = 6003
_APPLICATION_ACTIVITY: Final = 6
_INFORMATIONAL: Final = 1
_OTHER: Final = 99
_ACTIVITIES: Final[Mapping[str, int]] = {"create": 1, "read": 2, "update": 3, "delete": 4}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NAMES: Final = tuple(map(data_path, ("actor.name", "actor.user.name", "user.name")))
_TARGETS: Final = data_path("targets[*]")


def ocsf(event: Event, source: str) -> dict[str, Any]:
    """Return an event as an OCSF object."""
    record: dict[str, Any] = {
        "time": event.timestamp_utc * 1000,
        "severity_id": _INFORMATIONAL,
        "metadata": {
            "version": VERSION,
            "product": {"name": "Audit Log Service", "uid": source},
            "uid": event.event_id,
            "event_code": event.event_type,
            "tenant_uid": str(event.customer_id),
            "log_provider": event.recorded_by,
            "logged_time": (event.received_at - _EPOCH) // timedelta(milliseconds=1),
        },
        "unmapped": event.event_data,
        **_status(_text_of(event, "outcome")),
    }
    actor, action = _text_of(event, "actor"), _text_of(event, "action") or event.event_type
    if actor is None:
        return record | _classified(0, 0, _OTHER, action)
    name = next(_texts(event, _NAMES), None)
    activity = _ACTIVITIES.get(action.lower(), _OTHER)
    return (
        record
        | _classified(_API_ACTIVITY, _APPLICATION_ACTIVITY, activity, action)
        | {
            "actor": {"user": {"uid": actor} | ({} if name is None else {"name": name})},
            "api": {"operation": action},
            "src_endpoint": _endpoint(_text_of(event, "address"), event.recorded_by),
        }
        | _resources(event)
    )


def _classified(class_uid: int, category_uid: int, activity: int, action: str) -> dict[str, Any]:
    named = {"activity_name": action} if activity == _OTHER else {}
    return {
        "class_uid": class_uid,
        "category_uid": category_uid,
        "activity_id": activity,
        "type_uid": class_uid * 100 + activity,
        **named,
    }


def _status(outcome: str | None) -> dict[str, Any]:
    if outcome is None:
        return {}
    if outcome.lower() in SUCCESSES:
        return {"status_id": 1, "status": "Success"}
    if outcome.lower() in FAILURES:
        return {"status_id": 2, "status": "Failure"}
    return {"status_id": _OTHER, "status": outcome}


def _endpoint(address: str | None, recorder: str) -> dict[str, str]:
    """The place that an event came from. OCSF requires one: if none is known, it is the client that sent the event."""
    if address is None:
        return {"svc_name": recorder}
    try:
        return {"ip": str(ip_address(address.partition("%")[0]))}
    except ValueError:
        return {"name": address}


def _resources(event: Event) -> dict[str, Any]:
    found = []
    for target in values_at(event.event_data, _TARGETS):
        if isinstance(target, dict):
            named = {to: _text(target.get(of)) for to, of in (("uid", "id"), ("name", "name"), ("type", "type"))}
            resource = {name: text for name, text in named.items() if text is not None}
            if resource.keys() & {"uid", "name"}:
                found.append(resource)
    if not found and (target := _text_of(event, "target")) is not None:
        found.append({"uid": target})
    return {"resources": found} if found else {}


def _text_of(event: Event, field: str) -> str | None:
    """The text of a conventional field; None if the event has none."""
    return next(_texts(event, _paths_of(field)), None)


def _texts(event: Event, paths: tuple[tuple[Step, ...], ...]) -> Iterator[str]:
    for path in paths:
        for value in values_at(event.event_data, path):
            if (text := _text(value)) is not None:
                yield text


def _text(value: Any) -> str | None:
    """A text, number or boolean as a text; None for another value and for an empty text."""
    if isinstance(value, str):
        return value[:MAX_TEXT] or None
    return orjson.dumps(value).decode() if isinstance(value, bool | int | float) else None


@cache
def _paths_of(field: str) -> tuple[tuple[Step, ...], ...]:
    (paths,) = (each.paths for each in FIELDS if each.name == field)
    return tuple(map(data_path, paths))

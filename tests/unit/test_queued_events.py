"""Decoding of queue messages: the fast path gives what pydantic gives, and refuses nothing itself."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from core.domain.models import Event
from core.domain.queued_events import decode_event, decode_published
from core.errors import MalformedJSONError
from tests.support.builders import event

DATA: list[dict[str, Any]] = [
    {"admin_data": {"username": "admin", "name": "Zoë 😀"}},
    {"numbers": [0, -1, 2**63 - 1, -(2**63), 1.5, 1e300, 5e-324, -0.0]},
    {"literals": [True, False, None], "": {}, "empty": [], "text": 'quote " backslash \\ line\n'},
    {"deep": json.loads("[" * 120 + "]" * 120)},
]


def own_body(**fields: Any) -> str:
    return event(**fields).to_json().decode()


def changed(**fields: Any) -> str:
    """The body of a published event with some fields replaced, in the same form."""
    return json.dumps({**json.loads(own_body()), **fields}, separators=(",", ":"), ensure_ascii=False)


def swapped(event_type: str) -> str:
    """The body of a published event with type and sender in each other's place."""
    fields = json.loads(own_body())
    recorded_by = fields["recorded_by"]
    order = {"event_type": "recorded_by", "recorded_by": "event_type"}
    values = {**fields, "event_type": event_type, "recorded_by": recorded_by}
    return json.dumps({order.get(n, n): values[order.get(n, n)] for n in fields}, separators=(",", ":"))


@pytest.mark.parametrize("data", DATA)
def test_a_published_event_is_decoded_without_pydantic_and_as_pydantic_does(data: dict[str, Any]) -> None:
    body = own_body(event_data=data)
    decoded = decode_published(body)
    validated = Event.model_validate_json(body)
    assert decoded is not None
    assert decoded == validated
    assert decoded.to_json() == validated.to_json() == body.encode()
    assert decoded.model_dump_json() == validated.model_dump_json()
    assert decoded.model_copy(update={"customer_id": 7}).customer_id == 7
    assert decoded.model_fields_set == validated.model_fields_set
    with pytest.raises(ValidationError):
        decoded.customer_id = 7  # frozen, as any event


VALID_OF_ANOTHER_FORM = [
    json.dumps(json.loads(own_body())),  # with spaces
    json.dumps(dict(reversed(json.loads(own_body()).items())), separators=(",", ":")),
    changed(unknown=1),
    changed(event_id="018F6B2E-7C1A-7D3E-9F00-0123456789AB"),
    changed(event_type="no-break\xa0space"),
    changed(received_at="2026-01-31T13:00:00.123+01:00"),
    changed(received_at="2026-01-31T12:00:00Z"),
    changed(received_at=1769860800),
    own_body(event_data={"a": 1}).replace('{"a":1}', '{"a":"\\u0041"}'),
]


@pytest.mark.parametrize("body", VALID_OF_ANOTHER_FORM)
def test_a_valid_event_of_another_form_is_decoded_by_pydantic(body: str) -> None:
    assert decode_published(body) is None
    assert repr(decode_event(body)) == repr(Event.model_validate_json(body))


INVALID = [
    changed(event_id="018f6b2e"),
    changed(event_id=None),
    changed(event_id=["018f6b2e-7c1a-7d3e-9f00-0123456789ab"]),
    changed(event_type=""),
    changed(event_type="x" * 256),
    changed(event_type="a\tb"),
    changed(event_type="a\x85b"),
    changed(event_type=["a"]),
    swapped(event_type="a\tb"),
    changed(customer_id=2**63),
    changed(customer_id=1.0),
    changed(customer_id=True),
    changed(timestamp_utc=-1),
    changed(timestamp_utc=253_402_300_800),
    changed(timestamp_utc=True),
    changed(event_data={}),
    changed(event_data=[1]),
    changed(received_at="2026-01-31T24:00:00.000Z"),
    changed(received_at="2026-02-30T12:00:00.000Z"),
    changed(received_at="2026-01-31T12:00:00.000"),
    changed(received_at="\uff12\uff10\uff12\uff16-01-31T12:00:00.000Z"),
    changed(received_at=None),
    changed(received_at={}),
    changed(recorded_by=None),
    json.dumps(list(json.loads(own_body()))),
    own_body() + own_body(),
    own_body()[:-1],
    own_body().replace('"tests"', '"\ud800"'),
    own_body(event_data={"a": 1}).replace('{"a":1}', '{"a":1,"a":2}'),
    own_body(event_data={"a": 1}).replace('{"a":1}', '{"a":0.1000000000000000055}'),
    own_body(event_data={"a": 1}).replace('{"a":1}', '{"a":1180591620717411303424}'),
    own_body(event_data={"a": 1}).replace('{"a":1}', '{"a":NaN}'),
    own_body(event_data={"a": 1}).replace('{"a":1}', '{"a":1e999}'),
    own_body(event_data={"a": 1}).replace('{"a":1}', '{"a":"\\u0000"}'),
    *("", "null", "[]", "{}", "5", '"text"', "[" * 100_000),
]  # fmt: skip


@pytest.mark.parametrize("body", INVALID)
def test_a_body_that_is_no_valid_event_is_refused_as_if_a_client_had_posted_it(body: str) -> None:
    assert decode_published(body) is None
    with pytest.raises((MalformedJSONError, ValidationError)):
        decode_event(body)


def test_an_event_of_the_longest_type_and_the_last_second_is_decoded_without_pydantic() -> None:
    body = own_body(event_type="x" * 255, timestamp_utc=253_402_300_799, customer_id=-(2**63), recorded_by="")
    assert decode_published(body) == Event.model_validate_json(body)

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from core.domain.models import MAX_TIMESTAMP, RESERVED_PREFIX, Event, NewEvent, derive_id
from core.domain.origin import add_origin
from core.domain.queries import DataFilter, Position
from core.domain.recent_events import Content
from tests.support import builders

AT = datetime(2026, 1, 31, 12, 0, 0, 123999, UTC)


def new_event(**fields: Any) -> NewEvent:
    return NewEvent.model_validate(builders.new_event(**fields))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event_type", "x"),
        ("event_type", "x" * 255),
        ("event_type", "é😀 of any kind"),
        ("customer_id", 0),
        ("customer_id", 2**63 - 1),
        ("customer_id", -(2**63)),
        ("timestamp_utc", 0),
        ("timestamp_utc", MAX_TIMESTAMP),
        ("event_data", {"": None}),
        ("event_id", "018f6b2e-7c1a-7d3e-9f00-0123456789ab"),
    ],
)
def test_a_field_takes_every_value_within_its_rule(field: str, value: object) -> None:
    assert getattr(new_event(**{field: value}), field) == value


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("event_type", "", "at least 1 character"),
        ("event_type", "x" * 256, "at most 255 characters"),
        ("event_type", "a\nb", "control characters"),
        ("event_type", "a\x9fb", "control characters"),
        ("event_type", "\ud800", "unicode"),
        ("event_type", 1, "valid string"),
        ("event_type", f"{RESERVED_PREFIX}anything", "the service's own"),
        ("customer_id", "42", "valid integer"),
        ("customer_id", 42.0, "valid integer"),
        ("customer_id", True, "valid integer"),
        ("customer_id", 2**63, "less than or equal"),
        ("customer_id", -(2**63) - 1, "greater than or equal"),
        ("timestamp_utc", -1, "before 1970"),
        ("timestamp_utc", MAX_TIMESTAMP + 1, "milliseconds"),
        ("timestamp_utc", 1_700_000_000_000, "milliseconds"),
        ("timestamp_utc", "1700000000", "valid integer"),
        ("event_data", {}, "at least 1 item"),
        ("event_data", [1], "valid dictionary"),
        ("event_data", "text", "valid dictionary"),
        ("event_id", "42", "must be a UUID"),
        ("event_id", "{018f6b2e-7c1a-7d3e-9f00-0123456789ab}", "must be a UUID"),
        ("event_id", "018f6b2e7c1a7d3e9f000123456789ab", "must be a UUID"),
        ("unknown", 1, "not permitted"),
    ],
)
def test_a_value_against_the_rule_is_refused_with_the_reason(field: str, value: object, expected: str) -> None:
    with pytest.raises(ValidationError, match=expected) as caught:
        new_event(**{field: value})
    assert [error["loc"] for error in caught.value.errors()] == [(field,)]


@pytest.mark.parametrize("field", ["event_type", "customer_id", "event_data"])
def test_a_required_field_may_not_be_left_out(field: str) -> None:
    with pytest.raises(ValidationError, match="Field required"):
        new_event(**{field: None})


@pytest.mark.parametrize("field", ["timestamp_utc", "event_id"])
def test_null_does_not_stand_for_a_default(field: str) -> None:
    with pytest.raises(ValidationError, match="leave the field out"):
        NewEvent.model_validate({**builders.new_event(), field: None})


def test_a_received_event_is_what_was_posted_and_what_the_service_adds() -> None:
    event_id = "018F6B2E-7C1A-7D3E-9F00-0123456789AB"
    new = new_event(event_id=event_id, timestamp_utc=5)
    assert Event.received(new, at=AT, by="client").model_dump() == {
        **builders.new_event(),
        "event_id": event_id.lower(),
        "timestamp_utc": 5,
        "received_at": "2026-01-31T12:00:00.123Z",
        "recorded_by": "client",
    }


def test_a_time_that_was_left_out_is_the_receive_time() -> None:
    event = Event.received(new_event(), at=AT, by="client")
    assert event.timestamp_utc == int(AT.timestamp())


def test_ids_given_by_the_service_are_of_version_7_and_unique() -> None:
    ids = [Event.received(new_event(), at=AT, by="client").event_id for _ in range(2)]
    assert {uuid.UUID(event_id).version for event_id in ids} == {7}
    assert len(set(ids)) == 2


def test_an_idempotency_key_gives_one_id_per_client_and_namespace() -> None:
    namespace, other = uuid.UUID("2f078d7f-3ee0-4962-bfd1-761ef13601fd"), uuid.UUID(int=1)
    derived = derive_id(namespace, "client", "key")
    # Written out, so that no change of the code gives a retry of yesterday's request another id.
    assert derived == "5be4475f-b079-5f5c-b83d-d3aa8096e06f"
    assert uuid.UUID(derived).version == 5
    others = {derive_id(namespace, "b", "key"), derive_id(namespace, "client", "b"), derive_id(other, "client", "key")}
    assert len(others | {derived}) == 4


def test_the_clients_own_id_goes_before_a_derived_one() -> None:
    own, derived = "018f6b2e-7c1a-7d3e-9f00-0123456789ab", str(uuid.UUID(int=1))
    assert Event.received(new_event(event_id=own), at=AT, by="client", derived_id=derived).event_id == own
    assert Event.received(new_event(), at=AT, by="client", derived_id=derived).event_id == derived


@pytest.mark.parametrize(
    "changed",
    [
        {"event_type": "user.logout"},
        {"customer_id": 43},
        {"recorded_by": "another"},
        {"timestamp_utc": 1},
        {"event_data": {"a": 5, "b": [True]}},
        {"event_data": {"a": 5, "b": [1, None]}},
        {"event_data": {"a": "5", "b": [1]}},
        {"event_data": {"a": 5, "b": {"0": 1}}},
        {"event_data": {"a": 5}},
    ],
)
def test_events_with_other_fields_differ_in_content(changed: dict[str, Any]) -> None:
    kept = builders.event(event_data={"a": 5, "b": [1]})
    assert kept.same_content(kept.model_copy(update=changed)) is False


@pytest.mark.parametrize(
    "changed",
    [
        {"received_at": builders.RECEIVED_AT + timedelta(hours=1)},
        {"event_data": {"b": [1], "a": 5}},
        {"event_data": {"a": 5.0, "b": [1]}},
    ],
)
def test_a_repeat_has_the_same_content_whenever_it_comes(changed: dict[str, Any]) -> None:
    kept = builders.event(event_data={"a": 5, "b": [1]})
    assert kept.same_content(kept.model_copy(update=changed))


def test_an_import_has_the_content_of_what_was_exported_and_of_another_import_of_it() -> None:
    original = builders.event(recorded_by="shop", event_data={"a": 5})

    def imported(event: Event, by: str) -> Event:
        data = add_origin(event.event_data, "2026-01-31T12:00:00.123Z", event.recorded_by)
        return event.model_copy(update={"event_data": data, "recorded_by": by})

    first, second = imported(original, "importer"), imported(original, "another")
    assert first.same_content(original)
    assert second.same_content(first)
    assert imported(first, "third").same_content(second)
    assert Content.of(first).equals(Content.of(original))
    forged = original.model_copy(update={"recorded_by": "other"})
    assert not imported(forged, "importer").same_content(original), "another client recorded it first"
    assert not original.same_content(first), "an import that came first does not stand for the event of a client"


def test_a_repeat_without_a_timestamp_has_the_same_content() -> None:
    own_id = new_event(event_id="018f6b2e-7c1a-7d3e-9f00-0123456789ab")
    first, second = (Event.received(own_id, at=AT + timedelta(minutes=late), by="client") for late in (0, 5))
    assert first.timestamp_utc != second.timestamp_utc
    assert first.same_content(second)


def test_the_json_form_reads_back_to_an_equal_event() -> None:
    data = {"": [1, 1.5, None, True, "é😀"], "max": 2**63 - 1, "min": -(2**63), "tiny": 5e-324, "big": 1.5e300}
    event = builders.event(event_data=data)
    assert Event.model_validate_json(event.model_dump_json()) == event


def test_the_receive_time_is_written_in_utc_with_milliseconds() -> None:
    event = builders.event(received_at="2026-01-31T13:00:00.120+01:00")
    assert event.model_dump(mode="json")["received_at"] == "2026-01-31T12:00:00.120Z"


def test_a_filter_value_keeps_its_type() -> None:
    values = DataFilter(path=("a",), values=(True, 1, 1.0, "1", None)).values
    assert [type(value) for value in values] == [bool, int, float, str, type(None)]


@pytest.mark.parametrize("wrong", [{"timestamp_utc": 2**70}, {"timestamp_utc": -1}, {"event_id": "x"}, {"offset": -1}])
def test_a_position_is_one_that_an_event_could_have(wrong: dict[str, Any]) -> None:
    place = {"timestamp_utc": 1, "event_id": builders.event().event_id, "offset": 1}
    assert Position.model_validate(place)
    with pytest.raises(ValidationError):
        Position.model_validate({**place, **wrong})

"""POST /event and POST /events with a catalogue: its modes, its errors, and what they cost."""

import json
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from core.ports.telemetry import CounterName
from core.wiring import Services
from functions.create_event import create_event
from functions.create_events import create_events
from tests.functional.catalogue.conftest import COMMON, LOGIN, Write
from tests.support.builders import new_event
from tests.support.fakes import Answer, FakeGateway, FakeMeter, FakeQueue

Start = Callable[..., Services]
SECRET = "hunter2-in-the-wrong-place"


def login(mode: str, **keywords: Any) -> dict[str, Any]:
    return {**LOGIN, **keywords, "x-audit-log": {**LOGIN["x-audit-log"], "mode": mode}}


def post(services: Services, data: object, event_type: str = "user.login") -> Answer:
    return FakeGateway(services).call(create_event, "POST", body=new_event(event_type=event_type, event_data=data))


def test_an_event_that_conforms_is_answered_as_without_a_catalogue(start: Start, write: Write) -> None:
    services = start(write(_common=COMMON, user__login=LOGIN))
    answer = post(services, {"actor": {"id": "u-1"}})
    assert (answer.status, answer.json.keys()) == (202, {"event_id", "status"})


def test_by_default_an_event_that_does_not_conform_is_accepted_with_warnings(
    start: Start, write: Write, queue: FakeQueue, meter: FakeMeter, caplog: pytest.LogCaptureFixture
) -> None:
    services = start(write(_common=COMMON, user__login=LOGIN))
    answer = post(services, {"actor": {}, "attempts": SECRET})
    assert answer.status == 202
    assert sorted(answer.json["warnings"], key=str) == [
        {"loc": ["event_data", "actor", "id"], "msg": "is required"},
        {"loc": ["event_data", "attempts"], "msg": "must be of type integer"},
    ]
    assert len(queue.events) == 1
    assert meter.counts[CounterName.NONCONFORMING] == meter.counts[CounterName.ACCEPTED] == 1
    (record,) = [record for record in caplog.records if record.message == "event_nonconforming"]
    assert (record.__dict__["event_type"], record.__dict__["client"]) == ("user.login", "tests")
    assert record.levelno == logging.WARNING


def test_the_mode_off_checks_nothing(start: Start, write: Write, meter: FakeMeter) -> None:
    services = start(write(_common=COMMON, user__login=login("off")))
    assert "warnings" not in post(services, {"actor": 1}).json
    assert meter.counts[CounterName.NONCONFORMING] == 0


def test_the_mode_enforce_refuses_an_event_that_does_not_conform(start: Start, write: Write, queue: FakeQueue) -> None:
    services = start(write(_common=COMMON, user__login=login("enforce")))
    answer = post(services, {"attempts": 6})
    assert answer.status == 422
    assert sorted(answer.json["errors"], key=str) == [
        {"loc": ["event_data", "actor"], "msg": "is required"},
        {"loc": ["event_data", "attempts"], "msg": "must be at most 5"},
    ]
    assert queue.events == []


def test_an_event_of_a_batch_is_refused_or_warned_about_alone(start: Start, write: Write, queue: FakeQueue) -> None:
    services = start(write(_common=COMMON, user__login=login("enforce"), user__logout=LOGIN))
    good = new_event(event_data={"actor": {"id": "u-1"}})
    refused = new_event(event_data={"attempts": 1})
    warned = new_event(event_type="user.logout", event_data={"attempts": 1})
    answer = FakeGateway(services).call(create_events, "POST", body={"events": [good, refused, warned, good]})
    assert answer.status == 202
    errors = [{"loc": ["event_data", "actor"], "msg": "is required"}]
    assert answer.json["rejected"] == [{"index": 1, "errors": errors}]
    assert [(item["index"], item.get("warnings")) for item in answer.json["accepted"]] == [
        (0, None), (2, errors), (3, None),
    ]  # fmt: skip
    assert len(queue.events) == 3


def test_a_type_without_a_file_is_accepted_unless_the_catalogue_is_strict(start: Start, write: Write) -> None:
    folder = write(_common=COMMON, user__login=LOGIN)
    assert post(start(folder), {"x": 1}, "user.logon").status == 202
    answer = post(start(folder, strict=True), {"x": 1}, "user.logon")
    assert answer.status == 422
    assert answer.json["errors"] == [
        {"loc": ["event_type"], "msg": "is not in the catalogue: did you mean user.login?"}
    ]
    other = post(start(folder, strict=True), {"x": 1}, "invoice.paid").json["errors"][0]["msg"]
    assert other == "is not in the catalogue: GET /catalogue lists the types that are accepted"


SCHEMAS: list[dict[str, Any]] = [
    {"type": "integer"},
    {"enum": ["a", "b"]},
    {"const": 5},
    {"pattern": "^[a-z]+$"},
    {"format": "ipv4"},
    {"maxLength": 3},
    {"anyOf": [{"type": "integer"}, {"maxLength": 3}]},
    {"oneOf": [{"type": "string"}, {"minLength": 3}]},
    {"not": {"type": "string"}},
    {"if": {"type": "string"}, "then": {"maxLength": 2}},
    {"$ref": "#/$defs/short", "$defs": {"short": {"maxLength": 3}}},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids="+".join)
def test_errors_never_repeat_a_value(
    schema: dict[str, Any], start: Start, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    defs = schema.get("$defs", {})
    services = start(write(user__login={"properties": {"field": schema, "list": {"items": schema}}, "$defs": defs}))
    answer = post(services, {"field": SECRET, "list": [SECRET]})
    assert {tuple(each["loc"]) for each in answer.json["warnings"]} == {
        ("event_data", "field"), ("event_data", "list", 0),
    }  # fmt: skip
    assert SECRET not in json.dumps(answer.json)
    assert SECRET not in "".join(str(record.__dict__) for record in caplog.records)


@pytest.mark.parametrize(
    ("schema", "low", "high"),
    [({"maximum": 2**63 - 2}, 2**63 - 2, 2**63 - 1), ({"const": 2**53}, 2**53, 2**53 + 1)],
    ids=["maximum", "const"],
)
def test_integers_of_64_bits_are_compared_exactly(
    schema: dict[str, Any], low: int, high: int, start: Start, write: Write
) -> None:
    services = start(write(user__login={"properties": {"n": schema}}))
    assert "warnings" not in post(services, {"n": low}).json
    assert post(services, {"n": high}).json["warnings"][0]["loc"] == ["event_data", "n"]


def test_a_pattern_takes_linear_time(start: Start, write: Write) -> None:
    services = start(write(user__login={"properties": {"name": {"pattern": "^(a+)+$"}}}))
    started = time.thread_time()
    assert "warnings" in post(services, {"name": "a" * 100_000 + "!"}).json
    assert time.thread_time() - started < 2  # a backtracking engine would not end


def test_a_large_event_with_errors_everywhere_costs_no_more_than_its_first_one(start: Start, write: Write) -> None:
    services = start(write(user__login={"properties": {"list": {"items": {"type": "string"}}}}))
    answer = post(services, {"list": [1] * 100_000})
    assert answer.json["warnings"] == [{"loc": ["event_data", "list", 0], "msg": "must be of type string"}]


def test_of_a_batch_only_the_first_events_have_all_their_errors_listed(start: Start, write: Write) -> None:
    services = start(write(user__login={"properties": {"list": {"items": {"type": "string"}}}}))
    event = new_event(event_data={"list": [1] * 300})
    lines = "\n".join(json.dumps(event) for _ in range(100))
    headers = {"Content-Type": "application/x-ndjson"}
    answer = FakeGateway(services).call(create_events, "POST", body=lines, headers=headers)
    counts = [len(item["warnings"]) for item in answer.json["accepted"]]
    assert counts[0] == 21
    assert answer.json["accepted"][0]["warnings"][20] == {"loc": ["event_data"], "msg": "and 280 more errors"}
    assert set(counts[10:]) == {1}

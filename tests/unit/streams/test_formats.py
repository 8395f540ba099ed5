"""Formats of events, read by programs of other authors."""

import importlib
import json
from typing import Any

import jsonschema_rs
import orjson
import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from core.streams.formats import FORMATTERS
from core.streams.formats.cloudevents import cloud_event
from core.streams.formats.native import native
from core.streams.formats.ocsf import ocsf
from tests.support.builders import event
from tests.support.odd_events import odd_events

EVENTS = list(odd_events(1000))
SOURCE = "audit.example.org/ledger"
CLASSES = {0: "base_event", 6003: "api_activity"}
EXAMPLE = event(
    1,
    event_type="document.shared",
    customer_id=42,
    timestamp_utc=1_767_225_600,
    event_data={
        "actor": {"id": "u-7", "name": "Ada"},
        "action": "update",
        "targets": [{"id": "d-1", "name": "Plan", "type": "document"}, {"x": 1}],
        "context": {"ip": "203.0.113.7"},
        "outcome": "success",
    },
)


def test_the_native_format_is_that_of_the_api() -> None:
    for each in EVENTS:
        assert orjson.loads(orjson.dumps(native(each, SOURCE))) == orjson.loads(each.to_json())


def test_an_independent_reader_takes_every_event_as_a_cloudevent() -> None:
    for each in EVENTS:
        record = cloud_event(each, SOURCE)
        read = JSONFormat().read(CloudEvent, orjson.dumps(record))
        assert read.get_id() == each.event_id
        assert read.get_source() == SOURCE
        assert read.get_subject() == str(each.customer_id)
        time = read.get_time()
        assert time is not None
        assert int(time.timestamp()) == each.timestamp_utc
        assert read.get_data() == each.event_data


def test_attributes_of_a_cloudevent_keep_to_its_types() -> None:
    for each in EVENTS:
        for name, value in cloud_event(each, "log of\tÄ\ufffe").items():
            assert name.isalnum()
            assert name.islower()
            assert len(name) <= 20
            if name != "data":
                assert isinstance(value, str)
                assert not any(
                    0xFDD0 <= ord(character) <= 0xFDEF or ord(character) & 0xFFFE == 0xFFFE for character in value
                )
            if name == "source":
                assert value.isascii()
                assert value.isprintable()


@pytest.mark.parametrize("version", ["1.5.0", "1.6.0", "1.7.0", "1.8.0"])
def test_every_event_is_valid_by_the_schema_of_ocsf(version: str) -> None:
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=version))
    validators = {
        uid: jsonschema_rs.validator_for(schema.get_class_schema(class_name=name, profiles=[]))
        for uid, name in CLASSES.items()
    }
    counts = dict.fromkeys(CLASSES, 0)
    for each in EVENTS:
        record = orjson.loads(orjson.dumps(ocsf(each, SOURCE)))
        counts[record["class_uid"]] += 1
        problems = [
            f"{error.instance_path}: {error.message[:200]}"
            for error in validators[record["class_uid"]].iter_errors(record)
        ]
        assert problems == []
    assert min(counts.values()) > 100


@pytest.mark.parametrize("version", ["1.5.0", "1.7.0"])
def test_an_independent_reader_takes_every_event_as_ocsf(version: str) -> None:
    events = importlib.import_module(f"ocsf.v{version.replace('.', '_')}.events")
    models = {0: events.BaseEvent, 6003: events.ApiActivity}
    for each in EVENTS:
        record: dict[str, Any] = ocsf(each, SOURCE)
        read = models[record["class_uid"]].model_validate(record)
        assert read.metadata.uid == each.event_id


def test_an_event_by_the_conventional_fields_becomes_an_api_activity() -> None:
    record = ocsf(EXAMPLE, SOURCE)

    assert record == {
        "time": 1_767_225_600_000,
        "severity_id": 1,
        "metadata": {
            "version": "1.5.0",
            "product": {"name": "Audit Log Service", "uid": SOURCE},
            "uid": EXAMPLE.event_id,
            "event_code": "document.shared",
            "tenant_uid": "42",
            "log_provider": EXAMPLE.recorded_by,
            "logged_time": int(EXAMPLE.received_at.timestamp() * 1000),
        },
        "unmapped": EXAMPLE.event_data,
        "status_id": 1,
        "status": "Success",
        "class_uid": 6003,
        "category_uid": 6,
        "activity_id": 3,
        "type_uid": 600303,
        "actor": {"user": {"uid": "u-7", "name": "Ada"}},
        "api": {"operation": "update"},
        "src_endpoint": {"ip": "203.0.113.7"},
        "resources": [{"uid": "d-1", "name": "Plan", "type": "document"}],
    }


def test_formatting_changes_no_event() -> None:
    for each in EVENTS[:100]:
        before = each.to_json()
        for formatter in FORMATTERS.values():
            formatter(each, SOURCE)
        assert each.to_json() == before


def test_an_event_without_data_has_every_format() -> None:
    erased = EXAMPLE.model_copy(update={"event_data": {}})
    for formatter in FORMATTERS.values():
        json.dumps(formatter(erased, SOURCE))

"""The name of the log in events that leave it: the origin of its ledger, in whichever process sends them."""

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from core.settings import Settings
from core.stores.ledger.identity import fix_origin, restart
from core.wiring import Services
from functions.operations.streams import send
from tests.support.builders import event
from tests.support.fakes import FakeQueue
from tests.support.pipelines import start_pipeline
from tests.support.streams import StoreEvents, make_stream, record
from tests.support.waiting import until

ORIGIN = "audit.example.org/ledger"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def add_stream(services: Services, folder: Path, event_format: str = "cloudevents") -> None:
    destination = {"kind": "directory", "path": str(folder), "every": 0}
    stream = make_stream(destination=destination, format=event_format, filter="event_type=user.login")
    services.database.streams.add_stream(stream, record())


def arrived(folder: Path) -> list[dict[str, Any]]:
    files = sorted(folder.rglob("*.gz"))
    return [orjson.loads(line) for file in files for line in gzip.decompress(file.read_bytes()).splitlines()]


def sent_on_aws(services: Services, folder: Path) -> list[dict[str, Any]]:
    send(services, "dev", seconds=2.0, pause=0.05)
    services.close()
    return arrived(folder)


def test_the_function_that_sends_on_aws_finds_the_origin_in_the_database(
    settings: Settings, store_events: StoreEvents, folder: Path
) -> None:
    services = Services(settings, publisher=FakeQueue())
    fix_origin(services.database.engine, ORIGIN, "unused")
    add_stream(services, folder)
    store_events(event(1))
    assert [each["source"] for each in sent_on_aws(services, folder)] == [ORIGIN]


def test_ocsf_names_the_origin_as_well(settings: Settings, store_events: StoreEvents, folder: Path) -> None:
    services = Services(settings, publisher=FakeQueue())
    fix_origin(services.database.engine, ORIGIN, "unused")
    add_stream(services, folder, "ocsf")
    store_events(event(1))
    assert [each["metadata"]["product"]["uid"] for each in sent_on_aws(services, folder)] == [ORIGIN]


def test_after_a_restart_of_the_ledger_its_new_origin_counts_and_not_that_of_the_settings(
    settings: Settings, store_events: StoreEvents, folder: Path
) -> None:
    services = Services(settings.model_copy(update={"ledger_origin": ORIGIN}), publisher=FakeQueue())
    fix_origin(services.database.engine, ORIGIN, "unused")
    restart(services.database.engine, "audit.example.org/second", "a restore", at=datetime.now(UTC))
    add_stream(services, folder)
    store_events(event(1))
    assert [each["source"] for each in sent_on_aws(services, folder)] == ["audit.example.org/second"]


@pytest.mark.parametrize(("configured", "source"), [(ORIGIN, ORIGIN), (None, "audit-log")])
def test_a_log_that_nothing_has_signed_has_the_configured_name_or_a_general_one(
    settings: Settings,
    store_events: StoreEvents,
    folder: Path,
    configured: str | None,
    source: str,
) -> None:
    services = Services(settings.model_copy(update={"ledger_origin": configured}), publisher=FakeQueue())
    add_stream(services, folder)
    store_events(event(1))
    assert [each["source"] for each in sent_on_aws(services, folder)] == [source]


def test_a_service_with_a_random_origin_sends_it(tmp_path: Path, folder: Path) -> None:
    pipeline = start_pipeline(Settings(data_dir=tmp_path, ledger_seconds=1))
    try:
        add_stream(pipeline.services, folder)
        pipeline.services.acceptance.publish([event(1)])
        until(lambda: arrived(folder))
        (vkey,) = [
            line.split(" ")[-1]
            for line in pipeline.services.proofs.policy().decode().splitlines()
            if line.startswith("log ")
        ]
        assert [each["source"] for each in arrived(folder)] == [vkey.split("+")[0]]
    finally:
        pipeline.close()

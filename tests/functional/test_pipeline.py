import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Timer
from unittest.mock import ANY

import pytest

from core.domain.queries import EventFilter, PageRequest
from core.errors import InvalidSettingsError, QueueUnavailableError, StoreUnavailableError
from core.settings import Settings
from functions.health import ready
from local_runner.pipeline import DRAIN_SECONDS, Pipeline
from local_runner.queue.consumer import ConsumerLimits
from local_runner.queue.dead_letters import DeadLetterFile
from local_runner.runtime import offline_services
from tests.support.builders import event
from tests.support.fakes import FakeGateway
from tests.support.pipelines import start_pipeline
from tests.support.waiting import SECONDS, until

QUICK = ConsumerLimits(first_retry=0.01, store_retry=0.01)


@pytest.fixture
def pipeline(settings: Settings) -> Iterator[Pipeline]:
    pipeline = start_pipeline(settings, consumer_limits=QUICK)
    yield pipeline
    pipeline.close(timeout=0)


def in_database(settings: Settings, statement: str) -> list[tuple[int]]:
    with closing(sqlite3.connect(settings.data_dir / "audit-log.db")) as connection, connection:
        return connection.execute(statement).fetchall()


def stored(settings: Settings) -> int:
    return in_database(settings, "SELECT count(*) FROM events")[0][0]


def dead_letters(pipeline: Pipeline) -> object:
    return pipeline.services.checks["dead_letters"]()["count"]


def logged(caplog: pytest.LogCaptureFixture, message: str) -> logging.LogRecord:
    (record,) = [record for record in caplog.records if record.message.startswith(message)]
    return record


def test_what_is_published_can_soon_be_read(pipeline: Pipeline) -> None:
    pipeline.services.publisher.publish([event(1), event(2)])

    until(lambda: pipeline.services.reader.get(event(2).event_id))

    assert pipeline.services.reader.get(event(1).event_id) == event(1)
    assert pipeline.services.reader.find_page(EventFilter(), PageRequest()).total_count == 2


def test_every_part_has_its_check(pipeline: Pipeline) -> None:
    pipeline.services.publisher.publish([event(1)])
    until(lambda: pipeline.services.reader.get(event(1).event_id) and not pipeline.queue.stats().in_flight)

    assert {name: check() for name, check in pipeline.services.checks.items()} == {
        "queue": {
            "waiting": 0,
            "in_flight": 0,
            "oldest_age_seconds": 0,
            "capacity": 1_000_000,
            "bytes": 0,
            "max_bytes": 512 * 1024 * 1024,
        },
        "spool": {"mode": "process", "bytes": ANY, "max_bytes": 1024**3, "events": 0, "corrupt": 0},
        "dead_letters": {"count": 0},
        "consumer": {"restarts": 0},
        "store": {"database": "sqlite"},
        "ledger": {"size": ANY, "oldest_pending_seconds": ANY},
        "signing": {"signed": ANY},
        "history": {"findings": 0, "checked_at": ANY},
        "migrations": {"revision": ANY},
        "streams": {"active": 0, "paused": 0, "suspended": 0, "refused": 0, "behind_seconds": 0.0},
        "alert_rules": {"active": 0, "paused": 0, "behind_seconds": 0.0},
    }


def test_a_data_directory_that_was_moved_is_named_by_every_part_that_needs_it(
    pipeline: Pipeline, settings: Settings
) -> None:
    moved = settings.data_dir.with_name("moved")
    settings.data_dir.rename(moved)
    try:
        answer = FakeGateway(pipeline.services).call(ready, path="/ready", token=None)
    finally:
        moved.rename(settings.data_dir)
    assert (answer.status, answer.json["status"]) == (503, "unavailable")
    assert str(settings.data_dir) in answer.json["checks"]["queue"]["reason"]
    assert "database file is missing" in answer.json["checks"]["store"]["reason"]


def test_a_dead_letter_file_that_may_not_be_looked_for_fails_its_check(tmp_path: Path) -> None:
    # Fails for every account, root included, as a directory without permissions does for the others.
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    letters = DeadLetterFile(loop / "dead-letters.db", lambda _event, _context: {})
    with pytest.raises(QueueUnavailableError, match="cannot be read"):
        letters.count()


def test_a_store_that_is_read_but_takes_no_events_fails_its_check_and_the_log_names_the_file(
    pipeline: Pipeline, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    check = pipeline.services.checks["store"]
    in_database(settings, "ALTER TABLE event_terms RENAME TO away")
    pipeline.services.publisher.publish([event(1)])
    until(lambda: any(record.message == "store_unavailable" for record in caplog.records))

    assert pipeline.services.reader.find_page(EventFilter(), PageRequest()).total_count == 0
    with pytest.raises(StoreUnavailableError):
        check()
    assert f"database file: {settings.data_dir / 'audit-log.db'}" in vars(logged(caplog, "store_unavailable"))["reason"]
    in_database(settings, "ALTER TABLE away RENAME TO event_terms")
    until(lambda: pipeline.services.reader.get(event(1).event_id))
    assert check() == {"database": "sqlite"}


def test_only_the_owner_can_read_what_a_pipeline_leaves(pipeline: Pipeline, settings: Settings) -> None:
    pipeline.services.publisher.publish([event(1)])
    until(lambda: pipeline.services.reader.get(event(1).event_id))

    files = [path for path in settings.data_dir.rglob("*") if not path.is_dir()]
    assert {"audit-log.db", "audit-log.db-wal", "audit-log.db-shm"} <= {path.name for path in files}
    assert {oct(path.stat().st_mode & 0o077) for path in files} == {"0o0"}


def test_a_close_stores_everything_that_was_accepted(
    pipeline: Pipeline, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for first in range(0, 5000, 100):
        pipeline.services.publisher.publish([event(number) for number in range(first, first + 100)])

    pipeline.close(timeout=SECONDS)

    assert stored(settings) == 5000
    assert logged(caplog, "queue_drained")


def test_nothing_is_accepted_after_a_close(pipeline: Pipeline, settings: Settings) -> None:
    pipeline.close()

    with pytest.raises(QueueUnavailableError):
        pipeline.services.publisher.publish([event(1)])
    assert stored(settings) == 0


def test_a_close_waits_for_a_store_that_comes_back(pipeline: Pipeline, settings: Settings) -> None:
    in_database(settings, "ALTER TABLE events RENAME TO away")
    pipeline.services.publisher.publish([event(1), event(2)])
    repair = Timer(0.3, in_database, [settings, "ALTER TABLE away RENAME TO events"])
    repair.start()

    pipeline.close(timeout=SECONDS)

    repair.join()
    assert stored(settings) == 2


def test_a_store_that_is_back_is_noticed_within_a_stop() -> None:
    assert ConsumerLimits().longest_store_retry < DRAIN_SECONDS


def test_what_a_close_cannot_store_waits_for_the_next_start(
    pipeline: Pipeline, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    in_database(settings, "ALTER TABLE events RENAME TO away")
    pipeline.services.publisher.publish([event(1), event(2), event(3)])
    started = time.monotonic()

    pipeline.close(timeout=0.2)

    assert 0.2 <= time.monotonic() - started < 60  # without a time limit, it would wait without end
    record = logged(caplog, "queue_not_drained")
    assert (record.levelno, record.__dict__["events"]) == (logging.WARNING, 3)
    in_database(settings, "ALTER TABLE away RENAME TO events")
    again = start_pipeline(settings)
    until(lambda: not again.queue.depth)
    again.close()
    assert stored(settings) == 3


def test_without_a_spool_a_close_logs_how_much_is_lost(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    pipeline = start_pipeline(settings.model_copy(update={"spool": "off"}), consumer_limits=QUICK)
    in_database(settings, "DROP TABLE events")
    pipeline.services.publisher.publish([event(1), event(2), event(3)])

    pipeline.close(timeout=0.2)

    record = logged(caplog, "accepted_events_lost")
    assert (record.levelno, record.__dict__["lost"]) == (logging.ERROR, 3)


@pytest.mark.parametrize("spool", ["process", "off"])
def test_dead_letters_outlive_the_pipeline_and_are_not_in_the_spool(settings: Settings, spool: str) -> None:
    settings = settings.model_copy(update={"spool": spool})
    pipeline = start_pipeline(settings, consumer_limits=QUICK)
    conflicting = event(1, event_type="another.type")
    pipeline.services.publisher.publish([event(1), conflicting])
    until(lambda: dead_letters(pipeline) and not pipeline.queue.depth)
    pipeline.close()

    assert [letter.body for letter in offline_services(settings).dead_letters.dead_letters(10)] == [
        conflicting.model_dump_json()
    ]
    again = start_pipeline(settings)
    assert (again.queue.depth, dead_letters(again)) == (0, 1)
    again.close()


def test_the_next_pipeline_finds_what_the_last_one_stored(pipeline: Pipeline, settings: Settings) -> None:
    pipeline.services.publisher.publish([event(1)])
    pipeline.close()

    again = start_pipeline(settings)
    assert again.services.reader.get(event(1).event_id) == event(1)
    again.close()


def test_a_first_start_makes_the_data_directory_whether_or_not_there_is_a_secret(settings: Settings) -> None:
    new = settings.data_dir / "not" / "there"

    start_pipeline(settings.model_copy(update={"data_dir": new})).close()
    start_pipeline(Settings(data_dir=new / "either")).close()

    assert {path.name for path in new.iterdir()} == {"audit-log.db", "either", "ledger-key.pem", "secrets-key", "spool"}
    names = {path.name for path in (new / "either").iterdir()}
    assert names == {"audit-log.db", "jwt-secret", "ledger-key.pem", "secrets-key", "spool"}


def test_a_data_directory_that_nothing_needs_is_not_made(settings: Settings, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'other.db'}"
    elsewhere = {"data_dir": tmp_path / "unused", "spool": "off", "ledger": "off", "database_url": database}

    start_pipeline(settings.model_copy(update=elsewhere)).close()

    assert not (tmp_path / "unused").exists()


@pytest.mark.parametrize("update", [{"data_dir": Path("/dev/null/data")}, {"queue_url": "nats://user:secret@queue"}])
def test_a_setting_that_cannot_work_is_named_without_its_secrets(settings: Settings, update: dict[str, object]) -> None:
    with pytest.raises(InvalidSettingsError, match=f"AUDIT_LOG_{next(iter(update)).upper()}: ") as refused:
        start_pipeline(settings.model_copy(update=update))

    assert "secret@" not in str(refused.value)

"""The file of dead letters: the queue's process adds to it, and any process reads and redrives."""

import sqlite3
import stat
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from core.domain.models import Event
from core.errors import QueueUnavailableError, StoreUnavailableError
from core.ports.queue import DeadLetter, Message
from core.settings import Settings
from core.wiring import Services
from functions.consume_events import lambda_consumer
from local_runner.queue.dead_letters import FILE_NAME, DeadLetterFile
from tests.support.builders import event
from tests.support.fakes import FakeStore


@pytest.fixture
def letters(settings: Settings, store: FakeStore, tmp_path: Path) -> DeadLetterFile:
    services = Services(settings, writer=store)
    return DeadLetterFile(tmp_path / FILE_NAME, lambda_consumer(lambda: services))


def messages(*events: Event, receive_count: int = 5) -> Sequence[Message]:
    return [Message(item.event_id, "r", item.model_dump_json(), receive_count, 1.0) for item in events]


def test_there_are_none_and_no_file_before_the_first(letters: DeadLetterFile, tmp_path: Path) -> None:
    assert (letters.count(), letters.dead_letters(10), letters.redrive()) == (0, [], 0)
    assert list(tmp_path.iterdir()) == []


def test_they_are_listed_oldest_first_up_to_a_limit_and_stay(letters: DeadLetterFile, tmp_path: Path) -> None:
    letters.add(messages(event(1), event(2)))
    letters.add(messages(event(3), receive_count=7))

    bodies = [event(number).model_dump_json() for number in (1, 2, 3)]
    assert letters.dead_letters(10) == [
        DeadLetter("1", bodies[0], 5),
        DeadLetter("2", bodies[1], 5),
        DeadLetter("3", bodies[2], 7),
    ]
    assert [letter.body for letter in letters.dead_letters(2)] == bodies[:2]
    assert letters.count() == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_one_that_is_given_up_again_after_a_kill_is_kept_once(letters: DeadLetterFile) -> None:
    letters.add(messages(event(1)))
    letters.add(messages(event(1), event(2), receive_count=6))

    assert [(letter.body, letter.receive_count) for letter in letters.dead_letters(10)] == [
        (event(1).model_dump_json(), 5),
        (event(2).model_dump_json(), 6),
    ]


def test_what_is_redriven_is_stored_and_gone_and_what_is_refused_stays(
    letters: DeadLetterFile, store: FakeStore
) -> None:
    store.refused_types = {"poison"}
    letters.add(messages(event(1), event(2, event_type="poison"), event(3)))

    assert letters.redrive() == 2

    assert list(store.events.values()) == [event(1), event(3)]
    assert [letter.message_id for letter in letters.dead_letters(10)] == ["2"]
    store.refused_types = set()
    assert (letters.redrive(), letters.count()) == (1, 0)


def test_only_those_asked_for_are_redriven(letters: DeadLetterFile, store: FakeStore) -> None:
    letters.add(messages(event(1), event(2), event(3)))

    assert letters.redrive({"2", "77", "made up"}) == 1

    assert list(store.events.values()) == [event(2)]
    assert [letter.message_id for letter in letters.dead_letters(10)] == ["1", "3"]


def test_an_id_is_never_given_again(letters: DeadLetterFile) -> None:
    letters.add(messages(event(1)))
    letters.redrive()
    letters.add(messages(event(2)))

    assert [letter.message_id for letter in letters.dead_letters(10)] == ["2"]


def test_more_than_one_batch_is_redriven_in_batches(letters: DeadLetterFile, store: FakeStore) -> None:
    letters.add(messages(*map(event, range(1200))))

    assert letters.redrive() == 1200
    assert store.batches == [500, 500, 200]


def test_a_store_that_is_down_leaves_them_where_they_are(letters: DeadLetterFile, store: FakeStore) -> None:
    letters.add(messages(event(1)))
    store.down = True

    with pytest.raises(StoreUnavailableError):
        letters.redrive()

    assert letters.count() == 1


def test_adding_goes_on_while_they_are_redriven(letters: DeadLetterFile, store: FakeStore) -> None:
    with ThreadPoolExecutor(3) as threads:
        adding = [threads.submit(letters.add, messages(event(number))) for number in range(50)]
        redriving = [threads.submit(letters.redrive) for _ in range(20)]
        for addition in adding:
            addition.result()
        for redrive in redriving:
            redrive.result()
    letters.redrive()

    assert (len(store.events), letters.count()) == (50, 0)


def test_a_file_that_cannot_be_used_says_so(letters: DeadLetterFile, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database at all" * 100)

    for use in (lambda: letters.add(messages(event(1))), letters.count, letters.redrive):
        with pytest.raises(QueueUnavailableError, match="cannot be read or written"):
            use()


def test_the_file_is_in_wal_mode_so_that_readers_do_not_wait(letters: DeadLetterFile, tmp_path: Path) -> None:
    letters.add(messages(event(1)))

    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_of_several_that_create_the_file_at_once_all_add_to_the_same(tmp_path: Path) -> None:
    for turn in range(20):
        file = DeadLetterFile(tmp_path / str(turn) / FILE_NAME, lambda _event, _context: {"batchItemFailures": []})
        go = threading.Barrier(8)

        def add(number: int, file: DeadLetterFile = file, go: threading.Barrier = go) -> None:
            go.wait()
            file.add(messages(event(number)))
            file.count()

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(add, range(8)))

        assert file.count() == 8
        assert [path.name for path in (tmp_path / str(turn)).iterdir()] == [FILE_NAME]


def test_a_file_that_was_created_without_its_table_is_used(letters: DeadLetterFile, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).touch()

    assert letters.count() == 0
    letters.add(messages(event(1)))
    assert letters.count() == 1

"""The queue in the spool: runs of events, the places of their records, and what becomes of crashes and damage."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.domain.models import Event
from core.errors import QueueFullError, QueueUnavailableError
from local_runner.queue.spooled import Run, SpoolQueue
from local_runner.queue.visibility import QueueLimits
from local_runner.spool.disk_spool import DiskSpool
from local_runner.spool.slot import SpoolLimits
from tests.support.builders import event
from tests.support.fakes import FakeClock, FakeDeadLetters
from tests.support.spooling import FaultyDisk

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Parts:
    """A queue on a disk that can fail."""

    def __init__(self, directory: Path, max_messages: int = 1_000_000) -> None:
        self.clock, self.faulty, self.dead_letters = FakeClock(), FaultyDisk(), FakeDeadLetters()
        limits = SpoolLimits(segment_bytes=4096)
        self.spool = DiskSpool(directory / "spool", "process", limits, self.faulty.disk)
        queue_limits = QueueLimits(max_messages, visibility_timeout=30, max_receives=3)
        self.queue = SpoolQueue(self.dead_letters, queue_limits, self.spool, clock=self.clock, wall_clock=self.clock)

    def publish(self, *numbers: int) -> None:
        self.queue.publish([event(number) for number in numbers])

    def receive(self, at_most: int = 1000) -> list[Run]:
        return self.queue.receive(at_most, wait=0)

    def read(self, runs: list[Run]) -> list[int]:
        records = [record for run in runs for record in self.spool.read(run.extent)]
        return [Event.model_validate_json(record.payload).event_data["number"] for record in records]


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    parts = Parts(tmp_path)
    yield parts
    parts.spool.close()


def test_events_published_one_by_one_share_a_run_and_are_read_from_the_spool(parts: Parts) -> None:
    for number in range(10):
        parts.publish(number)
    runs = parts.receive()
    assert (len(runs), runs[0].count) == (1, 10)
    assert parts.read(runs) == [*range(10)]


def test_no_body_is_kept_in_memory_and_a_run_has_a_bounded_size(parts: Parts) -> None:
    for number in range(3000):
        parts.publish(number)
    assert parts.queue.stats().bytes == 0
    runs = parts.receive(3000)
    assert max(run.count for run in runs) <= 256
    assert len({run.extent.segment for run in runs}) > 1
    assert parts.read(runs) == [*range(3000)]


def test_a_receive_takes_a_part_of_a_run_and_the_next_one_the_rest(parts: Parts) -> None:
    parts.publish(*range(10))
    first, rest = parts.receive(4), parts.receive()
    assert (parts.read(first), parts.read(rest)) == ([0, 1, 2, 3], [4, 5, 6, 7, 8, 9])
    parts.queue.complete(rest, ())
    parts.queue.complete(first, ())
    assert (parts.queue.depth, parts.spool.stats().events) == (0, 0)


def test_events_that_failed_are_received_again_alone_and_become_dead_letters(parts: Parts) -> None:
    parts.publish(*range(5))
    (run,) = parts.receive()
    failed = {run.number + 1, run.number + 3}
    parts.queue.complete([run], failed)
    for receives in (2, 3):
        again = parts.receive()
        assert [(each.count, each.receive_count) for each in again] == [(1, receives)] * 2
        assert parts.read(again) == [1, 3]
        parts.queue.complete(again, failed)
    assert parts.receive() == []
    assert len(parts.dead_letters.messages) == 2
    assert (parts.queue.depth, parts.spool.stats().events) == (0, 0)


def test_what_is_given_back_is_not_counted(parts: Parts) -> None:
    parts.publish(1, 2)
    for _ in range(10):
        runs = parts.receive()
        assert [run.receive_count for run in runs] == [1]
        parts.queue.give_back(runs, 0)
    assert not parts.dead_letters.messages


def test_an_event_that_crashes_the_process_becomes_a_dead_letter_and_all_others_are_stored(parts: Parts) -> None:
    deadly, stored, crashes = 777, [], 0
    for number in range(1000):
        parts.publish(number)
    while runs := parts.receive():
        if deadly in (numbers := parts.read(runs)):
            crashes += 1
            parts.queue.isolate(runs, 0)
        else:
            stored += numbers
            parts.queue.complete(runs, ())
    assert sorted(stored) == [number for number in range(1000) if number != deadly]
    assert [Event.model_validate_json(letter.body).event_data["number"] for letter in parts.dead_letters.messages] == [
        deadly
    ]
    assert crashes < 10
    assert parts.queue.depth == 0


def test_a_kill_that_no_event_caused_makes_no_dead_letter(parts: Parts) -> None:
    parts.publish(*range(100))
    for _ in range(2):
        parts.queue.isolate(parts.receive(), 0)
    received = []
    while runs := parts.receive():
        received += parts.read(runs)
        parts.queue.complete(runs, ())
    assert sorted(received) == [*range(100)]
    assert not parts.dead_letters.messages


def test_trace_contexts_reach_the_consumer(parts: Parts) -> None:
    parts.publish(1)
    parts.queue.publish([event(2)], TRACEPARENT)
    parts.publish(3)
    (run,) = parts.receive()
    messages = run.messages(parts.spool.read(run.extent))
    assert [message.traceparent for message in messages] == [None, TRACEPARENT, None]


def test_a_full_queue_refuses_and_has_room_again(tmp_path: Path) -> None:
    small = Parts(tmp_path, max_messages=2)
    small.publish(1, 2)
    with pytest.raises(QueueFullError):
        small.publish(3)
    small.queue.complete(small.receive(1), ())
    small.publish(3)
    assert small.queue.depth == 2
    small.spool.close()


def test_a_full_disk_refuses_and_what_was_written_by_half_is_never_received(parts: Parts) -> None:
    parts.publish(1)
    for room in (0, 1, 27, 28, 200):
        parts.faulty.room = room
        with pytest.raises(QueueUnavailableError):
            parts.publish(99)
    parts.faulty.truncate_fails, parts.faulty.room = True, 50
    with pytest.raises(QueueUnavailableError):
        parts.publish(99)
    parts.faulty.truncate_fails, parts.faulty.room = False, 1 << 30
    parts.publish(2)
    assert parts.read(parts.receive()) == [1, 2]


def test_records_that_were_written_again_after_a_failed_sync_are_found(parts: Parts) -> None:
    parts.publish(1, 2, 3)
    runs = parts.receive()
    slot = parts.spool._own  # noqa: SLF001 - its maintenance, at a time that this test chooses
    parts.faulty.sync_fails = True
    with pytest.raises(QueueUnavailableError):
        slot.maintain()
    parts.faulty.sync_fails = False
    slot.maintain()
    parts.publish(4)
    assert parts.read(runs) == [1, 2, 3]
    assert parts.read(parts.receive()) == [4]


def test_a_damaged_record_is_reported_and_stays_in_the_spool(parts: Parts, tmp_path: Path) -> None:
    parts.publish(1, 2)
    (run,) = parts.receive()
    path = next((tmp_path / "spool" / "0").glob("*.log"))
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(QueueUnavailableError, match=r"1 records .* are damaged"):
        parts.spool.read(run.extent)
    for _ in range(3):
        parts.queue.complete([run], run.numbers)
        runs = parts.receive()
        run = runs[-1] if runs else run
    assert parts.spool.stats().events == 2


def test_events_of_a_killed_process_are_received_in_the_same_way(parts: Parts, tmp_path: Path) -> None:
    for number in range(600):
        parts.publish(number)
    runs = parts.receive(100)
    parts.queue.complete(runs, {runs[0].number + 5})
    parts.spool.close()

    again = Parts(tmp_path)
    assert (again.queue.depth, again.spool.replay_remaining) == (501, 501)
    again.publish(600)
    received: list[int] = []
    while runs := again.receive(200):
        received += again.read(runs)
        again.queue.complete(runs, ())
    assert sorted(received) == [5, *range(100, 601)]
    assert (again.queue.depth, again.spool.stats().events) == (0, 0)
    again.spool.close()

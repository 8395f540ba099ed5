"""The queue with its spool, and processes that share a data directory."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.errors import InvalidSettingsError, QueueFullError, QueueUnavailableError
from local_runner.queue.memory import InMemoryQueue
from local_runner.queue.visibility import QueueLimits
from local_runner.spool.disk_spool import DiskSpool, open_spool
from local_runner.spool.records import SLOT_SHIFT
from local_runner.spool.slot import SpoolLimits
from local_runner.spool.spool import check_spool
from tests.support.builders import event
from tests.support.fakes import FakeClock, FakeDeadLetters
from tests.support.spooling import FaultyDisk
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys
from pathlib import Path
from local_runner.spool.disk_spool import DiskSpool
spool = DiskSpool(Path(sys.argv[1]), "process")
spool.append([b"of another process"], 1.0)
print("ready", flush=True)
sys.stdin.read()
"""


def replayed(spool: DiskSpool) -> list[bytes]:
    payloads = []
    while records := spool.replay(10):
        payloads += [record.payload for record in records]
    return payloads


def start_holder(directory: Path) -> "subprocess.Popen[str]":
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(directory)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout
    assert holder.stdout.readline() == "ready\n"
    return holder


@pytest.mark.parametrize("mode", ["process", "disk"])
def test_what_was_not_dealt_with_comes_again_in_the_next_process(tmp_path: Path, mode: str) -> None:
    clock = FakeClock()
    spool = DiskSpool(tmp_path / "spool", mode)  # type: ignore[arg-type]  # a mode by its name
    queue = InMemoryQueue(FakeDeadLetters(), spool=spool, wall_clock=clock)
    queue.publish([event(1), event(2)])
    queue.publish([event(3)])
    stored, *_ = queue.receive(10, wait=0)
    queue.delete([stored.receipt_handle])
    spool.close()

    clock.now += 100
    again = DiskSpool(tmp_path / "spool", mode)  # type: ignore[arg-type]  # as above
    restarted = InMemoryQueue(FakeDeadLetters(), spool=again, wall_clock=clock)
    assert restarted.depth == 2
    messages = restarted.receive(10, wait=0)

    assert [message.body for message in messages] == [event(2).model_dump_json(), event(3).model_dump_json()]
    assert (restarted.stats().in_flight, restarted.stats().oldest_age_seconds) == (2, 100)
    restarted.delete([message.receipt_handle for message in messages])
    assert (restarted.depth, again.stats().events) == (0, 0)
    again.close()


@pytest.mark.parametrize(("mode", "syncs"), [("process", 0), ("disk", 1)])
def test_a_mode_says_what_is_synced_when_a_publish_returns(tmp_path: Path, mode: str, syncs: int) -> None:
    faulty = FaultyDisk()
    spool = DiskSpool(tmp_path / "spool", mode, disk=faulty.disk)  # type: ignore[arg-type]  # a mode by its name
    before = len(faulty.synced)

    spool.append([b"one", b"two"], 1.0)

    assert len(faulty.synced) - before == syncs
    until(lambda: len(faulty.synced) > before)
    spool.close()


def test_a_big_spool_is_not_loaded_at_once_and_counts_towards_the_bound(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path / "spool", "process")
    InMemoryQueue(FakeDeadLetters(), spool=spool).publish([event(number) for number in range(100)])
    spool.close()
    spool = DiskSpool(tmp_path / "spool", "process")
    queue = InMemoryQueue(FakeDeadLetters(), QueueLimits(max_messages=100), spool=spool)

    with pytest.raises(QueueFullError):
        queue.publish([event(100)])
    messages = queue.receive(10, wait=0)

    assert (len(messages), spool.replay_remaining, queue.stats().waiting, queue.depth) == (10, 90, 90, 100)
    queue.delete([message.receipt_handle for message in messages])
    queue.publish([event(100)])
    received = []
    while messages := queue.receive(10, wait=0):
        received += [message.body for message in messages]
    assert received == [event(number).model_dump_json() for number in range(10, 101)]
    spool.close()


def test_a_publish_that_the_spool_refuses_leaves_no_trace_in_the_queue(tmp_path: Path) -> None:
    faulty = FaultyDisk()
    spool = DiskSpool(tmp_path / "spool", "process", disk=faulty.disk)
    queue = InMemoryQueue(FakeDeadLetters(), QueueLimits(max_messages=2), spool=spool)
    faulty.room = 10
    for _ in range(5):
        with pytest.raises(QueueUnavailableError, match="nothing was accepted"):
            queue.publish([event(1)])

    assert queue.depth == 0
    faulty.room = 1 << 40
    queue.publish([event(1), event(2)])
    spool.close()


def test_a_dead_letter_is_acknowledged_once_it_is_kept(tmp_path: Path) -> None:
    clock = FakeClock()
    dead_letters = FakeDeadLetters()
    dead_letters.down = True
    spool = DiskSpool(tmp_path / "spool", "process")
    queue = InMemoryQueue(dead_letters, QueueLimits(max_receives=1), spool=spool, clock=clock)
    queue.publish([event(1)])
    queue.receive(1, wait=0)
    clock.now += 30
    queue.receive(1, wait=0)
    assert spool.stats().events == 1

    dead_letters.down = False
    clock.now += 1
    queue.receive(1, wait=0)

    assert (dead_letters.bodies, spool.stats().events) == ([event(1).model_dump_json()], 0)
    spool.close()


def test_the_thread_syncs_and_removes_by_itself_and_says_once_that_it_cannot(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    faulty = FaultyDisk()
    spool = DiskSpool(tmp_path / "spool", "process", SpoolLimits(segment_bytes=100), faulty.disk)
    faulty.sync_fails = True
    numbers = [number for _ in range(5) for number in spool.append([b"x" * 100], 1.0)]
    until(lambda: caplog.records)
    spool.acknowledge(numbers)
    syncs = len(faulty.synced)
    time.sleep(0.5)  # several more failures, none of which is logged
    faulty.sync_fails = False

    until(lambda: len(faulty.synced) > syncs and len(list((tmp_path / "spool" / "0").glob("*.log"))) == 1)

    assert [record.message for record in caplog.records] == ["spool_sync_failed"]
    spool.close()


def test_a_disk_that_does_not_sync_is_a_check_that_fails_until_it_does(tmp_path: Path) -> None:
    def fails() -> bool:
        try:
            check_spool(spool)
        except QueueUnavailableError:
            return True
        return False

    faulty = FaultyDisk()
    spool = DiskSpool(tmp_path / "spool", "process", disk=faulty.disk)
    assert check_spool(spool)["mode"] == "process"
    faulty.sync_fails = True
    spool.append([b"one"], 1.0)
    until(fails)
    faulty.sync_fails = False
    until(lambda: not fails())
    spool.close()


def test_a_slot_of_a_living_process_is_left_alone_and_one_of_a_dead_process_is_adopted(tmp_path: Path) -> None:
    directory = tmp_path / "spool"
    first, second = start_holder(directory), start_holder(directory)
    third = DiskSpool(directory, "process")
    assert (third.replay_remaining, list(third.append([b"mine"], 1.0))) == (0, [(2 << SLOT_SHIFT) + 1])
    third.close()

    second.kill()
    second.communicate()
    adopting = DiskSpool(directory, "process")  # takes the slot of the second, and adopts that of the third
    assert sorted(replayed(adopting)) == [b"mine", b"of another process"]
    assert list(adopting.append([b"more"], 1.0)) == [(1 << SLOT_SHIFT) + 2]
    adopting.acknowledge([(1 << SLOT_SHIFT) + 1, (2 << SLOT_SHIFT) + 1, (1 << SLOT_SHIFT) + 2])
    adopting.close()

    first.kill()
    first.communicate()
    last = DiskSpool(directory, "process")
    assert replayed(last) == [b"of another process"]
    assert list(last.append([b"x"], 1.0)) == [2]
    last.close()


def test_an_adopted_slot_that_is_empty_is_free_for_the_next_process(tmp_path: Path) -> None:
    for directory in ("0", "1"):
        (tmp_path / "spool" / directory).mkdir(parents=True)
    one, other = DiskSpool(tmp_path / "spool", "process"), DiskSpool(tmp_path / "spool", "process")

    assert [list(spool.append([b"x"], 1.0)) for spool in (one, other)] == [[1], [(1 << SLOT_SHIFT) + 1]]
    one.close()
    other.close()


def test_without_a_spool_nothing_is_written(tmp_path: Path) -> None:
    spool = open_spool(tmp_path / "spool", "off")

    assert [list(spool.append([b"a", b"b"], 1.0)), list(spool.append([b"c"], 1.0))] == [[1, 2], [3]]
    assert (spool.replay(10), spool.stats().mode, list(tmp_path.iterdir())) == ([], "off", [])


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("in the way")

    with pytest.raises(InvalidSettingsError, match=r"AUDIT_LOG_DATA_DIR: the spool in .*spool cannot be used"):
        DiskSpool(tmp_path / "spool", "process")

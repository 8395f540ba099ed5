"""A disk that is full or fails: events that are not on it are refused, or written into another segment."""

import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event as Flag

import pytest

from core.errors import QueueUnavailableError
from local_runner.spool.files import FileSystem
from local_runner.spool.slot import Slot
from tests.support.spooling import FaultyDisk, append, killed, numbers_and_payloads, open_slot, replayed, segments
from tests.support.waiting import SECONDS


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "spool" / "0"


@pytest.fixture
def faulty() -> FaultyDisk:
    return FaultyDisk()


@pytest.fixture
def slot(directory: Path, faulty: FaultyDisk) -> Iterator[Slot]:
    slot = open_slot(directory, disk=faulty.disk)
    yield slot
    faulty.__init__()  # type: ignore[misc]  # in order again
    slot.close()


@pytest.fixture
def durable(directory: Path, faulty: FaultyDisk) -> Iterator[Slot]:
    slot = open_slot(directory, disk=faulty.disk, durable=True)
    yield slot
    faulty.sync_fails = False
    slot.close()


@pytest.mark.parametrize("room", [0, 1, 10, 30, 60])
def test_a_full_disk_accepts_nothing_leaves_nothing_and_goes_on_when_there_is_room(
    slot: Slot, directory: Path, faulty: FaultyDisk, room: int
) -> None:
    append(slot, b"one")
    size = segments(directory)[0].stat().st_size
    faulty.room = room

    with pytest.raises(QueueUnavailableError, match=r"No space left on device.*nothing was accepted"):
        slot.append([b"two", b"three"], 1.0)

    assert segments(directory)[0].stat().st_size == size
    faulty.room = 1 << 40
    assert append(slot, b"four") == [2]
    assert replayed(killed(directory)) == {1: b"one", 2: b"four"}


@pytest.mark.parametrize("is_durable", [False, True])
def test_a_deleted_segment_accepts_nothing_and_another_takes_over(
    directory: Path, faulty: FaultyDisk, *, is_durable: bool
) -> None:
    slot = open_slot(directory, disk=faulty.disk, durable=is_durable)
    append(slot, b"one")
    for path in segments(directory):
        path.unlink()

    with pytest.raises(QueueUnavailableError, match=r"No such file or directory.*nothing was accepted"):
        slot.append([b"lost"], 1.0)

    assert append(slot, b"two") == [2]
    assert replayed(killed(directory)) == {2: b"two"}
    slot.close()


@pytest.mark.parametrize("is_durable", [False, True])
def test_a_directory_that_was_moved_away_accepts_nothing_until_it_is_back(
    directory: Path, faulty: FaultyDisk, *, is_durable: bool
) -> None:
    slot = open_slot(directory, disk=faulty.disk, durable=is_durable)
    append(slot, b"one")
    elsewhere = directory.with_name("elsewhere")
    directory.rename(elsewhere)
    for _ in range(3):
        with pytest.raises(OSError, match="No such file or directory"):
            slot.maintain()
    with pytest.raises(QueueUnavailableError, match=r"No such file or directory.*nothing was accepted"):
        slot.append([b"lost"], 1.0)

    elsewhere.rename(directory)
    slot.maintain()
    assert append(slot, b"two") == [2]
    assert replayed(killed(directory)) == {1: b"one", 2: b"two"}
    slot.close()


def test_a_limit_of_the_operating_system_is_met_like_a_full_disk(directory: Path) -> None:
    slot = open_slot(directory)
    append(slot, b"one")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(QueueUnavailableError, match="File too large"):
            slot.append([b"x" * 200], 1.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    append(slot, b"two")
    assert replayed(killed(directory)) == {1: b"one", 2: b"two"}
    slot.close()


def test_a_disk_that_has_no_room_for_the_next_segment_accepts_nothing(directory: Path, faulty: FaultyDisk) -> None:
    slot = open_slot(directory, disk=faulty.disk, segment_bytes=60)
    append(slot, b"x" * 60)
    faulty.room = 20

    for _ in range(2):
        with pytest.raises(QueueUnavailableError):
            slot.append([b"two"], 1.0)
    assert list(directory.glob("*.tmp")) == []

    faulty.room = 1 << 40
    append(slot, b"three")
    assert replayed(killed(directory)) == {1: b"x" * 60, 2: b"three"}
    slot.close()


def test_a_part_of_a_record_that_cannot_be_taken_away_is_left_behind_in_its_segment(
    slot: Slot, directory: Path, faulty: FaultyDisk
) -> None:
    append(slot, b"one")
    faulty.room, faulty.truncate_fails = 10, True
    with pytest.raises(QueueUnavailableError):
        slot.append([b"two"], 1.0)
    faulty.room = 1 << 40

    append(slot, b"three")

    assert [path.name for path in segments(directory)] == [f"{first:020d}.log" for first in (1, 2)]
    assert replayed(killed(directory)) == {1: b"one", 2: b"three"}


def test_an_acknowledgement_behind_a_part_of_one_counts(slot: Slot, directory: Path) -> None:
    append(slot, b"one", b"two", b"three")
    slot.acknowledge([1])
    (acks,) = directory.glob("*.settled")
    acks.write_bytes(acks.read_bytes() + b"half an ack")

    slot.acknowledge([2])

    assert replayed(killed(directory)) == {3: b"three"}


def test_the_names_of_files_are_synced_as_well(durable: Slot, faulty: FaultyDisk) -> None:
    assert faulty.synced == ["names", "0", f"{1:020d}.log", "0"]

    append(durable, b"one")

    assert faulty.synced[4:] == [f"{1:020d}.log"]


def test_what_a_killed_process_left_is_synced_by_the_next(slot: Slot, directory: Path) -> None:
    slot.append([b"one"], 1.0)
    after = FaultyDisk()

    open_slot(killed(directory), disk=after.disk).close()

    assert f"{1:020d}.log" in after.synced


def test_an_acknowledgement_that_cannot_be_written_is_left_out(slot: Slot, directory: Path) -> None:
    append(slot, b"one", b"two")
    (directory / f"{1:020d}.settled").mkdir()  # in the way of the acknowledgements

    slot.acknowledge([1])

    assert slot.pending == 1
    (directory / f"{1:020d}.settled").rmdir()
    assert replayed(killed(directory)) == {1: b"one", 2: b"two"}


def test_a_sync_that_fails_is_reported_to_its_publisher_and_never_repeated(
    durable: Slot, directory: Path, faulty: FaultyDisk
) -> None:
    append(durable, b"one")
    _, segment, size = durable.append([b"two"], 1.0)
    faulty.sync_fails = True
    with pytest.raises(QueueUnavailableError, match="nothing was accepted"):
        durable.commit(segment, size)
    faulty.sync_fails = False
    syncs = len(faulty.synced)

    with pytest.raises(QueueUnavailableError):
        durable.commit(segment, size)

    assert len(faulty.synced) == syncs
    append(durable, b"three")
    assert list(replayed(killed(directory)).values()) == [b"one", b"three"]


def test_what_was_synced_before_a_failure_stays_accepted(durable: Slot, faulty: FaultyDisk) -> None:
    _, segment, size = durable.append([b"one"], 1.0)
    append(durable, b"two")
    durable.append([b"three"], 1.0)
    faulty.sync_fails = True
    with pytest.raises(QueueUnavailableError):
        durable.commit(segment, size + 1000)

    durable.commit(segment, size)  # by the sync of "two"


def test_without_waiting_a_sync_that_fails_has_what_is_in_doubt_written_again(
    slot: Slot, directory: Path, faulty: FaultyDisk
) -> None:
    append(slot, b"one", b"two")
    slot.append([b"three", b"four"], 1.0)
    slot.acknowledge([1, 3])
    faulty.sync_fails = True

    with pytest.raises(QueueUnavailableError):
        slot.maintain()

    assert [path.name for path in segments(directory)] == [f"{first:020d}.log" for first in (1, 3)]
    assert slot.pending == 2
    again = open_slot(killed(directory))
    assert sorted(payload for _, payload in numbers_and_payloads(again)) == [b"four", b"three", b"two"]  # each once
    again.close()
    faulty.sync_fails = False
    slot.maintain()
    segments(directory)[0].write_bytes(
        segments(directory)[0].read_bytes().replace(b"four", b"gone")
    )  # the events in doubt
    again = open_slot(killed(directory))
    assert (again.pending, {payload for _, payload in numbers_and_payloads(again)}) == (3, {b"two", b"three", b"four"})
    again.close()
    assert append(slot, b"five") == [5]
    slot.acknowledge([2, 4, 5])
    assert slot.pending == 0


def test_a_segment_whose_first_sync_fails_is_written_again_under_its_name(directory: Path, faulty: FaultyDisk) -> None:
    small = open_slot(directory.with_name("1"), disk=faulty.disk, segment_bytes=60)
    first = append(small, b"x" * 60)
    small.append([b"two"], 1.0)  # begins a segment
    faulty.sync_fails = True
    with pytest.raises(QueueUnavailableError):
        small.maintain()
    with pytest.raises(QueueUnavailableError):
        small.maintain()
    faulty.sync_fails = False
    small.maintain()

    assert list(replayed(killed(directory.with_name("1"))).values()) == [b"x" * 60, b"two"]
    small.acknowledge([first[0], first[0] + 1])
    assert small.pending == 0
    small.close()


def test_one_sync_serves_all_who_wait(directory: Path) -> None:
    faulty = FaultyDisk()
    going, may_go = Flag(), Flag()

    def slow_sync(descriptor: int) -> None:
        going.set()
        assert may_go.wait(SECONDS)
        faulty.disk.sync(descriptor)

    may_go.set()
    slot = open_slot(directory, disk=FileSystem(sync=slow_sync), durable=True)
    append(slot, b"first")
    syncs = len(faulty.synced)
    may_go.clear()
    going.clear()
    with ThreadPoolExecutor(20) as publishers:
        leader = publishers.submit(append, slot, b"leader")
        assert going.wait(SECONDS)
        others = [publishers.submit(append, slot, b"other") for _ in range(19)]
        while slot.pending < 21:
            pass
        may_go.set()
        numbers = [publisher.result(SECONDS) for publisher in (leader, *others)]

    assert sorted(number for (number,) in numbers) == list(range(2, 22))
    assert len(faulty.synced) == syncs + 2
    slot.close()

"""One slot, as the next process recovers it after the last one stopped, was killed, or lost its power."""

import logging
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import InvalidSettingsError, QueueFullError
from local_runner.spool.files import LockedError
from local_runner.spool.records import SLOT_SHIFT, encode_ack, encode_record, header
from local_runner.spool.slot import Slot
from tests.support.spooling import append, killed, numbers_and_payloads, open_slot, replayed, segments


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "spool" / "0"


@pytest.fixture
def slot(directory: Path) -> Iterator[Slot]:
    slot = open_slot(directory, segment_bytes=200)
    yield slot
    slot.close()


def test_what_was_appended_is_replayed_after_a_kill(slot: Slot, directory: Path) -> None:
    slot.append([b"one", b"two"], 1.0)
    slot.append([b"three"], 1.0)

    assert replayed(killed(directory)) == {1: b"one", 2: b"two", 3: b"three"}


def test_what_is_acknowledged_is_not_replayed(slot: Slot, directory: Path) -> None:
    append(slot, b"one", b"two", b"three", b"four")
    slot.acknowledge([4, 1, 2])

    assert replayed(killed(directory)) == {3: b"three"}


def test_what_was_accepted_keeps_its_time(slot: Slot, directory: Path) -> None:
    slot.append([b"one"], 1700000000.25)

    again = open_slot(killed(directory))
    (record,) = again.replay.take(10)
    again.close()

    assert record.sent_at == 1700000000.25


def test_a_replay_comes_in_pieces_over_several_segments_in_order(slot: Slot, directory: Path) -> None:
    for number in range(1, 21):
        append(slot, b"x" * 50 + b"%d" % number)
    assert len(segments(directory)) > 5
    again = open_slot(killed(directory))

    assert again.replay.remaining == 20
    assert [number for number, _ in numbers_and_payloads(again, at_most=3)] == list(range(1, 21))
    assert (again.replay.remaining, again.pending) == (0, 20)
    again.close()


def test_numbers_run_on_over_stops_and_kills_and_name_their_slot(directory: Path) -> None:
    for expected in (1, 2, 3):
        slot = open_slot(directory)
        assert append(slot, b"x") == [expected]
        slot.acknowledge([expected])
        slot.close()
        assert [path.stat().st_size for path in segments(directory)] == [len(header())]

    killed_slot = open_slot(directory)
    append(killed_slot, b"y")
    copy = killed(directory)
    killed_slot.close()
    again = open_slot(copy)
    assert append(again, b"z") == [5]
    again.close()

    other = open_slot(directory.with_name("3"))
    assert append(other, b"x") == [(3 << SLOT_SHIFT) + 1]
    other.close()


def test_a_segment_is_removed_with_its_second_file_once_all_of_it_is_acknowledged(slot: Slot, directory: Path) -> None:
    numbers = [number for _ in range(10) for number in append(slot, b"x" * 80)]
    before = len(segments(directory))

    slot.acknowledge(numbers[:6])
    slot.maintain()

    assert before > len(segments(directory)) > 1
    slot.acknowledge(numbers[6:])
    slot.maintain()
    assert len(segments(directory)) == 1
    assert slot.size == segments(directory)[0].stat().st_size


def test_a_segment_with_one_event_left_stays(slot: Slot, directory: Path) -> None:
    numbers = [number for _ in range(10) for number in append(slot, b"x" * 80)]

    slot.acknowledge(numbers[1:])
    slot.maintain()

    assert replayed(killed(directory)) == {1: b"x" * 80}


@pytest.mark.parametrize("durable", [False, True])
def test_an_old_segment_is_removed_although_it_is_not_full_once_all_of_it_is_acknowledged(
    directory: Path, *, durable: bool
) -> None:
    slot = open_slot(directory, durable=durable, segment_seconds=0)
    numbers = append(slot, b"secret", b"other")
    slot.acknowledge(numbers[:1])
    slot.maintain()
    slot.maintain()
    assert b"secret" in segments(directory)[0].read_bytes()

    slot.acknowledge(numbers[1:])
    slot.maintain()  # another segment takes over
    slot.maintain()
    [left] = segments(directory)
    assert b"secret" not in left.read_bytes()
    assert append(slot, b"next") == [3]
    assert replayed(killed(directory)) == {3: b"next"}
    slot.close()


def test_a_segment_that_is_not_old_is_not_removed(slot: Slot, directory: Path) -> None:
    slot.acknowledge(append(slot, b"one"))
    slot.maintain()
    slot.maintain()
    assert b"one" in segments(directory)[0].read_bytes()


def test_acknowledging_twice_or_what_is_unknown_has_no_effect(slot: Slot, directory: Path) -> None:
    append(slot, b"one", b"two")
    slot.acknowledge([1])
    slot.acknowledge([1, 77, 5000])

    assert (slot.pending, replayed(killed(directory))) == (1, {2: b"two"})


def test_an_acknowledgement_after_the_close_touches_no_file(directory: Path) -> None:
    slot = open_slot(directory)
    append(slot, b"one")
    slot.close()

    slot.acknowledge([1])

    assert replayed(directory) == {1: b"one"}


def test_the_bytes_are_bounded_and_given_back(directory: Path) -> None:
    slot = open_slot(directory, max_bytes=1000, segment_bytes=1000)
    numbers: list[int] = []
    with pytest.raises(QueueFullError, match="nothing was accepted"):  # noqa: PT012 - it is full at some time
        while True:
            numbers += append(slot, b"x" * 100)
    assert len(numbers) > 5
    assert sum(path.stat().st_size for path in segments(directory)) <= 1000

    slot.acknowledge(numbers)
    slot.maintain()

    append(slot, b"x" * 100)
    slot.close()


@pytest.mark.parametrize("cut", range(1, len(encode_record(3, 1.0, b"three")) + 1))
def test_a_tail_that_a_power_cut_took_costs_what_was_in_it_alone(slot: Slot, directory: Path, cut: int) -> None:
    append(slot, b"one", b"two", b"three")
    copy = killed(directory)
    (path,) = segments(copy)
    content = path.read_bytes()
    path.write_bytes(content[:-cut])

    assert replayed(copy) == {1: b"one", 2: b"two"}


def test_damage_is_set_aside_and_reported_and_what_lies_behind_it_is_replayed(
    slot: Slot, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    append(slot, b"one", b"two", b"three")
    copy = killed(directory)
    (path,) = segments(copy)
    content = bytearray(path.read_bytes())
    at = content.index(b"two")
    content[at] ^= 1
    path.write_bytes(bytes(content) + bytes(64))

    again = open_slot(copy)

    assert dict(numbers_and_payloads(again)) == {1: b"one", 3: b"three"}
    assert again.damages == 2
    again.close()
    kept = sorted((copy.parent / "corrupt").iterdir())
    assert [file.read_bytes() for file in kept] == [encode_record(2, 1.0, b"two").replace(b"two", b"uwo"), bytes(64)]
    assert [stat.S_IMODE(file.stat().st_mode) for file in kept] == [0o600, 0o600]
    reports = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [report.__dict__["kept_in"] for report in reports] == [str(file) for file in kept]


def test_a_segment_of_zeros_alone_is_set_aside(slot: Slot, directory: Path) -> None:
    append(slot, b"one")
    copy = killed(directory)
    segments(copy)[0].write_bytes(bytes(300))

    assert replayed(copy) == {}
    assert [file.read_bytes() for file in (copy.parent / "corrupt").iterdir()] == [bytes(300)]


def test_a_damaged_acknowledgement_is_reported_and_its_events_are_replayed(slot: Slot, directory: Path) -> None:
    append(slot, b"one", b"two")
    slot.acknowledge([1])
    copy = killed(directory)
    (acks,) = copy.glob("*.settled")
    acks.write_bytes(acks.read_bytes()[:-1])

    assert replayed(copy) == {1: b"one", 2: b"two"}
    assert len(list((copy.parent / "corrupt").iterdir())) == 1


def test_the_number_of_a_lost_event_is_not_given_to_another_that_would_pass_for_acknowledged(
    slot: Slot, directory: Path
) -> None:
    append(slot, b"one")
    slot.acknowledge([1])
    copy = killed(directory)
    segments(copy)[0].write_bytes(header())  # the power cut took the event, and not the acknowledgement

    again = open_slot(copy)
    append(again, b"another")
    after = killed(copy)
    again.close()

    assert list(replayed(after).values()) == [b"another"]


@pytest.mark.parametrize("start", [header(2), header(2) + encode_record(1, 1.0, b"from the future")])
def test_a_version_from_the_future_is_refused_and_left_as_it_is(slot: Slot, directory: Path, start: bytes) -> None:
    append(slot, b"one")
    copy = killed(directory)
    future = copy / f"{9:020d}.log"
    future.write_bytes(start)
    before = {path: path.read_bytes() for path in copy.iterdir()}

    with pytest.raises(InvalidSettingsError, match="version 2"):
        open_slot(copy)

    assert {path: path.read_bytes() for path in copy.iterdir()} == before
    future.unlink()
    assert replayed(copy) == {1: b"one"}  # the refusal has let go of the lock


def test_a_slot_has_one_holder(slot: Slot, directory: Path) -> None:
    append(slot, b"one")

    with pytest.raises(LockedError):
        open_slot(directory)


def test_what_a_killed_process_left_half_done_is_removed_and_nothing_else(directory: Path) -> None:
    directory.mkdir(parents=True)
    (directory / f"{5:020d}.tmp").write_bytes(header())
    (directory / f"{3:020d}.settled").write_bytes(encode_ack(3, 3))
    (directory / "notes.log").write_text("somebody's own")

    assert replayed(directory) == {}
    assert sorted(path.name for path in directory.iterdir()) == [f"{1:020d}.log", "lock", "names", "notes.log"]


def test_nobody_else_can_read_the_files(slot: Slot, directory: Path) -> None:
    append(slot, b"one", b"two")
    slot.acknowledge([1])

    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}

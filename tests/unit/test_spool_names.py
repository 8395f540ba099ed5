"""The names of a slot: they outlive moves of its directory, and a copy shares none that is in use."""

import shutil
import socket
from hashlib import sha256
from pathlib import Path

import pytest

from local_runner.spool.names import FILE_NAME
from tests.support.spooling import append, killed, open_slot


def opened(directory: Path) -> tuple[str, ...]:
    slot = open_slot(directory)
    slot.close()
    return slot.history.names


def test_a_slot_keeps_its_name_where_it_is(tmp_path: Path) -> None:
    [name] = opened(tmp_path / "spool" / "0")
    assert opened(tmp_path / "spool" / "0") == (name,)
    assert opened(tmp_path / "spool" / "1") != (name,)


def test_a_moved_slot_gets_one_more_name_and_keeps_its_former_ones(tmp_path: Path) -> None:
    [first] = opened(tmp_path / "here" / "0")
    shutil.move(tmp_path / "here", tmp_path / "there")
    second, *former = opened(tmp_path / "there" / "0")
    assert former == [first] != [second]
    shutil.move(tmp_path / "there", tmp_path / "here")
    third, *former = opened(tmp_path / "here" / "0")
    assert former == [second, first]
    assert third not in former
    assert opened(tmp_path / "here" / "0") == (third, second, first)


def test_a_directory_on_another_host_is_at_another_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [first] = opened(tmp_path / "0")
    monkeypatch.setattr(socket, "gethostname", lambda: "another")
    assert opened(tmp_path / "0")[1:] == (first,)


def test_two_copies_share_their_former_name_only(tmp_path: Path) -> None:
    [original] = opened(tmp_path / "0")
    copies = [opened(shutil.copytree(tmp_path / "0", tmp_path / name / "0")) for name in "ab"]
    assert [names[1:] for names in copies] == [(original,), (original,)]
    assert len({original, *(names[0] for names in copies)}) == 3


def test_a_slot_of_a_version_without_names_has_the_name_of_its_place(tmp_path: Path) -> None:
    directory = tmp_path / "0"
    slot = open_slot(directory)
    append(slot, b"x")
    former = killed(directory)
    slot.close()
    (former / FILE_NAME).unlink()
    place = sha256(f"{socket.gethostname()}:{former}".encode()).hexdigest()[:32]
    assert opened(former) == opened(former) == (place,)


@pytest.mark.parametrize("content", [b"", b"\0" * 66, b"no name\n"])
def test_damaged_names_are_replaced(tmp_path: Path, content: bytes) -> None:
    names = opened(tmp_path / "0")
    (tmp_path / "0" / FILE_NAME).write_bytes(content)
    replaced = opened(tmp_path / "0")
    assert len(replaced) == 1
    assert replaced != names
    assert opened(tmp_path / "0") == replaced


def test_sixteen_names_are_kept(tmp_path: Path) -> None:
    for number in range(20):
        names = opened(tmp_path / f"place {number}" / "0")
        shutil.move(tmp_path / f"place {number}", tmp_path / f"place {number + 1}")
    assert len(set(names)) == 16

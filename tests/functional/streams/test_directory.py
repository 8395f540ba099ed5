"""Destination `directory`: complete files of JSON lines."""

import gzip
import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from core.errors import MisconfiguredError
from core.ports.streams import Batch, BatchEntry
from core.streams.destinations.directory import Config, DirectoryDestination, Secrets, open_destination
from tests.support.builders import event


def batch(*numbers: int, is_test: bool = False) -> Batch:
    entries = [BatchEntry(number, event(number), {"n": number, "big": 2**63 - 1}) for number in numbers]
    return Batch("stream-1", entries, is_test)


def open_at(path: Path) -> DirectoryDestination:
    return open_destination("stream-1", Config(path=path), Secrets(), None)


def test_a_batch_is_a_file_of_lines_named_by_its_first_event(tmp_path: Path) -> None:
    destination = open_at(tmp_path)
    destination.send(batch(1, 2, 3))
    (file,) = tmp_path.rglob("*.gz")
    assert str(file.relative_to(tmp_path)) == f"2026/01/31/12/{event(1).event_id}-3.ndjson.gz"
    lines = gzip.decompress(file.read_bytes()).splitlines()
    assert [json.loads(line) for line in lines] == [{"n": number, "big": 2**63 - 1} for number in (1, 2, 3)]


def test_a_batch_that_is_sent_again_has_the_same_file(tmp_path: Path) -> None:
    destination = open_at(tmp_path)
    destination.send(batch(1, 2))
    (file,) = tmp_path.rglob("*.gz")
    before = file.read_bytes()
    destination.send(batch(1, 2))
    assert [each.read_bytes() for each in tmp_path.rglob("*.gz")] == [before]


def test_a_test_leaves_no_file(tmp_path: Path) -> None:
    open_at(tmp_path).send(batch(1, is_test=True))
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == []


def test_a_directory_that_is_missing_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(MisconfiguredError, match="does not exist"):
        open_at(tmp_path / "disk").send(batch(1))
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_a_directory_is_reported_without_its_name(tmp_path: Path) -> None:
    (tmp_path / "2026").write_text("x")
    with pytest.raises(MisconfiguredError, match="cannot be written") as caught:
        open_at(tmp_path).send(batch(1))
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("path", ["relative", "/a/../b"])
def test_a_path_that_depends_on_more_than_itself_is_refused(path: str) -> None:
    with pytest.raises(ValidationError, match="absolute path"):
        Config.model_validate({"path": path})

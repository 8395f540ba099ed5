"""Output files of commands: whole under their name, also if two commands write the same one."""

import gzip
from pathlib import Path

import pytest
import typer

from local_runner.cli.remote.output_file import output_file

BEFORE = b"an export of yesterday"
FIRST, SECOND = b"first " * 10_000, b"second " * 20_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "events.ndjson"


def test_two_commands_that_write_one_file_do_not_mix(file: Path) -> None:
    with output_file(file) as one:
        one.write(FIRST[:100])
        with output_file(file) as other:
            other.write(SECOND)
        assert file.read_bytes() == SECOND
        one.write(FIRST[100:])
    assert file.read_bytes() == FIRST
    assert list(file.parent.iterdir()) == [file]


def test_an_interrupted_command_leaves_the_file_as_it_was(file: Path) -> None:
    def stop() -> None:
        with output_file(file) as stream:
            stream.write(FIRST)
            raise KeyboardInterrupt

    file.write_bytes(BEFORE)
    with pytest.raises(KeyboardInterrupt):
        stop()
    assert file.read_bytes() == BEFORE
    assert list(file.parent.iterdir()) == [file]


def test_a_name_that_ends_with_gz_is_compressed(file: Path) -> None:
    packed = file.with_suffix(".ndjson.gz")
    with output_file(packed) as stream:
        stream.write(FIRST)
    assert gzip.decompress(packed.read_bytes()) == FIRST


def test_a_directory_that_is_missing_is_a_wrong_option(file: Path) -> None:
    with pytest.raises(typer.BadParameter, match="No such file"), output_file(file / "x"):
        pass


def test_a_device_is_written_to_as_it_is() -> None:
    with output_file(Path("/dev/null")) as stream:
        stream.write(FIRST)
    assert Path("/dev/null").is_char_device()

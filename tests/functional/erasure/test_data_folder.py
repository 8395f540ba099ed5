"""After an erasure no file of the data folder has a byte of the data: table, index, free pages, write-ahead log."""

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.stores.dialects import Scrubbed
from core.stores.dialects.sqlite_terms import index_terms
from core.stores.erasing import Eraser, Request, Selection
from core.stores.sql import SqlEventStore
from local_runner.cli.main import app
from tests.support.builders import event
from tests.support.service import environment

NOW = datetime(2026, 2, 1, tzinfo=UTC)
RANDOM = random.Random(17)  # noqa: S311 - sizes and an order


def secret(number: int) -> str:
    """A text that occurs nowhere else, of any length up to several pages."""
    return f"secret-{number:06}-" * RANDOM.choice((1, 2, 20, 100, 700))


def folder_has(folder: Path, words: list[bytes]) -> list[tuple[str, bytes]]:
    """Files of the folder, and the words in each."""
    files = [each for each in folder.rglob("*") if each.is_file()]
    return [(str(each), word) for each in files for word in words if word in each.read_bytes()]


@pytest.fixture
def stored(sqlite_store: SqlEventStore) -> SqlEventStore:
    """1,000 events in batches, which fill the index with segments and the log with pages."""
    for start in range(0, 1_000, 50):
        sqlite_store.add(
            [event(number, event_data={"text": secret(number), "n": number}) for number in range(start, start + 50)]
        )
    return sqlite_store


def test_no_file_has_what_was_erased(stored: SqlEventStore, tmp_path: Path) -> None:
    engine = stored._engine  # noqa: SLF001 - a store shows it to no other code
    eraser = Eraser(engine)
    gone: list[int] = []
    rest = list(range(1_000))
    RANDOM.shuffle(rest)
    for size in (1, 30, 300, 400):
        part, rest = rest[:size], rest[size:]
        gone += part
        ids = tuple(event(number).event_id for number in part)
        assert eraser.erase(Request(Selection(ids), False, "", ""), at=NOW, progress=lambda _: None) == (size, True)
        assert eraser.scrub() == Scrubbed()
        assert folder_has(tmp_path, [f"secret-{number:06}-".encode() for number in gone]) == []
    assert len(folder_has(tmp_path, [f"secret-{rest[0]:06}-".encode()])) == 1, "the others stay"


def test_no_file_has_a_word_of_the_full_text_index(stored: SqlEventStore, tmp_path: Path) -> None:
    engine = stored._engine  # noqa: SLF001 - a store shows it to no other code
    gone = [each for number in range(0, 1_000, 50) if (each := stored.get(event(number).event_id))]
    # The index has words without the letters that they share with the word before.
    words = [
        word[6:].encode()
        for each in gone
        for word in index_terms(each.customer_id, each.event_type, each.event_data).split()[2:]
    ]
    assert folder_has(tmp_path, words)
    ids = tuple(each.event_id for each in gone)
    Eraser(engine).erase(Request(Selection(ids), False, "", ""), at=NOW, progress=lambda _: None)
    assert Eraser(engine).scrub() == Scrubbed()
    assert folder_has(tmp_path, words) == []


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    ended = CliRunner().invoke(app, list(arguments), env=environment(folder))
    return ended.exit_code, ended.stdout, ended.stderr


def test_the_command_erases_and_says_what_it_does_not_reach(stored: SqlEventStore, tmp_path: Path) -> None:
    status, out, err = run(tmp_path, "erase", "--event", event(7).event_id.upper(), "--reason", "asked to", "--yes")
    assert (status, out) == (0, "erased 1 event\n")
    assert "- backups, and copies of the database\n" in err
    assert (stored.get(event(7).event_id) or event()).event_data == {}
    status, out, _ = run(tmp_path, "erase", "--event", event(7).event_id, "--reason", "asked to", "--yes")
    assert (status, out) == (0, "no event is left to erase\n")


def test_nothing_is_erased_without_a_confirmation(stored: SqlEventStore, tmp_path: Path) -> None:
    assert run(tmp_path, "erase", "--customer", "42", "--reason", "asked to")[0] == 1
    assert (stored.get(event(7).event_id) or event()).event_data != {}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--event", "x"],
        ["--customer", "1", "--event", event(1).event_id],
        ["--event", event(1).event_id, "--before", "today"],
    ],
)
def test_an_erasure_of_nothing_in_particular_is_called_wrongly(tmp_path: Path, arguments: list[str]) -> None:
    assert run(tmp_path, "erase", "--reason", "asked to", "--yes", *arguments)[0] == 2


@pytest.mark.usefixtures("stored")
def test_holds_are_placed_listed_and_released(tmp_path: Path) -> None:
    status, hold_id, _ = run(
        tmp_path, "hold", "place", "--customer", "42", "--since", "2020-01-01", "--reason", "case 7"
    )
    assert status == 0
    assert (
        f'"hold_id":"{hold_id.strip()}","customer_id":42,"since":1577836800'
        in run(tmp_path, "hold", "list", "--json")[1]
    )
    assert hold_id.strip() in run(tmp_path, "hold", "list")[1]  # in one piece, to be copied
    ended = CliRunner().invoke(
        app, ["erase", "--customer", "42", "--reason", "asked to", "--yes"], env=environment(tmp_path)
    )
    assert hold_id.strip() in str(ended.exception)
    assert run(tmp_path, "hold", "release", hold_id.strip(), "--reason", "over")[0] == 0
    assert run(tmp_path, "erase", "--customer", "42", "--reason", "asked to", "--yes")[1] == "erased 1,000 events\n"


def test_a_hold_on_everything_is_called_wrongly(tmp_path: Path) -> None:
    assert run(tmp_path, "hold", "place", "--reason", "case 7")[0] == 2

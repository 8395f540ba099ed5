"""Options that name customers, types and senders: what no event can have is refused before anything is changed."""

from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.settings import Settings
from core.stores.database import Database
from core.stores.holds import active
from core.stores.migrations.upgrade import migrate
from local_runner.cli.main import app
from tests.support.service import environment

BEYOND = str(2**63)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(Settings(data_dir=tmp_path).store_url)
    migrate(database.engine)
    return database


@pytest.mark.parametrize(
    ("command", "option", "value"),
    [
        (["retention", "set", "--keep-days", "5"], "--type", ""),
        (["retention", "set", "--keep-days", "5"], "--type", "a\x1b[31m"),
        (["retention", "set", "--keep-days", "5"], "--customer", BEYOND),
        (["retention", "remove"], "--type", ""),
        (["hold", "place", "--reason", "case 7"], "--type", ""),
        (["hold", "place", "--reason", "case 7"], "--type", "x" * 256),
        (["hold", "place", "--reason", "case 7"], "--customer", BEYOND),
        (["erase", "--reason", "request", "--yes"], "--customer", BEYOND),
        (["token"], "--customer", BEYOND),
        (["token"], "--subject", ""),
        (["token"], "--subject", "a\nb"),
        (["stream", "create", "--name", "x", "--kind", "directory", "--set", "path=/tmp"], "--customer", BEYOND),
        (["alert-rule", "create", "--name", "x", "--kind", "absence", "--window", "5"], "--customer", BEYOND),
        (["client", "create", "--name", "x"], "--customer", BEYOND),
        (["query"], "--customer", "1.0"),
    ],
    ids=lambda value: "_".join(value[:2]) if isinstance(value, list) else repr(value)[:20],
)
def test_a_value_that_no_event_has_is_refused(
    database: Database, tmp_path: Path, command: list[str], option: str, value: str
) -> None:
    done = CliRunner().invoke(app, [*command, option, value], env=environment(tmp_path) | {"COLUMNS": "200"})
    assert done.exit_code == 2, done.output
    assert f"Invalid value for '{option}': must" in done.output
    assert database.retention.rules() == []
    assert active(database.engine) == []


@pytest.mark.parametrize("command", ["send", "load-test", "verify", "backup", "erase"])
def test_the_paragraphs_of_the_help_fill_the_width(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "80"}).output
    lines = [line.strip() for line in shown.partition("╭")[0].splitlines()]
    assert lines.count("") >= 4, "two paragraphs"
    for line, following in pairwise(lines):
        if line and following:
            assert len(f" {line} {following.split()[0]} ") > 80, shown


@pytest.mark.parametrize("command", ["query", "tail", "export"])
def test_the_help_shows_the_brackets_of_operators(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
    assert "'rows[gt]=1000'" in shown
    assert "'event_type[prefix]=user.'" in shown
    assert "\\[" not in shown

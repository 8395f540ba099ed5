"""Arguments of commands that are mistakes, such as bytes that are no text, and users without a name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from audit_log_client import Api
from local_runner.cli.main import app
from tests.support import databases
from tests.support.service import environment
from tests.support.waiting import SECONDS

NOT_UTF8 = os.fsdecode(b"\xff")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    databases.copy_migrated(f"sqlite:///{tmp_path / 'audit-log.db'}")
    return tmp_path


def run(data_dir: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, env=environment(data_dir))


@pytest.mark.parametrize(
    "arguments",
    [
        ("query", "--event-type", NOT_UTF8),
        ("query", "--filter", f"q={NOT_UTF8}"),
        ("show", NOT_UTF8),
        ("hold", "place", "--customer", "3", "--reason", NOT_UTF8),
        ("hold", "place", "--customer", "3", "--reason", "a case", "--by", NOT_UTF8),
        ("ledger", "restart", "--origin", NOT_UTF8, "--reason", "a restore"),
        ("stream", "create", "--name", NOT_UTF8, "--kind", "http", "--url", "https://example.org/"),
    ],
)
def test_a_text_that_is_not_utf8_is_refused_by_the_name_of_its_option(
    data_dir: Path, arguments: tuple[str, ...]
) -> None:
    done = run(data_dir, *arguments)
    before = arguments[next(place for place, each in enumerate(arguments) if NOT_UTF8 in each) - 1]
    name = before if before.startswith("--") else "ID"
    assert (done.exit_code, f"Invalid value for '{name}': is not UTF-8" in done.output) == (2, True), done.output


def test_the_path_of_a_file_need_not_be_utf8(data_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / f"{NOT_UTF8}.json"
    assert run(data_dir, "openapi", "--output", str(path)).exit_code == 0
    assert path.is_file()


@pytest.mark.parametrize("reason", ["", " ", "x" * 1001])
@pytest.mark.parametrize(
    "command",
    [("hold", "place", "--customer", "3"), ("hold", "release", "x"), ("erase", "--customer", "3")],
    ids=" ".join,
)
def test_a_reason_that_says_nothing_is_refused(data_dir: Path, command: tuple[str, ...], reason: str) -> None:
    done = run(data_dir, *command, "--reason", reason)
    assert (done.exit_code, "must say why, in 1 to 1,000" in done.output) == (2, True), done.output


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://a..b/", f"http://{'a' * 70}.org/", f"http://{NOT_UTF8}/", "http://xn--ls8h.example/"]
)
def test_an_address_that_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"^the address is no URL, such as https://audit\.example\.org$"):
        Api(url)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_user_without_a_name_is_named_by_the_number() -> None:
    # The module is imported first, because another user cannot read everything that root can.
    code = "import os, local_runner.cli.operator_name as name; os.setuid(54321); print(name.operator_name())"
    done = subprocess.run(
        [sys.executable, "-c", code], env={}, capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert (done.stdout, done.stderr) == ("uid 54321\n", "")

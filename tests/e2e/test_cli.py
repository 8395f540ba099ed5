import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from core import __version__
from core.auth import tokens
from core.errors import AuditLogError, InvalidSettingsError
from local_runner.cli import clients, main
from tests.support import forked
from tests.support.builders import new_event
from tests.support.service import AUDIT_LOG, Service, environment, free_port, get, post
from tests.support.waiting import SECONDS

ROOT_COMMAND = typer.main.get_command(main.app)
assert isinstance(ROOT_COMMAND, typer.core.TyperGroup)
COMMANDS = sorted(ROOT_COMMAND.commands)
GROUPS: dict[str, typer.core.TyperGroup] = {
    name: command for name, command in ROOT_COMMAND.commands.items() if isinstance(command, typer.core.TyperGroup)
}
ALL_COMMANDS = [[name] for name in COMMANDS] + [
    [name, each] for name, group in GROUPS.items() for each in group.commands
]


def run(data_dir: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """The command in a separate process."""
    return forked.run([AUDIT_LOG, *arguments], env=environment(data_dir, **settings))


def output(data_dir: Path, *arguments: str) -> str:
    """What the command prints; called as a function, which is much quicker than a process."""
    ended = CliRunner().invoke(main.app, arguments, env=environment(data_dir), catch_exceptions=False)
    assert (ended.exit_code, ended.stderr) == (0, "")
    return ended.stdout


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_command_tells_its_version(tmp_path: Path, option: str) -> None:
    ended = run(tmp_path, option)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{__version__}\n", "")


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_the_help_names_every_command(tmp_path: Path, option: str) -> None:
    text = output(tmp_path, option)

    assert "AUDIT_LOG_*" in text
    assert all(command in text for command in COMMANDS)


@pytest.mark.parametrize("command", ALL_COMMANDS, ids=" ".join)
def test_every_command_has_help_in_the_words_of_a_user_and_does_nothing_else_then(
    tmp_path: Path, command: list[str]
) -> None:
    text = output(tmp_path, *command, "--help")

    assert " ".join(command) in text
    assert not re.search(r"<\w+[\w |\[\]%:-]*>", text), "a type of Python"
    assert not re.search(r"\b(None|bool|str|FileBinaryRead)\b|%Y", text)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["token", "--valid-minutes", "0"], "--valid-minutes"),
        (["send", "--event-type", "a", "--customer", "1", "--data", "notjson"], "--data"),
        (["send", "--event-type", "a"], "--customer"),
        (["query", "--since", "2026-01-02", "--until", "2026-01-01"], "--since"),
        (["query", "--since", "last week"], "is not a time"),
        (["query", "--where", "path"], "PATH=VALUE"),
        (["query", "--client-id", "client-1"], "AUDIT_CLIENT_SECRET"),
        (["query", "--url", "127.0.0.1:8000"], "--url"),
        (["export", "--format", "xml"], "'xml' is not one of"),
        (["tail", "--interval", "0"], "--interval"),
        (["client", "create", "--name", "x", "--scope", "y"], "--scope"),
        (["serve", "--port", "0"], "--port"),
        (["serve", "--certfile", "x"], "go together"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_wrong_call_ends_with_2_and_changes_nothing(tmp_path: Path, words: list[str], says: str) -> None:
    environ = environment(tmp_path) | {"COLUMNS": "200"}
    ended = CliRunner().invoke(main.app, words, env=environ, catch_exceptions=False)

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert says in ended.stderr
    assert "Value error" not in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_token_is_of_use_at_a_service_with_the_same_data(service: Service) -> None:
    ended = run(service.data_dir, "token", "--valid-minutes", "5", "--subject", "backup-job")
    assert (ended.returncode, ended.stderr) == (0, "")

    headers = {"Authorization": f"Bearer {ended.stdout.strip()}"}
    assert post(f"{service.url}/event", json=new_event(), headers=headers).status_code == 202


def test_a_token_can_be_limited_to_reading_and_to_customers(service: Service) -> None:
    reads = {"Authorization": f"Bearer {output(service.data_dir, 'token', '--read-only').strip()}"}
    narrow = {
        "Authorization": f"Bearer {output(service.data_dir, 'token', '--customer', '1', '--customer', '2').strip()}"
    }

    def status(customer_id: int, headers: dict[str, str]) -> int:
        return post(f"{service.url}/event", json=new_event(customer_id=customer_id), headers=headers).status_code

    assert get(f"{service.url}/event", headers=reads).status_code == 200
    assert [status(1, reads), status(1, narrow), status(2, narrow), status(3, narrow)] == [403, 202, 202, 403]


def test_a_token_that_would_live_too_long_is_refused(tmp_path: Path) -> None:
    ended = run(
        tmp_path,
        "token",
        "--valid-minutes",
        "61",
        token_max_minutes="60",
        jwt_secret="a-secret-of-the-tests-that-is-long-enough",
    )

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "Invalid value for --valid-minutes: must be between 1 and 60 minutes" in ended.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["backup", "copy"], ["client", "create", "--name", "x"], ["client", "list"], ["dead-letters", "list"],
        ["dead-letters", "redrive"], ["dead-letters", "show", "1"], ["partitions", "list"], ["reconcile"], ["token"],
    ],
    ids=" ".join,
)  # fmt: skip
@pytest.mark.parametrize("made", [[], ["elsewhere"]], ids=["no directory", "an empty one"])
def test_in_a_directory_without_a_service_a_command_names_it_and_creates_nothing(
    tmp_path: Path, command: list[str], made: list[str]
) -> None:
    data_dir = tmp_path / "elsewhere"
    for name in made:
        (tmp_path / name).mkdir()
    with pytest.raises(AuditLogError, match=rf"There is no .*{data_dir}.*check AUDIT_LOG_DATA_DIR"):
        CliRunner().invoke(main.app, command, env=environment(data_dir), catch_exceptions=False)

    assert [path.name for path in tmp_path.rglob("*")] == made


def test_a_token_needs_the_secret_of_a_service_and_creates_none(tmp_path: Path) -> None:
    ended = run(tmp_path / "elsewhere", "token")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"There is no signing secret jwt-secret in {tmp_path}/elsewhere" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_token_from_the_directory_where_it_is_called_names_it(service: Service, tmp_path: Path) -> None:
    (tmp_path / "var").symlink_to(service.data_dir)
    environ = {name: value for name, value in environment(tmp_path).items() if name != "AUDIT_LOG_DATA_DIR"}
    ended = forked.run([AUDIT_LOG, "token"], env=environ, cwd=tmp_path)

    assert (ended.returncode, ended.stderr) == (0, f"The data directory is {tmp_path}/var.\n")


def test_the_commands_are_there_before_the_service_is_imported() -> None:
    program = (
        "import atexit, sys; from local_runner.cli.__main__ import main\n"
        "atexit.register(lambda: print(*{name.partition('.')[0] for name in sys.modules}))\n"
        "sys.argv = ['audit-log', *sys.argv[1:]]; main()"
    )
    completion = {"_AUDIT_LOG_COMPLETE": "complete_bash", "COMP_CWORD": "2", "COMP_WORDS": "audit-log query --"}
    cases: list[tuple[list[str], dict[str, str], str]] = [
        (["--version"], {}, __version__),
        ([], completion, "--event-type"),
    ]
    for arguments, environ, expected in cases:
        ended = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            env={**os.environ, **environ}, capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        *printed, imported = ended.stdout.splitlines()

        assert printed[0] == expected
        assert {"rich", "asyncio", "pydantic", "sqlalchemy", "httpx", "alembic"}.isdisjoint(imported.split())


def test_ctrl_c_during_the_import_of_the_commands_is_no_traceback() -> None:
    program = (
        "import os, signal, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'local_runner.cli.formatting': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "from local_runner.cli.__main__ import main; sys.argv = ['audit-log', '--version']; main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=SECONDS, check=False
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_the_scopes_in_the_help_are_those_that_there_are() -> None:
    assert set(clients.SCOPES) == set(tokens.SCOPES)


def test_a_backup_prints_its_path_alone(service: Service, tmp_path: Path) -> None:
    ended = run(service.data_dir, "backup", str(tmp_path))

    assert [ended.stdout] == [f"{path}\n" for path in tmp_path.iterdir()]
    assert "MB, integrity checked" in ended.stderr


def test_a_database_is_migrated_once(tmp_path: Path) -> None:
    created = output(tmp_path / "new", "migrate")
    assert created.startswith(f"created {tmp_path}/new/audit-log.db at revision ")
    assert output(tmp_path / "new", "migrate").startswith("already at revision ")


def test_a_database_from_the_future_is_left_alone(tmp_path: Path) -> None:
    output(tmp_path, "migrate")
    with closing(sqlite3.connect(tmp_path / "audit-log.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'from-2099'")

    with pytest.raises(InvalidSettingsError, match="was made by a newer version of this service: run that version"):
        output(tmp_path, "migrate")


def test_a_reason_of_the_database_is_on_one_line(tmp_path: Path) -> None:
    ended = run(tmp_path, "migrate", database_url=f"postgresql://127.0.0.1:{free_port()}/x")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "Connection refused Is the server running on that host" in ended.stderr


def test_a_database_that_cannot_be_made_is_an_error_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(InvalidSettingsError, match=r"AUDIT_LOG_DATA_DIR: .*name a directory that can be written"):
        output(tmp_path / "file" / "data", "migrate")


def test_the_description_of_the_api_is_that_of_the_service(tmp_path: Path, service: Service) -> None:
    served = get(f"{service.url}/openapi.json").json()

    printed = output(tmp_path, "openapi")
    output(tmp_path, "openapi", "--output", str(tmp_path / "openapi.json"))

    assert json.loads(printed)["paths"] == served["paths"]
    assert (tmp_path / "openapi.json").read_text() == printed


def test_a_load_test_finds_every_accepted_event(tmp_path: Path, service: Service) -> None:
    text = output(tmp_path, "load-test", "--url", service.url, "--requests", "200", "--connections", "4")

    assert "every accepted event was stored" in text


def test_a_load_test_without_its_http_client_says_how_to_install_it(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['aiohttp'] = None\n"  # as if it were not installed
        "from local_runner.cli.main import main; sys.argv = ['audit-log', 'load-test']; main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(tmp_path), capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        "audit-log: The load test needs aiohttp, which is not installed: "
        "run `make load-test`, or pip install 'audit-log-service[load-test]'.\n"
    )


def test_a_load_test_without_a_service_is_one_clear_error(tmp_path: Path) -> None:
    ended = run(tmp_path, "load-test", "--url", f"http://127.0.0.1:{free_port()}")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert re.fullmatch(r"audit-log: No service answers at .*: start it with `make run`, .*\n", ended.stderr)


def test_the_report_of_a_load_test_is_one_json_object(tmp_path: Path, service: Service) -> None:
    report = json.loads(output(tmp_path, "load-test", "--url", service.url, "--requests", "200", "--json"))

    assert (report["accepted"], report["stored"], report["missing"]) == (200, 200, 0)
    assert report["statuses"] == {"202": 200}

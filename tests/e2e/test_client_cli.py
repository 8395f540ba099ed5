"""`audit-log client ...` from a terminal, while a service runs with AUDIT_LOG_AUTH=clients."""

import re
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from core.stores.engine import open_engine
from core.stores.migrations.upgrade import migrate
from tests.support import forked
from tests.support.builders import basic, new_event
from tests.support.service import AUDIT_LOG, Service, environment, get, post
from tests.support.waiting import SECONDS, until

SECRET = re.compile(r"als_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Registered:
    """A client as its operator sees it once."""

    client_id: str
    secret: str
    said: str


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service.start(tmp_path_factory.mktemp("clients") / "data", auth="clients") as running:
        yield running


@pytest.fixture(scope="module")
def auditor(service: Service) -> Iterator[httpx.Client]:
    """Someone who may read all events."""
    client = create(service, "--name", "auditor", "--scope", "events:read")
    token = log_in(service, client.client_id, client.secret).raise_for_status().json()["token"]
    with httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {token}"}, timeout=SECONDS) as auditor:
        yield auditor


def run(service: Service, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """`audit-log client ...` on the service's data."""
    return forked.run(
        [AUDIT_LOG, "client", *arguments], env=environment(service.data_dir, **settings) | {"COLUMNS": "200"}
    )


def good(service: Service, *arguments: str) -> str:
    done = run(service, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def secret_of(done: subprocess.CompletedProcess[str]) -> Registered:
    """What `create` and `rotate` print: the secret once, to standard output alone."""
    assert done.returncode == 0, done.stderr
    found = re.fullmatch(r"client_id: +(\S+)\nclient_secret: (\S+)\n", done.stdout)
    assert found, done.stdout
    assert SECRET.fullmatch(found[2])
    assert not SECRET.search(done.stderr)
    assert "not shown again" in done.stderr
    return Registered(found[1], found[2], done.stdout)


def create(service: Service, *options: str) -> Registered:
    return secret_of(run(service, "create", *(options or ("--name", "billing"))))


def log_in(service: Service, client_id: str, secret: str) -> httpx.Response:
    return get(f"{service.url}/access-token", headers=basic(client_id, secret))


def events_about(auditor: httpx.Client, client_id: str, count: int) -> list[dict[str, Any]]:
    """The service's own events about a client, oldest first, once there are `count`."""
    query = {"customer_id": "-1", "event_data.subject": client_id, "order": "asc"}

    def found() -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = auditor.get("/event", params=query).raise_for_status().json()["events"]
        return events

    until(lambda: len(found()) >= count)
    return found()


def test_a_client_has_a_life_and_each_step_of_it_is_on_record(service: Service, auditor: httpx.Client) -> None:
    first = create(service, "--name", "billing")
    bearer = {"Authorization": f"Bearer {log_in(service, first.client_id, first.secret).json()['token']}"}

    def status() -> int:
        return post(f"{service.url}/event", json=new_event(event_type="client.cli"), headers=bearer).status_code

    assert status() == 202

    second = secret_of(run(service, "rotate", first.client_id))
    assert second.client_id == first.client_id
    assert "2, while they are rotated" in good(service, "show", first.client_id)
    assert [log_in(service, first.client_id, each.secret).status_code for each in (first, second)] == [200, 200]

    third = secret_of(run(service, "rotate", "--now", first.client_id))
    statuses = [log_in(service, first.client_id, each.secret).status_code for each in (first, second, third)]
    assert statuses == [401, 401, 200]

    assert "is disabled" in good(service, "disable", first.client_id)
    assert "disabled" in good(service, "show", first.client_id)
    assert log_in(service, first.client_id, third.secret).status_code == 401
    until(lambda: status() == 401)  # the token itself is good for an hour

    kinds = ["audit-log.client.created", *["audit-log.client.rotated"] * 2, "audit-log.client.disabled"]
    told = events_about(auditor, first.client_id, len(kinds))
    assert [event["event_type"] for event in told] == kinds
    assert {event["recorded_by"] for event in told} == {"audit-log"}
    assert told[0]["event_data"]["scopes"] == ["events:read", "events:write"]
    assert [event["event_data"]["old_secret_counts"] for event in told[1:3]] == [True, False]
    assert not SECRET.search(str(told))


def test_a_new_secret_of_a_disabled_client_comes_with_a_warning(service: Service) -> None:
    client = create(service)
    assert "stays disabled" not in run(service, "rotate", client.client_id).stderr
    good(service, "disable", client.client_id)
    rotated = run(service, "rotate", client.client_id)
    assert "The client stays disabled: it gets no token." in rotated.stderr
    assert log_in(service, client.client_id, secret_of(rotated).secret).status_code == 401


def test_a_secret_is_in_no_list_no_log_and_no_file(service: Service) -> None:
    client = create(service)
    shown = good(service, "list") + good(service, "show", client.client_id)
    assert client.client_id in shown
    assert not SECRET.search(shown)
    assert log_in(service, client.client_id, client.secret).status_code == 200
    assert client.secret not in service.log
    files = [path for path in service.data_dir.rglob("*") if path.is_file()]
    assert files
    assert not any(client.secret.encode() in path.read_bytes() for path in files)


def test_list_and_show_tell_what_a_client_may_do(service: Service) -> None:
    limited = create(
        service, "--name", "[red]shop[/red]", "--scope", "events:write", "--customer", "7", "--customer", "5"
    )
    for shown in (good(service, "list"), good(service, "show", limited.client_id)):
        assert re.search(
            rf"{limited.client_id}.*\[red\]shop\[/red\].*events:write.*5, 7.*never.*active", shown, re.DOTALL
        )


def test_a_client_gets_no_more_than_it_was_given(service: Service) -> None:
    limited = create(service, "--name", "shop", "--scope", "events:write", "--customer", "7")
    answer = log_in(service, limited.client_id, limited.secret).json()
    assert answer["scope"] == "events:write"
    bearer = {"Authorization": f"Bearer {answer['token']}"}
    assert get(f"{service.url}/event", headers=bearer).status_code == 403
    posts = [post(f"{service.url}/event", json=new_event(customer_id=id_), headers=bearer) for id_ in (7, 8)]
    assert [post.status_code for post in posts] == [202, 403]


def test_without_credentials_there_is_no_token(service: Service) -> None:
    assert get(f"{service.url}/access-token").status_code == 401


def test_a_command_without_credentials_names_the_option(service: Service) -> None:
    done = forked.run([AUDIT_LOG, "query", "--url", service.url], env=environment(service.data_dir))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"audit-log: {service.url} requires a registered client: pass --client-id, or set AUDIT_CLIENT_TOKEN.\n"
    )


def test_a_secret_cannot_be_asked_for_without_a_terminal(service: Service) -> None:
    done = forked.run(
        [AUDIT_LOG, "query", "--url", service.url, "--client-id", "client-1"],
        env=environment(service.data_dir) | {"COLUMNS": "200"},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "set AUDIT_CLIENT_SECRET" in done.stderr
    assert "Warning" not in done.stderr


def test_guessing_is_put_on_record_at_the_threshold(service: Service, auditor: httpx.Client) -> None:
    client = create(service)
    statuses = [log_in(service, client.client_id, "als_guess").status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    told = events_about(auditor, client.client_id, 2)
    assert [event["event_type"] for event in told] == ["audit-log.client.created", "audit-log.login.failing"]
    assert told[1]["event_data"] == {"subject": client.client_id, "address": "127.0.0.1"}


@pytest.mark.parametrize(
    ("command", "client_id"),
    [
        (["show"], "client-0000000000000000"),
        (["show"], "[bold]"),
        (["show"], ""),
        (["rotate"], "' OR 1=1 --"),
        (["rotate", "--now"], "client-0000000000000000"),
        (["disable"], "client-0000000000000000"),
    ],
)
def test_a_client_that_is_not_there_is_one_clear_error(
    service: Service, command: Sequence[str], client_id: str
) -> None:
    done = run(service, *command, client_id)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"audit-log: There is no client {client_id!r}. See `audit-log client list`.\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--name", "x", "--scope", "events:delete"], ["--scope", "events:delete", "events:write", "events:read"]),
        (["--name", ""], ["--name", "must not be empty"]),
        (["--name", "two\nlines"], ["--name"]),
        (["--name", "x", "--customer", "one"], ["--customer", "integer"]),
        (["--name", "x", "--customer", str(2**63)], ["--customer"]),
        ([], ["--name"]),
    ],
    ids=["scope", "no name", "control character", "customer", "large customer", "nothing"],
)
def test_a_client_that_cannot_be_is_one_clear_error_and_is_not_made(
    service: Service, options: Sequence[str], words: Sequence[str]
) -> None:
    before = _clients(service)
    done = run(service, "create", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert all(word in done.stderr for word in words), done.stderr
    assert "Traceback" not in done.stderr
    assert _clients(service) == before


def _clients(service: Service) -> list[Any]:
    with closing(sqlite3.connect(service.data_dir / "audit-log.db")) as database:
        return database.execute("SELECT client_id FROM clients ORDER BY 1").fetchall()


def test_wrong_settings_are_one_clear_error(service: Service) -> None:
    done = run(service, "list", database_url="sqlite:////nowhere/at/all.db")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("audit-log: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command",
    [["list"], ["show", "client-1"], ["rotate", "client-1"], ["disable", "client-1"], ["create", "--name", "first"]],
)
def test_a_missing_database_is_one_clear_error_that_names_the_directory_and_creates_nothing(
    tmp_path: Path, command: Sequence[str]
) -> None:
    done = forked.run([AUDIT_LOG, "client", *command], env=environment(tmp_path / "elsewhere"))
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(rf"audit-log: There is no event store audit-log\.db in {tmp_path}/elsewhere: .*\n", done.stderr)
    assert list(tmp_path.iterdir()) == []


def test_looking_at_clients_changes_nothing(service: Service, tmp_path: Path) -> None:
    client = create(service)
    data_dir = tmp_path / "copy"
    data_dir.mkdir()
    source, copy = (sqlite3.connect(folder / "audit-log.db") for folder in (service.data_dir, data_dir))
    with closing(source), closing(copy):
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=WAL")  # as the service leaves it
    before = (data_dir / "audit-log.db").read_bytes()
    for command in (["list"], ["show", client.client_id]):
        done = forked.run([AUDIT_LOG, "client", *command], env=environment(data_dir))
        assert (done.returncode, client.client_id in done.stdout) == (0, True)
    assert [path.name for path in data_dir.iterdir()] == ["audit-log.db"]
    assert (data_dir / "audit-log.db").read_bytes() == before


@pytest.mark.parametrize("command", ["list", "show"])
def test_a_database_of_an_older_version_is_looked_at_by_nobody_and_not_migrated(tmp_path: Path, command: str) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'audit-log.db'}")
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    engine.dispose()
    done = forked.run(
        [AUDIT_LOG, "client", command, *(["client-1"] if command == "show" else [])], env=environment(tmp_path)
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "at revision 0001" in done.stderr
    assert "audit-log migrate" in done.stderr
    with closing(sqlite3.connect(tmp_path / "audit-log.db")) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]


def test_a_client_is_created_in_an_event_store_that_exists(tmp_path: Path) -> None:
    command = [AUDIT_LOG, "client", "create", "--name", "first"]

    def run_in(directory: Path) -> subprocess.CompletedProcess[str]:
        environ = {name: value for name, value in environment(tmp_path).items() if name != "AUDIT_LOG_DATA_DIR"}
        return forked.run(command, env=environ, cwd=directory)

    refused = run_in(tmp_path)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"There is no event store audit-log.db in {tmp_path}/var" in refused.stderr
    assert list(tmp_path.iterdir()) == []

    forked.run([AUDIT_LOG, "migrate"], env=environment(tmp_path / "var"), check=True)
    created = run_in(tmp_path)
    assert secret_of(created)
    assert f"The data directory is {tmp_path}/var." in created.stderr

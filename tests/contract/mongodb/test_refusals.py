"""What does not hold on MongoDB is refused with words that say what to do, and not done in part."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.errors import InvalidSettingsError, NotSupportedError
from core.settings import Settings
from core.stores.mongodb.connection import Connection
from core.stores.mongodb.indexes import check_revision, migrate
from core.stores.opening import database_for
from local_runner.cli.main import app
from tests.support import ferretdb, forked
from tests.support.ferretdb import FerretDB
from tests.support.service import AUDIT_LOG, environment
from tests.support.waiting import SECONDS

ROOT = Path(__file__).parents[3]
NOWHERE = "mongodb://someone:hunter2@127.0.0.1:1/audit_log"

COMMANDS = [
    ["ledger", "status"],
    ["ledger", "check"],
    ["hold", "list"],
    ["hold", "place", "--customer", "1", "--reason", "a claim"],
    ["erase", "--customer", "1", "--reason", "a request", "--yes"],
    ["stream", "list"],
    ["partitions", "list"],
    ["retention", "apply", "--archive", "archive", "--yes"],
]


@pytest.fixture(scope="module")
def migrated() -> Iterator[str]:
    with ferretdb.throwaway() as url, closing(Connection(url)) as connection:
        migrate(connection)
        yield url


@pytest.mark.parametrize("command", [["serve", "--port", "1"], ["migrate"]])
def test_a_ledger_is_refused_at_the_start(tmp_path: Path, command: list[str]) -> None:
    settings = environment(tmp_path / "data", database_url=NOWHERE)
    ended = forked.run([AUDIT_LOG, *command], env=settings, timeout=SECONDS)
    assert ended.returncode == 1
    assert "AUDIT_LOG_LEDGER=on does not work with MongoDB" in ended.stderr
    assert "Set AUDIT_LOG_LEDGER=off" in ended.stderr
    assert "hunter2" not in ended.stderr + ended.stdout


@pytest.mark.parametrize(
    "url",
    [
        "mongodb://host",
        "mongodb://someone:hunter2@/audit_log",
        "mongodb://someone:hunter2@host:port/audit_log",
        "mongodb://someone:hunter2@host/audit_log?hunter2=1",
        "mongodb://some:one:hunter2@host/audit_log",
        "mongodb://host/audit log",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(InvalidSettingsError, match="mongodb://user@host/audit_log") as refused:
        database_for(Settings(database_url=url, ledger="off"))
    assert "hunter2" not in f"{refused.value} {refused.value.__cause__!r}"


def test_an_address_that_needs_dns_is_not_supported() -> None:
    with pytest.raises(InvalidSettingsError, match=r"mongodb\+srv://.*standalone"):
        database_for(Settings(database_url="mongodb+srv://host/audit_log", ledger="off"))


def test_a_missing_driver_is_named_with_its_extra() -> None:
    program = (
        "import sys; sys.modules['pymongo'] = None; sys.modules['bson'] = None\n"
        "from core.stores.opening import database_for; from core.settings import Settings\n"
        "database_for(Settings(database_url='mongodb://host/audit_log', ledger='off'))"
    )
    refused = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "is not installed: pip install 'audit-log-service[mongodb]'" in refused.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_that_needs_the_ledger_is_refused_by_name(migrated: str, tmp_path: Path, command: list[str]) -> None:
    settings = {
        "AUDIT_LOG_DATABASE_URL": migrated, "AUDIT_LOG_LEDGER": "off", "AUDIT_LOG_DATA_DIR": str(tmp_path),
    }  # fmt: skip
    ended = CliRunner().invoke(app, command, env=settings)
    assert isinstance(ended.exception, NotSupportedError), ended.output
    named = {"retention": "an archive of retention"}.get(command[0], f"`{command[0]}`")
    assert named.strip("`") in str(ended.exception)
    assert "PostgreSQL" in str(ended.exception)


def test_a_replica_set_is_refused(tmp_path: Path) -> None:
    server = FerretDB(tmp_path, "--repl-set-name=rs0")
    server.start()
    try:
        with closing(Connection(f"{server.url}/audit_log?directConnection=true")) as connection:
            for call in (migrate, check_revision):
                with pytest.raises(InvalidSettingsError, match=r"standalone MongoDB only.*replica set"):
                    call(connection)
    finally:
        server.kill()

"""Commands on a data directory that their user cannot write or read: a snapshot, or the data of another user."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.ports.queue import Message
from core.stores.sql import SqlEventStore
from functions.consume_events import lambda_consumer
from local_runner.queue.dead_letters import FILE_NAME, DeadLetterFile
from tests.support import databases, unprivileged
from tests.support.builders import event
from tests.support.service import AUDIT_LOG, environment

DENIED = "run it as the user of the service, or see to the permissions"
CHANGED_WHILE_READ = """
import sys
from pathlib import Path
from core.domain.queries import EventFilter, PageRequest
from core.errors import StoreUnavailableError
from core.stores.connections import open_connection
from core.stores.engine import open_engine
from core.stores.sql import SqlEventStore
from tests.support.builders import event

path = Path(sys.argv[1])
reader = open_engine(f"sqlite:///{path}")
try:
    with open_connection(reader) as connection:
        connection.exec_driver_sql("SELECT COUNT(*) FROM events").scalar_one()
        path.parent.chmod(0o755)
        path.chmod(0o644)
        writer = open_engine(f"sqlite:///{path}")
        SqlEventStore(writer).add([event(2)])
        writer.dispose()
except StoreUnavailableError as exc:
    print(exc)
print(len(SqlEventStore(reader).find_page(EventFilter(), PageRequest(limit=10)).events))
"""


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """The data of a service that has ended, with one event."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    url = f"sqlite:///{data_dir / 'audit-log.db'}"
    databases.copy_migrated(url)
    with databases.opened(url) as engine:
        SqlEventStore(engine).add([event(1)])
    (data_dir / "jwt-secret").write_text("a-secret-of-the-tests-that-is-long-enough\n")
    yield data_dir
    data_dir.chmod(0o755)


def run(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return unprivileged.run([AUDIT_LOG, *arguments], environment(data_dir))


@pytest.mark.parametrize("command", ["ledger status --json", "ledger check", "reconcile --json", "hold list --json"])
def test_a_command_that_reads_works_on_a_read_only_directory(data_dir: Path, command: str) -> None:
    unprivileged.make_read_only(data_dir)
    done = run(data_dir, *command.split())
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in data_dir.iterdir() if path.suffix != ".db"] == ["jwt-secret"]


def test_dead_letters_are_listed_from_a_read_only_directory(data_dir: Path) -> None:
    letters = DeadLetterFile(data_dir / FILE_NAME, lambda_consumer(None))  # type: ignore[arg-type]  # not used
    letters.add([Message("", "", '{"event_id": "lost"}', 5, 0.0)])
    unprivileged.make_read_only(data_dir)
    listed = run(data_dir, "dead-letters", "list", "--json")
    assert (listed.returncode, "lost" in listed.stdout, listed.stderr) == (0, True, "")
    (data_dir / FILE_NAME).chmod(0)
    refused = run(data_dir, "dead-letters", "list")
    assert refused.returncode == 1
    assert f"(SQLITE_CANTOPEN): see to the permissions and the disk of {FILE_NAME}" in refused.stderr


def test_a_backup_is_taken_from_a_read_only_directory(data_dir: Path, tmp_path: Path) -> None:
    unprivileged.make_read_only(data_dir)
    done = run(data_dir, "backup", str(tmp_path / "backups"))
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_file()


def test_a_command_that_writes_says_who_can(data_dir: Path) -> None:
    unprivileged.make_read_only(data_dir)
    done = run(data_dir, "hold", "place", "--customer", "3", "--reason", "a case")
    assert done.returncode == 1
    assert "cannot be written by this process (SQLITE_READONLY" in done.stderr
    assert DENIED in done.stderr


def test_a_log_without_its_index_cannot_be_read_there(data_dir: Path) -> None:
    (data_dir / "audit-log.db-wal").write_bytes(b"frames that no process has moved into the database")
    unprivileged.make_read_only(data_dir)
    done = run(data_dir, "ledger", "status")
    assert done.returncode == 1
    assert "cannot be opened by this process (SQLITE_CANTOPEN" in done.stderr
    assert DENIED in done.stderr


@pytest.mark.parametrize("command", ["ledger status", "token", "dead-letters list", "backup ."])
def test_a_directory_of_another_user_is_named_in_one_line(data_dir: Path, command: str) -> None:
    data_dir.chmod(0o000)
    done = run(data_dir, *command.split())
    data_dir.chmod(0o755)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"audit-log: {data_dir}/")
    assert done.stderr.endswith("(Permission denied): check the path and the permissions of this user.\n")
    assert done.stderr.count("\n") == 1


def test_a_file_that_changed_while_it_was_read_as_immutable_is_read_again(data_dir: Path) -> None:
    path = data_dir / "audit-log.db"
    unprivileged.make_read_only(data_dir)
    done = unprivileged.run([sys.executable, "-c", CHANGED_WHILE_READ, str(path)], environment(data_dir))
    assert (done.stderr, done.stdout) == ("", "The database file was replaced or changed: try again.\n2\n")

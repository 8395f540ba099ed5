"""A server of MongoDB's protocol for tests: FerretDB 1.24, over SQLite files, built once into the user's cache.

`python -m tests.support.ferretdb` builds it, which takes Go, the Go module proxy and some minutes. The program itself
needs no network. With TEST_MONGODB_URL the tests run against a server that runs already, such as a real MongoDB.
"""

import atexit
import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from core.stores.mongodb.connection import Connection
from local_runner.http.sockets import bind_listener
from tests.support.skipping import skip_or_fail
from tests.support.user_cache import user_cache
from tests.support.waiting import SECONDS, until

VERSION: Final = "v1.24.0"
SERVER: Final = os.environ.get("TEST_MONGODB_URL")

_MODULE: Final = "github.com/FerretDB/FerretDB"
_HOME: Final = user_cache("ferretdb")
_START: Final = (
    "FerretDB is not built: `python -m tests.support.ferretdb` (with Go, some minutes), or start a standalone MongoDB: "
    "`docker run -p 127.0.0.1:27017:27017 mongo:8` and set TEST_MONGODB_URL=mongodb://127.0.0.1:27017"
)


class FerretDB:
    """A server with its data in a directory. It can be killed, and started again on the same port."""

    def __init__(self, directory: Path, *options: str) -> None:
        self._directory = directory
        self._options = options
        with bind_listener("127.0.0.1", 0) as free:
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        data = self._directory / "data"
        data.mkdir(parents=True, exist_ok=True)
        with (self._directory / "ferretdb.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    program(),
                    "--handler=sqlite",
                    f"--sqlite-url=file:{data}/",
                    f"--state-dir={self._directory}",
                    f"--listen-addr=127.0.0.1:{self.port}",
                    "--debug-addr=-",
                    "--telemetry=disable",
                    "--log-level=WARN",
                    *self._options,
                ],
                env={"DO_NOT_TRACK": "1"},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        process = self._process
        until(lambda: _answers(self.url) or process.poll() is not None, f"a start: see {log.name}")
        assert process.poll() is None, f"it ended: see {log.name}"

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End the server, by default without warning."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=SECONDS)
            self._process = None

    def pause(self) -> None:
        """Stop the process: connections stay open, and nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


def program() -> Path:
    """The program. With CI=true it is built where it is missing; otherwise the test is skipped."""
    path = _HOME / VERSION / "ferretdb"
    if not path.exists() and os.environ.get("CI") == "true":
        try:
            return build()
        except (OSError, subprocess.CalledProcessError) as exc:
            skip_or_fail(f"FerretDB cannot be built ({exc}): see why by `python -m tests.support.ferretdb`")
    if not path.exists():
        skip_or_fail(_START)
    return path


@cache
def server() -> str:
    """The URL of the server of all tests of this process, without a database."""
    if SERVER:
        return SERVER.rstrip("/")
    directory = Path(tempfile.mkdtemp(prefix="ferretdb-"))
    ferretdb = FerretDB(directory)
    program()
    ferretdb.start()
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    atexit.register(ferretdb.kill)
    return ferretdb.url


@contextmanager
def throwaway() -> Iterator[str]:
    """The URL of a new database, which is dropped at the end."""
    name = f"audit_log_test_{secrets.token_hex(6)}"
    url = f"{server()}/{name}"
    try:
        yield url
    finally:
        with MongoClient[dict[str, object]](url) as client:
            client.drop_database(name)


def empty(connection: Connection) -> None:
    """Leave a migrated database without a document."""
    for name in ("events", "counters", "clients", "retention"):
        connection.writes[name].delete_many({})


def build() -> Path:
    """Build the program, unless it exists. Another process that builds it is waited for."""
    home = _HOME / VERSION
    home.mkdir(parents=True, exist_ok=True)
    path = home / "ferretdb"
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            return path
        go = {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod -buildvcs=false"}
        found = subprocess.run(
            ["go", "mod", "download", "-json", f"{_MODULE}@{VERSION}"], env=go, check=True, capture_output=True
        )
        with tempfile.TemporaryDirectory() as folder:
            # In a copy, because its build wants a file with the version, which the module lacks.
            source = Path(folder) / "source"
            shutil.copytree(json.loads(found.stdout)["Dir"], source, copy_function=shutil.copyfile)
            for each in (source, *source.rglob("*")):
                each.chmod(0o755 if each.is_dir() else 0o644)
            (source / "build" / "version" / "version.txt").write_text(VERSION)
            made = Path(folder) / "ferretdb"
            subprocess.run(["go", "build", "-p", "2", "-o", made, "./cmd/ferretdb"], cwd=source, env=go, check=True)
            shutil.move(made, path.with_suffix(".new"))
        path.with_suffix(".new").rename(path)
    return path


def _answers(url: str) -> bool:
    try:
        with MongoClient[dict[str, object]](url, serverSelectionTimeoutMS=200) as client:
            client.admin.command("ping")
    except PyMongoError:
        return False
    return True


if __name__ == "__main__":
    sys.stdout.write(f"{build()}\n")

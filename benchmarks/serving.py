"""The servers that are compared: each is started on a free port and an empty folder, and ended."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HERE = Path(__file__).resolve().parent
AUDIT_LOG = str(Path(sys.executable).with_name("audit-log"))  # of the same virtual environment as this script
START_SECONDS = 30
STOP_SECONDS = 60
READY = range(200, 300)


@dataclass(frozen=True)
class Contender:
    """A server to be measured; {port}, {other} and {data} in its command are filled in for each turn."""

    name: str
    command: tuple[str, ...]
    settings: Mapping[str, str] = field(default_factory=dict, hash=False)
    stores: bool = True


_SERVE = (AUDIT_LOG, "serve", "--host", "127.0.0.1", "--port", "{port}", "--metrics-port", "{other}")
_SERVICE = ("--port", "{port}", "--data-dir", "{data}")
OURS = Contender("audit-log", _SERVE)
OURS_ON_DISK = Contender("audit-log, SPOOL=disk", _SERVE, {"AUDIT_LOG_SPOOL": "disk"})
OURS_IN_MEMORY = Contender("audit-log, no spool", _SERVE, {"AUDIT_LOG_SPOOL": "off"})
SIMPLE = Contender("simple FastAPI", (sys.executable, str(HERE / "simple_service.py"), *_SERVICE))
TUNED = Contender("tuned FastAPI", (sys.executable, str(HERE / "fastapi_service.py"), *_SERVICE))
EMPTY = Contender("empty app", (sys.executable, str(HERE / "empty_app.py"), "--port", "{port}"), stores=False)


def other_checkout(command: Path) -> Contender:
    """Return the service of another checkout, by the path of its `audit-log` command."""
    return Contender("audit-log, before", (str(command), *_SERVE[1:]))


@dataclass
class Running:
    """A server under test; `stored` is how many events its database has once it has ended."""

    port: int
    pid: int
    stored: int = 0


@contextmanager
def serving(contender: Contender) -> Iterator[Running]:
    """Run the contender on a free port and an empty folder, and end it."""
    with tempfile.TemporaryDirectory(prefix="audit-log-bench-") as folder, (Path(folder) / "log").open("w+") as log:
        port, other = free_port(), free_port()
        data = Path(folder) / "data"
        data.mkdir()
        command = [part.format(port=port, other=other, data=data) for part in contender.command]
        settings = {name: value for name, value in os.environ.items() if not name.startswith("AUDIT_LOG_")}
        settings |= {**contender.settings, "AUDIT_LOG_DATA_DIR": str(data)}
        server = subprocess.Popen(
            command, cwd=HERE, env=settings, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            if not is_ready(server, port):
                log.seek(0)
                sys.exit(f"{contender.name} did not start:\n{log.read()}")
            yield (running := Running(port, server.pid))
        finally:
            stop(server)
        running.stored = sum(map(_rows, data.glob("*.db")))


def _rows(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        return int(connection.execute("SELECT count(*) FROM events").fetchone()[0]) if "events" in tables else 0


def free_port() -> int:
    """Let the operating system choose."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def is_ready(server: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until GET /health is answered well; False if the server ended or took too long."""
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        connection = HTTPConnection("127.0.0.1", port, timeout=1)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status in READY:
                return True
        except (OSError, HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.1)
    return False


def stop(server: subprocess.Popen[bytes]) -> None:
    """Ask the server to end; after a while, end it and the workers in its session by force."""
    server.terminate()
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()

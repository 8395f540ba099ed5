import os
import shutil
import signal
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.support.builders import new_event
from tests.support.service import Service, free_port, get
from tests.support.waiting import SECONDS, until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of the source that a test may change."""
    for package in ("core", "functions", "local_runner"):
        shutil.copytree(ROOT / package, tmp_path / "src" / package)
    return tmp_path / "src"


def serve(source: Path) -> Service:
    port = free_port()
    command = [sys.executable, "-m", "local_runner.cli", "serve", "--dev", "--port", str(port)]
    return Service(command, port, source.parent / "data", {}, cwd=source).wait_until_up()


def stored(service: Service) -> int:
    with closing(sqlite3.connect(service.data_dir / "audit-log.db")) as connection:
        count: int = connection.execute("SELECT count(*) FROM events").fetchone()[0]
        return count


def served_version(service: Service) -> str | None:
    """The version that the service reports; None while it restarts."""
    try:
        version: str = get(f"{service.url}/health").json()["version"]
    except httpx.TransportError:
        return None
    return version


def test_a_stop_stores_what_was_accepted(source: Path) -> None:
    with serve(source) as service, service.client() as client:
        with closing(sqlite3.connect(service.data_dir / "audit-log.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # the store is busy, so the queue keeps the accepted events
            assert all(client.post("/event", json=new_event()).status_code == 202 for _ in range(20))
            os.kill(service.process.pid, signal.SIGTERM)  # the parent alone, as a process manager does
            time.sleep(1)

        assert service.process.wait(timeout=SECONDS) == 0
        assert stored(service) == 20
        assert "Traceback" not in service.log


def test_a_changed_source_file_is_served_and_no_event_lost_over_it(source: Path) -> None:
    with serve(source) as service:
        with service.client() as client:
            client.post("/event", json=new_event())
            (source / "core" / "__init__.py").write_text('__version__ = "0.0.0-changed"\n')
            until(lambda: served_version(service) == "0.0.0-changed", shown=lambda: service.log)
            client.post("/event", json=new_event())

        os.killpg(service.process.pid, signal.SIGINT)  # parent and child, as Ctrl-C does

        assert service.process.wait(timeout=SECONDS) == 0
        assert stored(service) == 2
        assert "Traceback" not in service.log

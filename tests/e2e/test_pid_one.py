"""A container's process is PID 1: a signal without a handler does nothing there, and its children are its to end."""

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.builders import new_event
from tests.support.rabbitmq import queue_url
from tests.support.service import AUDIT_LOG, Service, free_port, get
from tests.support.skipping import skip_or_fail
from tests.support.waiting import SECONDS, until

SECRET = "the-secret-of-the-process-with-the-number-one"
NDJSON = {"Content-Type": "application/x-ndjson"}
UNSHARE = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--pid", "--fork", "--mount-proc"]


@pytest.fixture(scope="module", autouse=True)
def _namespaces() -> None:
    try:
        tried = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        skip_or_fail("there is no unshare: apt-get install util-linux")
    if tried.returncode:
        skip_or_fail(f"this account may not create a namespace of processes: {tried.stderr.strip()}")


@contextmanager
def pid_one(data: Path, command: str, *options: str, **settings: str) -> Iterator[Service]:
    """The command as PID 1 of a new namespace; killed with all its processes at the end, if it still runs."""
    port = free_port()
    arguments = [*UNSHARE, "--kill-child", AUDIT_LOG, command, "--port", str(port), *options]
    service = Service(arguments, port, data, settings)
    try:
        yield service
    finally:
        service.stop(signal.SIGKILL)


def inner(service: Service) -> int:
    """Its number outside of the namespace."""
    children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children")
    return int(until(lambda: children.read_text(encoding="ascii").split())[0])


def answers(service: Service) -> bool:
    try:
        return get(f"{service.url}/health").is_success
    except httpx.TransportError:
        return False


def handles(process: int, number: signal.Signals) -> bool:
    """Whether the process has a handler for the signal."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    (caught,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (number - 1) & 1)


def lines(count: int) -> bytes:
    return b"".join(json.dumps(new_event()).encode() + b"\n" for _ in range(count))


def stored(data: Path) -> int:
    with closing(sqlite3.connect(data / "audit-log.db")) as connection:
        count: int = connection.execute("SELECT count(*) FROM events").fetchone()[0]
        return count


def test_a_service_stores_what_it_accepted_and_ends_with_status_0(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with pid_one(data, "serve") as service:
        service.wait_until_up()
        with service.client() as client:
            answer = client.post("/events", content=lines(200), headers=NDJSON)
            assert answer.status_code == 202
        os.kill(inner(service), signal.SIGTERM)
        assert service.process.wait(SECONDS) == 0
        assert "stop_cut_short" not in service.log
    assert stored(data) == 200


def test_a_service_of_several_processes_and_a_worker_end_with_status_0(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with ExitStack() as stack:
        settings = {"queue_url": stack.enter_context(queue_url()), "jwt_secret": SECRET}
        api = stack.enter_context(pid_one(data, "serve", "--workers", "2", **settings))
        worker = stack.enter_context(pid_one(data, "worker", **settings))
        until(lambda: answers(worker) and answers(api))
        with api.client() as client:
            assert client.post("/events", content=lines(50), headers=NDJSON).status_code == 202
        until(lambda: stored(data) == 50)
        for service in (worker, api):
            os.kill(inner(service), signal.SIGTERM)
            assert service.process.wait(SECONDS) == 0


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_stop_during_the_start_is_obeyed(tmp_path: Path, command: str) -> None:
    with ExitStack() as stack:
        settings = {"jwt_secret": SECRET}
        if command == "worker":
            settings["queue_url"] = stack.enter_context(queue_url())
        service = stack.enter_context(pid_one(tmp_path / "data", command, **settings))
        process = inner(service)
        until(lambda: handles(process, signal.SIGTERM))  # Python has begun
        os.kill(process, signal.SIGTERM)
        assert service.process.wait(SECONDS) in {0, 143}

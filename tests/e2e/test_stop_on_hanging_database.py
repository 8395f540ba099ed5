"""SIGTERM while the database hangs: every process ends in time, with status 0, whatever waits for the database."""

import itertools
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest

from tests.faults.servers import PostgreSQL, running_or_skipped
from tests.support import kafka
from tests.support.builders import new_event
from tests.support.rabbitmq import queue_url
from tests.support.service import AUDIT_LOG, Service, free_port, get, post
from tests.support.waiting import SECONDS, until

PROMISED_SECONDS = 10.0
HANGING = ("/event", "/event?customer_id=42", "/ready")


@pytest.fixture(scope="module")
def database() -> Iterator[PostgreSQL]:
    with running_or_skipped(PostgreSQL) as server:
        yield server


def start(command: str, directory: Path, settings: dict[str, str]) -> Service:
    port = free_port()
    return Service([AUDIT_LOG, command, "--port", str(port)], port, directory / command, settings).wait_until_up()


def read(url: str, headers: dict[str, str]) -> None:
    with suppress(httpx.HTTPError):
        get(url, headers=headers)


def seconds_to_end(service: Service) -> float:
    started = time.monotonic()
    os.kill(service.process.pid, signal.SIGTERM)
    assert service.process.wait(SECONDS) == 0, service.log
    return time.monotonic() - started


def seconds_to_stop(directory: Path, database: PostgreSQL, queue: str) -> float:
    """How long processes need that read and write while the database hangs; of the slowest one."""
    directory.mkdir()
    with ExitStack() as stack:
        settings = {"database_url": database.url, "jwt_secret": "the-processes-of-this-test-share-this-secret"}
        if queue != "memory":
            urls = {"rabbitmq": queue_url, "kafka": kafka.queue_url}
            settings["queue_url"] = stack.enter_context(urls[queue]())
        processes = [start("serve", directory, settings)]
        if queue != "memory":
            processes.append(start("worker", directory, settings))
        for process in processes:
            stack.callback(process.stop)
        api = processes[0]
        token = get(f"{api.url}/access-token").json()["token"]
        headers = {"Authorization": f"Bearer {token}"}

        stack.enter_context(database.frozen())
        threads = stack.enter_context(ThreadPoolExecutor())
        assert post(f"{api.url}/event", json=new_event(), headers=headers).status_code == 202
        for url in (*(f"{api.url}{path}" for path in HANGING), *(f"{each.url}/ready" for each in processes[1:])):
            threads.submit(read, url, headers)
        time.sleep(0.5)  # they are in progress, which nothing shows

        return max(threads.map(seconds_to_end, processes))


@pytest.mark.parametrize("queue", ["memory", "rabbitmq", "kafka"])
def test_a_stop_ends_in_time_while_the_database_hangs(tmp_path: Path, database: PostgreSQL, queue: str) -> None:
    attempts = itertools.count()  # it takes longer where the machine stands still meanwhile
    until(lambda: seconds_to_stop(tmp_path / str(next(attempts)), database, queue) < PROMISED_SECONDS)

"""`audit-log serve` on a PostgreSQL whose events another connection has locked: reads end, all else continues."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine

from tests.support import databases
from tests.support.builders import new_event
from tests.support.service import Service
from tests.support.waiting import SECONDS, until

PROMPTLY = 25.0
"""Seconds, which leave room for a pause of the machine. Behind readers it was half a minute."""

WAITING = (
    "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'events'::regclass "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


@pytest.fixture
def database() -> Iterator[Engine]:
    with databases.throwaway(databases.POSTGRESQL) as url:
        engine = create_engine(url)
        yield engine
        engine.dispose()


@pytest.fixture
def service(database: Engine, tmp_path: Path) -> Iterator[Service]:
    url = database.url.render_as_string(hide_password=False)
    with Service.start(tmp_path / "service", database_url=url) as running:
        yield running


@contextmanager
def locked(engine: Engine) -> Iterator[None]:
    with engine.connect() as connection:
        connection.exec_driver_sql("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        yield


def waiting_readers(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.exec_driver_sql(WAITING).scalar_one())


def test_a_lock_on_the_events_ends_reads_and_delays_nothing_else(service: Service, database: Engine) -> None:
    with service.client() as client, ThreadPoolExecutor(12) as pool:
        with locked(database):
            reads: list[Future[Any]] = []

            def readers_wait() -> bool:
                if all(read.done() for read in reads):  # the first of all, or those of before a pause of this process
                    reads.extend(pool.submit(client.get, "/event") for _ in range(12))
                return waiting_readers(database) >= 4

            until(readers_wait)
            for _ in range(3):
                started = time.monotonic()
                assert client.get("/health").status_code == 200
                assert client.post("/event", json=new_event()).status_code == 202
                assert client.post("/events", json={"events": [new_event()] * 2}).status_code == 202
                assert client.get("/access-token").status_code == 200
                assert time.monotonic() - started < PROMPTLY
            answers = [read.result(SECONDS) for read in reads]
            for answer in answers:
                assert answer.status_code == 503, answer.text
                assert answer.headers["Content-Type"] == "application/problem+json"
                assert answer.headers["Retry-After"].isdecimal()
                assert "locked by another connection" in answer.json()["detail"]
            assert client.get("/ready").json()["status"] == "degraded"
        until(lambda: client.get("/event").json().get("total_count") == 9)

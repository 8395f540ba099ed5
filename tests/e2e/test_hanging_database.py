"""A database that hangs, which is worse than one that refuses: events are still accepted, and /health is answered."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection, create_engine

from tests.security.shop import register
from tests.support import databases
from tests.support.builders import basic, new_event
from tests.support.service import Service
from tests.support.waiting import until

PROMPT_SECONDS = 5.0  # generous: a request that waited for the lock would take ten
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'clients'::regclass"


class Guarded:
    """A service on PostgreSQL that checks clients, and a client of it."""

    def __init__(self, data_dir: Path, database_url: str) -> None:
        self._settings = {"auth": "clients", "database_url": database_url.replace("+psycopg", "")}
        self.client_id, self.secret = register(data_dir, "--scope", "events:write", **self._settings)
        self.service = Service.start(data_dir, **self._settings)

    def token(self) -> str:
        answer = httpx.get(f"{self.service.url}/access-token", headers=basic(self.client_id, self.secret))
        token: str = answer.raise_for_status().json()["token"]
        return token

    def post(self, token: str) -> int:
        """The status of an event's answer, which has to come promptly, as that of /health."""
        with httpx.Client(base_url=self.service.url, timeout=PROMPT_SECONDS) as http:
            posted = http.post("/event", json=new_event(), headers={"Authorization": f"Bearer {token}"})
            assert http.get("/health").status_code == 200
        return posted.status_code


@pytest.fixture
def database_url() -> Iterator[str]:
    with databases.throwaway(databases.POSTGRESQL) as url:
        yield url


@pytest.fixture
def guarded(tmp_path: Path, database_url: str) -> Iterator[Guarded]:
    guarded = Guarded(tmp_path / "data", database_url)
    with guarded.service:
        yield guarded


@pytest.fixture
def outside(database_url: str, guarded: Guarded) -> Iterator[Connection]:  # noqa: ARG001 - which makes the tables
    """A connection of somebody else; it is given back before the service stops."""
    engine = create_engine(database_url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_a_lock_on_the_clients_delays_neither_events_nor_health(guarded: Guarded, outside: Connection) -> None:
    before, meanwhile = guarded.token(), guarded.token()
    assert guarded.post(before) == 202
    outside.exec_driver_sql("LOCK TABLE clients IN ACCESS EXCLUSIVE MODE")
    assert guarded.post(meanwhile) == 202  # a token that the process has not seen before
    until(lambda: outside.exec_driver_sql(WAITING).scalar_one())  # the polling thread
    assert [guarded.post(token) for token in (before, meanwhile)] == [202, 202]
    outside.rollback()
    assert guarded.post(guarded.token()) == 202

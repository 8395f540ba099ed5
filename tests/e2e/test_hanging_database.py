"""A database that hangs, which is worse than one that refuses: events are still accepted, and /health is answered."""

from collections.abc import Iterator
from functools import partial
from itertools import repeat
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine

from tests.security.shop import register
from tests.support import databases
from tests.support.builders import basic, new_event
from tests.support.service import Service, get, post
from tests.support.waiting import until, within

PROMPT_SECONDS = 5.0  # generous: a request that waited for the lock would take ten
ATTEMPTS = 20
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'clients'::regclass"


class Guarded:
    """A service on PostgreSQL that checks clients, and a client of it."""

    def __init__(self, data_dir: Path, database_url: str) -> None:
        self._settings = {"auth": "clients", "database_url": database_url.replace("+psycopg", "")}
        self.client_id, self.secret = register(data_dir, "--scope", "events:write", **self._settings)
        self.service = Service.start(data_dir, **self._settings)

    def token(self) -> str:
        answer = get(f"{self.service.url}/access-token", headers=basic(self.client_id, self.secret))
        token: str = answer.raise_for_status().json()["token"]
        return token

    def post(self, token: str) -> int:
        """The status of the answer to an event."""
        return post(
            f"{self.service.url}/event", json=new_event(), headers={"Authorization": f"Bearer {token}"}
        ).status_code

    def accept(self, tokens: Iterator[str]) -> None:
        """Post an event with the next token, and look at /health."""
        assert self.post(next(tokens)) == 202
        assert get(f"{self.service.url}/health").status_code == 200


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
    seen, *unseen = [guarded.token() for _ in range(ATTEMPTS + 1)]
    assert guarded.post(seen) == 202
    outside.exec_driver_sql("LOCK TABLE clients IN ACCESS EXCLUSIVE MODE")
    until(lambda: outside.exec_driver_sql(WAITING).scalar_one())  # the polling thread
    for tokens in (iter(unseen), repeat(seen)):
        within(PROMPT_SECONDS, partial(guarded.accept, tokens))
    outside.rollback()
    assert guarded.post(guarded.token()) == 202

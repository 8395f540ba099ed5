"""Fixtures of former versions, restored for a test."""

import hashlib
import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
from sqlalchemy import text

from tests.support import databases
from tests.support.service import Service, post
from tests.support.waiting import SECONDS

FIXTURES = Path(__file__).parents[1] / "fixtures"


@dataclass(frozen=True)
class Restored:
    """The data of a former version, and what it must still have after an upgrade."""

    version: str
    data_dir: Path
    settings: dict[str, str]
    expected: dict[str, Any]


@contextmanager
def restored(version: str, database: str, folder: Path) -> Iterator[Restored]:
    """A copy of the fixture of this version and database."""
    fixture = FIXTURES / version / database
    # By the program: `tarfile` has no filter before Python 3.11.4, and later versions ask for one.
    subprocess.run(["tar", "--extract", "--file", fixture / "data.tar.gz", "--directory", folder], check=True)
    settings = {"auth": "clients", "ledger_seconds": "1"}
    with ExitStack() as stack:
        if database == "postgresql":
            url = stack.enter_context(databases.throwaway(databases.POSTGRESQL))
            with psycopg.connect(url.replace("+psycopg", "")) as connection:
                connection.execute((fixture / "postgresql.sql").read_bytes())
            settings["database_url"] = url
        expected = json.loads((fixture / "expected.json").read_text())
        _rename_slot(folder / "data", settings.get("database_url", f"sqlite:///{folder / 'data' / 'audit-log.db'}"))
        yield Restored(version, folder / "data", settings, expected)


def _rename_slot(data_dir: Path, url: str) -> None:
    """Let the counts of accepted events belong to the spool of this folder: their source is its host and path."""
    slot = hashlib.sha256(f"{socket.gethostname()}:{data_dir / 'spool' / '0'}".encode()).hexdigest()[:32]
    with databases.opened(url) as engine, engine.begin() as connection:
        source = connection.execute(text("SELECT source FROM tallies WHERE outcome = 'numbered'")).scalar_one()
        connection.execute(
            text("UPDATE tallies SET source = :slot WHERE source = :source"), {"slot": slot, "source": source}
        )


def token_of(service: Service, client: dict[str, str]) -> httpx.Response:
    """The answer to a client that asks for a token."""
    return post(f"{service.url}/oauth2/token", data={"grant_type": "client_credentials", **client})


def api_of(service: Service, client: dict[str, str]) -> httpx.Client:
    """An HTTP client with a token of this client."""
    token = token_of(service, client).raise_for_status().json()["access_token"]
    return httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {token}"}, timeout=SECONDS)

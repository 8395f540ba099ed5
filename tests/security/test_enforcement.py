"""What a token does not allow, on every route that asks for one."""

import json
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from core.auth.tokens import ERASE, MANAGE_STREAMS, READ, WRITE
from core.domain.models import RESERVED_PREFIX, SYSTEM_CUSTOMER
from core.ledger.tiles import Tile
from core.ports.ledger import SealedEvent, SignedCheckpoint
from core.settings import Settings
from core.stores.database import Database
from core.stores.dialects import Scrubbed
from core.stores.migrations.upgrade import migrate
from core.stores.sql import SqlEventStore
from core.wiring import Services
from functions.create_event import create_event
from functions.create_events import create_events
from functions.get_event import get_event
from functions.http.handler import lambda_handler
from functions.http.route import Route
from functions.query_events import query_events
from functions.routes import ROUTES
from tests.conftest import SECRET
from tests.support.alert_rules import make_rule
from tests.support.builders import event, new_event, proxy_event
from tests.support.fakes import FakeQueue, FakeStore
from tests.support.streams import make_stream, record

GUARDED = [route for route in ROUTES if route.scope]
STREAM = {"name": "siem", "destination": {"kind": "http", "url": "https://hooks.invalid/", "body": "webhook"}}
RULE = {"name": "logins", "kind": "threshold", "threshold": 3, "window_seconds": 60}
ID = "00000000-0000-7000-8000-000000000001"
every_guarded_route = pytest.mark.parametrize("route", GUARDED, ids=lambda route: f"{route.method} {route.path}")


class Proofs:
    """Implements `LedgerProofs` for a ledger of one event, whose files are words."""

    def find(self, event_id: str) -> SealedEvent | None:
        return next(iter(self.find_all([event_id])), None)

    def find_all(self, event_ids: Sequence[str]) -> list[SealedEvent]:
        return [SealedEvent(event(1), b"salts", 0) for event_id in event_ids if event_id == ID]

    def prove(self, sealed: SealedEvent, size: int | None = None) -> bytes:  # noqa: ARG002 - the port's signature
        return b"proof"

    def prove_all(self, sealed: Sequence[SealedEvent]) -> list[bytes | None]:
        return [self.prove(each) for each in sealed]

    def data(self, sealed: SealedEvent) -> bytes:  # noqa: ARG002 - the port's signature
        return b"data"

    def checkpoint(self, *, cosigned: bool = False) -> SignedCheckpoint:  # noqa: ARG002 - the port's signature
        return SignedCheckpoint(1, b"checkpoint")

    def consistency(self, old: int, size: int | None = None) -> bytes:  # noqa: ARG002 - the port's signature
        return b"consistency"

    def tile(self, tile: Tile) -> bytes:  # noqa: ARG002 - the port's signature
        return b"tile"

    def policy(self) -> bytes:
        return b"policy"


class FakeEraser:
    """Stands for `Eraser` in a database that has none of these events any more."""

    def erase(self, *_: object, **__: object) -> tuple[int, bool]:
        return 0, True

    def scrub(self, _seconds: float) -> Scrubbed:
        return Scrubbed()


class House:
    """Services of tests, and the answers that their handlers give to a token."""

    def __init__(self, services: Services) -> None:
        self.services = services

    def token(self, scopes: tuple[str, ...] = (READ, WRITE), customers: list[int] | None = None) -> str:
        return self.services.issuer.issue("tests", scopes=scopes, customers=customers)[0]

    def ask(self, operation: Any, **request: Any) -> dict[str, Any]:
        answer = lambda_handler(operation, lambda: self.services)(proxy_event(**request), None)
        is_json = answer["headers"]["Content-Type"].endswith("json")
        return {**(json.loads(answer["body"]) if is_json else {}), **answer}

    def route(self, route: Route, **request: Any) -> dict[str, Any]:
        """A request that the route would take, if the token allowed it."""
        bodies = {"/event": new_event(), "/events": {"events": [new_event()]}}
        bodies |= {"/stream": STREAM, "/stream/{stream_id}": STREAM, "/stream/{stream_id}/replay": {"after": "now"}}
        bodies |= dict.fromkeys(("/alert-rule", "/alert-rule/preview", "/alert-rule/{rule_id}"), RULE)
        bodies |= {"/erasure": {"event_ids": [ID], "reason": "asked to"}}
        body = bodies.get(route.path)
        names = re.findall(r"{(\w+)}", route.path)
        values = {
            "event_id": ID,
            "stream_id": make_stream().stream_id,
            "rule_id": make_rule().rule_id,
            "level": "0",
            "n1": "x001",
            "n2": "x000",
            "n3": "x000",
            "n4": "x000",
        }
        parameters = {name: "000" if name == names[-1] and name.startswith("n") else values[name] for name in names}
        usual = {
            "method": route.method,
            "path": route.path.format(**parameters),
            "path_parameters": parameters or None,
            "query": [("old", "1")] if route.path == "/ledger/consistency" else [],
            "headers": {"If-Match": '"1"'},
            "body": body if route.method in {"POST", "PUT"} else None,
        }
        return self.ask(route.operation, **{**usual, **request})


@pytest.fixture(scope="module")
def stream_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a stream and an alert rule, to be copied."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("streams"))
    database = Database(settings.store_url)
    migrate(database.engine)
    database.streams.add_stream(make_stream(destination=STREAM["destination"]), record())
    database.alert_rules.add_rule(make_rule(), record("alert-rule.created"))
    database.close()
    return settings.data_dir / "audit-log.db"


@pytest.fixture
def house(services: Services, store: FakeStore, stream_database: Path) -> House:
    store.add([event(1)])
    services.proofs = Proofs()
    vars(services.database)["eraser"] = FakeEraser()
    services.settings = services.settings.model_copy(update={"secrets_key": SecretStr(SECRET)})
    shutil.copy(stream_database, services.settings.data_dir)
    return House(services)


@pytest.fixture
def real(settings: Settings, queue: FakeQueue, sqlite_store: SqlEventStore) -> House:
    """With a real store that holds events of customers 1, 2 and of the service itself."""
    sqlite_store.add([event(number, customer_id=1 + number % 2) for number in range(20)])
    sqlite_store.add([event(99, customer_id=SYSTEM_CUSTOMER, event_type=f"{RESERVED_PREFIX}client.created")])
    return House(Services(settings, publisher=queue, reader=sqlite_store, writer=sqlite_store, checks={}))


def test_the_routes_that_ask_for_no_token_are_these_and_no_others() -> None:
    assert {route.path for route in ROUTES if route.scope is None} == {
        "/access-token", "/oauth2/token", "/.well-known/jwks.json", "/health", "/ready", "/openapi.json", "/docs",
        "/docs/{file}", "/", "/viewer/{file}", "/ledger/policy", "/embed", "/embed.js", "/session/sign-in",
        "/session/callback", "/session/token", "/session/sign-out",
    }  # fmt: skip
    streams = [route for route in GUARDED if route.path.startswith(("/stream", "/alert-rule"))]
    assert {route.scope for route in streams} == {MANAGE_STREAMS}
    others = {(route.method, route.scope) for route in GUARDED if route not in streams}
    assert others == {("GET", READ), ("POST", WRITE), ("POST", ERASE)}


@every_guarded_route
def test_no_token(house: House, route: Route) -> None:
    answer = house.route(route)
    assert (answer["statusCode"], answer["headers"]["WWW-Authenticate"]) == (401, "Bearer")


@every_guarded_route
def test_the_right_token_as_a_control_of_all_below(house: House, route: Route) -> None:
    assert house.route(route, token=house.token((str(route.scope),)))["statusCode"] in {200, 201, 202}


@every_guarded_route
def test_a_read_token_cannot_write_and_a_write_token_cannot_read(house: House, queue: FakeQueue, route: Route) -> None:
    other = WRITE if route.scope == READ else READ
    for scopes in ((other,), ("x",), (), (f"{route.scope}.all",), (str(route.scope).upper(),)):
        answer = house.route(route, token=house.token(scopes))
        assert answer["statusCode"] == 403
        assert answer["headers"]["WWW-Authenticate"] == f'Bearer error="insufficient_scope", scope="{route.scope}"'
    assert queue.events == []


@every_guarded_route
@pytest.mark.parametrize("scheme", ["Basic", "Token", "bearertoken", "Negotiate", "Bearer\t", "Bearer,", "JWT", ""])
def test_a_good_token_under_another_scheme(house: House, route: Route, scheme: str) -> None:
    answer = house.route(route, headers={"Authorization": f"{scheme} {house.token()}"})
    assert answer["statusCode"] == 401


@every_guarded_route
@pytest.mark.parametrize("name", ["access_token", "token", "Authorization", "jwt"])
def test_a_token_in_the_query_string_where_logs_keep_it(house: House, route: Route, name: str) -> None:
    for value in (house.token(), f"Bearer {house.token()}"):
        assert house.route(route, query=[(name, value)])["statusCode"] == 401


@every_guarded_route
def test_a_token_in_a_form_body_or_cookie(house: House, route: Route) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert house.route(route, body=f"access_token={house.token()}", headers=form)["statusCode"] == 401
    for header in ("Cookie", "X-Authorization", "Proxy-Authorization", "X-Access-Token"):
        assert house.route(route, headers={header: f"Bearer {house.token()}"})["statusCode"] == 401


@every_guarded_route
def test_two_authorization_headers_of_which_two_readers_could_believe_another(house: House, route: Route) -> None:
    request = proxy_event(route.method, route.path, body=new_event(), token=house.token())
    request["multiValueHeaders"]["Authorization"] = [f"Bearer {house.token()}", f"Bearer {house.token(())}"]
    answer = lambda_handler(route.operation, lambda: house.services)(request, None)
    assert answer["statusCode"] == 400
    joined = f"Bearer {house.token()}, Bearer {house.token()}"  # as servers hand over a header that came twice
    assert house.route(route, headers={"Authorization": joined})["statusCode"] == 401


@every_guarded_route
@pytest.mark.parametrize("body", ["{", '{"event_type": 1}', "x" * 6_000_000, '{"event_id": "' + ID + '"}', ""])
def test_a_body_tells_nothing_to_who_has_no_token(house: House, route: Route, body: str) -> None:
    answers = {
        house.route(route, body=body, headers=headers, query=[("nonsense", "1")])["body"]
        for headers in ({}, {"Content-Type": "text/plain"}, {"Idempotency-Key": "\x00"})
    }
    assert len(answers) == 1
    assert json.loads(answers.pop())["status"] == 401


@pytest.mark.parametrize("customers", [[1], [1, 3], []])
def test_a_limited_token_cannot_write_for_another_customer(
    house: House, queue: FakeQueue, customers: list[int]
) -> None:
    token = house.token(customers=customers)
    for foreign in (2, -1, 0, 2**63 - 1):
        answer = house.ask(create_event, method="POST", token=token, body=new_event(customer_id=foreign))
        assert answer["statusCode"] == 403
        assert "insufficient_scope" in answer["headers"]["WWW-Authenticate"]
    assert queue.events == []


Batch = Callable[[list[dict[str, Any]]], dict[str, Any]]
BATCHES: dict[str, Batch] = {
    "array": lambda events: {"body": {"events": events}},
    "lines": lambda events: {
        "body": "\n".join(map(json.dumps, events)), "headers": {"Content-Type": "application/x-ndjson"},
    },
}  # fmt: skip


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES.keys())
def test_a_foreign_customer_hidden_in_a_batch_is_rejected_with_its_index(
    house: House, queue: FakeQueue, batch: Batch
) -> None:
    token = house.token(customers=[1])
    own, foreign, broken = new_event(customer_id=1), new_event(customer_id=2), new_event(customer_id="1")
    for events, rejected in (([own] * 50 + [foreign], [50]), ([foreign, own], [0]), ([broken, own, foreign], [0, 2])):
        answer = house.ask(create_events, method="POST", token=token, **batch(events))
        assert answer["statusCode"] == 202
        assert [each["index"] for each in json.loads(answer["body"])["rejected"]] == rejected
    assert {event.customer_id for event in queue.events} == {1}


def found(house: House, token: str, *query: tuple[str, str]) -> dict[str, Any]:
    return house.ask(query_events, token=token, query=query)


@pytest.mark.parametrize("customers", [[1], [2], [1, 5], [], [7]])
def test_a_limited_token_sees_and_counts_its_own_only(real: House, customers: list[int]) -> None:
    token = real.token(customers=customers)
    for query in ([], [("customer_id", "2")], [("customer_id", "1"), ("customer_id", "2")], [("customer_id", "-1")]):
        answer = found(real, token, *query)
        assert {item["customer_id"] for item in answer["events"]} <= set(customers)
        assert answer["total_count"] == answer["count"]
    assert found(real, token)["count"] == 10 * len({1, 2} & set(customers))
    assert found(real, real.token())["count"] == 21


def test_a_foreign_event_by_its_id_looks_like_none(real: House) -> None:
    token = real.token(customers=[1])
    foreign, none = (
        real.ask(get_event, token=token, path=f"/event/{event_id}", path_parameters={"event_id": event_id})
        for event_id in (ID, "00000000-0000-7000-8000-000000009999")
    )
    assert foreign == none
    assert foreign["statusCode"] == 404
    path = {"event_id": ID.upper()}
    assert real.ask(get_event, token=token, path_parameters=path)["statusCode"] == 404
    assert real.ask(get_event, token=real.token(customers=[2]), path_parameters=path)["statusCode"] == 200


def test_a_cursor_of_a_wider_view_is_no_way_into_it(real: House) -> None:
    wide, narrow = real.token(), real.token(customers=[1])
    cursor = found(real, wide, ("limit", "5"))["next_cursor"]
    assert found(real, wide, ("cursor", cursor))["statusCode"] == 200
    assert found(real, narrow, ("cursor", cursor))["statusCode"] == 422
    assert found(real, real.token(customers=[2]), ("cursor", cursor))["statusCode"] == 422

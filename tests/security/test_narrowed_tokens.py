"""Tokens that a client narrows for a viewer: what they allow, and that no way leads from one to more."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from core.auth.tokens import READ, WRITE
from core.domain.models import SYSTEM_CUSTOMER
from core.settings import Settings
from core.stores.sql import SqlEventStore
from functions.event_feed import event_feed
from functions.get_event import get_event
from functions.oauth_token import FORM, oauth_token
from functions.query_events import query_events
from functions.routes import ROUTES
from functions.token import issue_token
from tests.security.shop import Shop
from tests.security.test_oauth import GRANT, by_header, post, refused
from tests.support.builders import event, proxy_event
from tests.support.fakes import FakeQueue

VIEWER = {**GRANT, "customers": "42", "valid_minutes": "10", "viewer": "alice@example.com"}


@pytest.fixture
def shop(settings: Settings) -> Shop:
    return Shop(settings)


def narrowed(shop: Shop, **fields: str) -> dict[str, Any]:
    return post(shop, {**VIEWER, **fields}, by_header(shop))


def limit(shop: Shop, *customers: int) -> None:
    shop.change(shop.client.model_copy(update={"customers": customers}))


def test_a_viewers_token_reads_one_customer_for_ten_minutes(shop: Shop) -> None:
    answer = narrowed(shop)
    claims = shop.services.verifier.verify(answer["access_token"])
    assert (answer["scope"], answer["expires_in"]) == (READ, 600)
    assert (set(claims.scope), claims.customers, claims.viewer) == ({READ}, (42,), "alice@example.com")
    assert (claims.client, claims.exp - claims.iat) == (shop.client.client_id, 600)


def test_each_field_narrows_alone(shop: Shop) -> None:
    limit(shop, 7, 42, 43)
    verify = shop.services.verifier.verify
    by_customers = verify(post(shop, {**GRANT, "customers": "43 42 43"}, by_header(shop))["access_token"])
    assert (by_customers.customers, set(by_customers.scope)) == ((43, 42), {READ, WRITE})
    by_minutes = verify(post(shop, {**GRANT, "valid_minutes": "1"}, by_header(shop))["access_token"])
    assert (by_minutes.exp - by_minutes.iat, by_minutes.customers) == (60, (7, 42, 43))
    by_viewer = verify(post(shop, {**GRANT, "viewer": "alice"}, by_header(shop))["access_token"])
    assert (by_viewer.viewer, by_viewer.customers) == ("alice", (7, 42, 43))


@pytest.mark.parametrize("customers", ["8", "42 8", "8 42", "-1", "420"])
def test_customers_that_the_client_does_not_have(shop: Shop, customers: str) -> None:
    limit(shop, 42, 43)
    answer = narrowed(shop, customers=customers)
    refused(answer, 400, "invalid_scope")
    assert "request only customers of the client" in answer["error_description"]
    assert "43" not in answer["error_description"]


@pytest.mark.parametrize(
    "customers",
    [
        "",
        " ",
        "42 ",
        " 42",
        "42  43",
        "42,43",
        "[42]",
        "*",
        "4.2",
        "4e2",
        "\uff14\uff12",
        str(2**63),
        "42\x0043",
        "null",
    ],
    ids=repr,
)
def test_customers_that_are_no_list_of_customers_never_mean_all(shop: Shop, customers: str) -> None:
    answer = narrowed(shop, customers=customers)
    refused(answer, 400, "invalid_request")
    assert "customers" in answer["error_description"]


@pytest.mark.parametrize("field", ["customers", "valid_minutes", "viewer"])
def test_an_empty_limit_is_refused_with_the_way_out(shop: Shop, field: str) -> None:
    answer = narrowed(shop, **{field: ""})
    refused(answer, 400, "invalid_request")
    assert answer["error_description"] == f"{field} is empty: send a value, or leave {field} out."


@pytest.mark.parametrize("minutes", ["", "0", "-1", "10081", "1.5", "1e9", " 10", "ten", "9" * 5000])
def test_a_lifetime_out_of_bounds(shop: Shop, minutes: str) -> None:
    answer = narrowed(shop, valid_minutes=minutes)
    refused(answer, 400, "invalid_request")
    assert "valid_minutes" in answer["error_description"]


@pytest.mark.parametrize("viewer", ["", "x" * 256, "a\nb", "a\x00b", "a\x1b[31mb", "a\x7f", "a\x9b"], ids=repr)
def test_a_viewer_that_cannot_be_recorded(shop: Shop, viewer: str) -> None:
    answer = narrowed(shop, viewer=viewer)
    refused(answer, 400, "invalid_request")
    assert "viewer" in answer["error_description"]


@pytest.mark.parametrize("viewer", ["x" * 255, "\U0001f600" * 255, "<b>&\"'", "alice@example.com"])
def test_a_viewer_of_any_other_characters(shop: Shop, viewer: str) -> None:
    assert shop.services.verifier.verify(narrowed(shop, viewer=viewer)["access_token"]).viewer == viewer


@pytest.mark.parametrize("scope", [WRITE, f"{READ} {WRITE}"])
def test_a_viewer_never_writes(shop: Shop, scope: str) -> None:
    refused(narrowed(shop, scope=scope), 400, "invalid_scope")
    shop.change(shop.client.model_copy(update={"scopes": (WRITE,)}))
    refused(narrowed(shop), 400, "invalid_scope")


@pytest.mark.parametrize("misspelt", ["customer", "customer_id", "Customers"])
def test_a_viewer_without_customers_is_refused_as_one_with_a_misspelt_field(shop: Shop, misspelt: str) -> None:
    form = {name: value for name, value in VIEWER.items() if name != "customers"}
    refused(post(shop, {**form, misspelt: "42"}, by_header(shop)), 400, "invalid_request")
    limit(shop, 42)
    assert post(shop, form, by_header(shop))["statusCode"] == 200


def test_open_mode_narrows_as_well(settings: Settings) -> None:
    shop = Shop(settings, auth="open")
    claims = shop.services.verifier.verify(post(shop, VIEWER)["access_token"])
    assert (claims.client, claims.customers, claims.viewer) == ("anonymous", (42,), "alice@example.com")


# What the holder of a narrowed token may try.


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("scope", f"{READ} {WRITE}"),
        ("customers", [42, 43]),
        ("customers", None),
        ("exp", 4_000_000_000),
        ("viewer", "bob@example.com"),
        ("sub", "admin"),
        ("iat", 0),
        ("iss", "other"),
        ("aud", "other"),
        ("jti", "other"),
    ],
)
def test_a_changed_claim_is_not_signed(shop: Shop, claim: str, value: object) -> None:
    token = narrowed(shop)["access_token"]
    assert shop.read(token) == 200
    head, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    changed = {**claims, claim: value}
    without = {name: kept for name, kept in claims.items() if name != claim}
    for forged in (changed, without):
        text = base64.urlsafe_b64encode(json.dumps(forged).encode()).rstrip(b"=").decode()
        assert shop.read(f"{head}.{text}.{signature}") == 401


def test_a_narrowed_token_gets_no_other_token(shop: Shop) -> None:
    bearer = {"Authorization": f"Bearer {narrowed(shop)['access_token']}"}
    refused(post(shop, {**GRANT, "customers": "43"}, bearer), 401, "invalid_client")
    assert shop.answer(issue_token, path="/access-token", headers=bearer)["statusCode"] == 401


def test_a_narrowed_token_ends_at_its_minute(shop: Shop) -> None:
    token = narrowed(shop)["access_token"]
    shop.clock.now += 599
    assert shop.read(token) == 200
    shop.clock.now += 1
    assert shop.read(token) == 401


def test_a_narrowed_token_writes_nothing(shop: Shop) -> None:
    assert shop.write(narrowed(shop)["access_token"], customer_id=42) == 403


def test_a_narrowed_token_to_write_writes_for_its_customers_only(shop: Shop) -> None:
    token = post(shop, {**GRANT, "customers": "42", "scope": WRITE}, by_header(shop))["access_token"]
    assert (shop.write(token, customer_id=42), shop.write(token, customer_id=43)) == (202, 403)
    assert shop.read(token) == 403


@pytest.mark.parametrize(
    "query",
    [
        [],
        [("customer_id", "43")],
        [("customer_id", "42"), ("customer_id", "43")],
        [("customer_id[not]", "42")],
        [("customer_id[gt]", "0")],
        [("customers", "43")],
        [("q", "foreign")],
        [("event_data.note[exists]", "true")],
        [("recorded_by", "tests")],
    ],
)
def test_a_narrowed_token_sees_no_event_of_another_customer(
    shop: Shop, sqlite_store: SqlEventStore, query: list[tuple[str, str]]
) -> None:
    sqlite_store.add([event(number, customer_id=customer, event_data={"note": "foreign" if customer != 42 else "own"})
                      for number, customer in enumerate([42, 43, SYSTEM_CUSTOMER], 1)])  # fmt: skip
    shop.services.reader = sqlite_store
    token = narrowed(shop)["access_token"]
    answer = shop.answer(query_events, token=token, query=query)
    assert "foreign" not in answer["body"]
    assert answer["statusCode"] in {200, 422}
    foreign = event(2).event_id
    found = shop.answer(get_event, path=f"/event/{foreign}", path_parameters={"event_id": foreign}, token=token)
    assert found["statusCode"] == 404


def test_a_narrowed_token_reads_no_index_of_the_feed_and_no_tile(shop: Shop) -> None:
    token = narrowed(shop)["access_token"]
    tiles = [route for route in ROUTES if route.path.startswith("/ledger/tile/")]
    for route in tiles:
        assert shop.answer(route.operation, path=route.path, token=token)["statusCode"] == 403
    shop.services.feed = shop.store
    answer = shop.answer(event_feed, path="/event/feed", token=token, query=[("after", "1")])
    assert answer["statusCode"] == 422


def test_the_tokens_of_a_disabled_client_end_for_its_viewers(shop: Shop) -> None:
    token = narrowed(shop)["access_token"]
    shop.change(shop.client.model_copy(update={"disabled_at": datetime.fromtimestamp(shop.clock.now, UTC)}))
    shop.clock.now += 30
    assert shop.read(token) == 401


# The event that records it.


def test_the_token_of_a_viewer_is_an_event_of_that_customer(shop: Shop) -> None:
    narrowed(shop)
    [recorded] = shop.queue.events
    assert (recorded.event_type, recorded.customer_id, recorded.recorded_by) == ("audit-log.viewer", 42, "audit-log")
    assert recorded.event_data == {
        "subject": shop.client.client_id,
        "actor": {"id": "alice@example.com", "type": "viewer"},
        "action": "opened",
        "customers": [42],
        "minutes": 10,
    }


def test_the_log_of_one_customer_names_no_other(shop: Shop) -> None:
    narrowed(shop, customers="42 43")
    [recorded] = shop.queue.events
    assert (recorded.customer_id, recorded.event_data["customers"]) == (SYSTEM_CUSTOMER, [42, 43])


def test_requests_with_the_token_and_tokens_without_a_viewer_are_no_events(shop: Shop) -> None:
    shop.read(narrowed(shop)["access_token"])
    post(shop, {**GRANT, "customers": "42"}, by_header(shop))
    refused(narrowed(shop, customers="x"), 400, "invalid_request")
    assert len(shop.queue.events) == 1


def test_the_event_can_be_switched_off(settings: Settings) -> None:
    shop = Shop(settings, viewer_events="off")
    assert narrowed(shop)["statusCode"] == 200
    assert shop.queue.events == []


def test_there_is_no_token_without_its_event(shop: Shop) -> None:
    shop.services.publisher = FakeQueue(capacity=0)
    answer = post(shop, VIEWER, by_header(shop))
    assert (answer["statusCode"], "Retry-After" in answer["headers"]) == (503, True)
    assert "access_token" not in answer["body"]


def test_lambda_and_chalice_narrow_alike(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from chalice_config import app as chalice  # noqa: PLC0415 - builds its handlers at import
    from functions import runtime  # noqa: PLC0415

    monkeypatch.setattr(runtime, "_source", lambda: lambda: shop.services)
    body = "&".join(f"{name}={value}" for name, value in VIEWER.items())
    sent = proxy_event("POST", "/oauth2/token", body=body, headers={"Content-Type": FORM, **by_header(shop)})
    sent["requestContext"] |= {"resourcePath": "/oauth2/token", "httpMethod": "POST", "stage": "prod"}
    answers = [chalice.app(sent, None), shop.answer(oauth_token, method="POST", body=body, headers=sent["headers"])]
    claims = [shop.services.verifier.verify(json.loads(answer["body"])["access_token"]) for answer in answers]
    assert claims[0] == claims[1]
    assert [one.customer_id for one in shop.queue.events] == [42, 42]

"""POST /oauth2/token by RFC 6749: as a careless or hostile client uses it, and as a library of others does."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from authlib.integrations.requests_client import OAuth2Session  # type: ignore[import-untyped]  # has no stubs

from core.auth.tokens import READ, WRITE
from core.settings import Settings
from functions.http.limits import MAX_FORM_BYTES
from functions.oauth_token import FORM, oauth_token
from tests.security.shop import Shop, register
from tests.support.builders import basic, new_event
from tests.support.service import Service, get
from tests.support.waiting import until

GRANT = {"grant_type": "client_credentials"}


@pytest.fixture
def shop(settings: Settings) -> Shop:
    return Shop(settings)


def post(
    shop: Shop, form: dict[str, str] | str, headers: dict[str, str] | None = None, **request: Any
) -> dict[str, Any]:
    """The response, with its decoded body."""
    body = form if isinstance(form, str) else urlencode(form)
    all_headers = {"Content-Type": FORM, **(headers or {})}
    answer = shop.answer(oauth_token, method="POST", path="/oauth2/token", body=body, headers=all_headers, **request)
    return {**json.loads(answer["body"]), **answer}


def by_header(shop: Shop) -> dict[str, str]:
    return basic(shop.client.client_id, shop.secret)


def by_form(shop: Shop) -> dict[str, str]:
    return {"client_id": shop.client.client_id, "client_secret": shop.secret}


def refused(answer: dict[str, Any], status: int, error: str) -> None:
    assert (answer["statusCode"], answer["error"]) == (status, error)
    assert answer["headers"]["Content-Type"] == "application/json"
    assert answer["headers"]["Cache-Control"] == "no-store"
    assert "access_token" not in answer


def test_a_token_by_header_and_by_form_is_kept_by_no_cache(shop: Shop) -> None:
    for answer in (post(shop, GRANT, by_header(shop)), post(shop, {**GRANT, **by_form(shop)})):
        assert answer["statusCode"] == 200
        assert answer["token_type"] == "Bearer"
        assert answer["headers"]["Cache-Control"] == "no-store"
        assert answer["headers"]["Pragma"] == "no-cache"
        assert shop.services.verifier.verify(answer["access_token"]).client == shop.client.client_id


@pytest.mark.parametrize(
    "form", ["", "scope=events:read", "grant_type=", "grant_type", "Grant_Type=client_credentials"]
)
def test_no_grant_type(shop: Shop, form: str) -> None:
    refused(post(shop, form, by_header(shop)), 400, "invalid_request")


@pytest.mark.parametrize(
    "grant", ["password", "authorization_code", "refresh_token", "CLIENT_CREDENTIALS", "client_credentials ", "\x00"]
)
def test_another_grant(shop: Shop, grant: str) -> None:
    refused(post(shop, {"grant_type": grant}, by_header(shop)), 400, "unsupported_grant_type")


@pytest.mark.parametrize(
    "twice", ["grant_type=client_credentials", "scope=events:read", "scope=", "client_id=a", "x=1"]
)
def test_a_parameter_that_comes_twice_so_that_two_readers_differ(shop: Shop, twice: str) -> None:
    form = f"grant_type=client_credentials&{twice}&{twice}"
    refused(post(shop, form, by_header(shop)), 400, "invalid_request")


@pytest.mark.parametrize(
    "form", ["grant_type=%ff", "grant_type=client_credentials&" + "&".join(f"a{n}=1" for n in range(50))]
)
def test_a_form_that_is_no_text_or_has_no_end(shop: Shop, form: str) -> None:
    refused(post(shop, form, by_header(shop)), 400, "invalid_request")


def test_a_form_may_have_as_many_bytes_as_the_limit_and_no_more(shop: Shop) -> None:
    form = urlencode({**GRANT, **by_form(shop), "x": ""})
    largest = form + "%" * (MAX_FORM_BYTES - len(form))
    assert post(shop, largest)["statusCode"] == 200
    answer = post(shop, largest + "%")
    assert (answer["statusCode"], str(MAX_FORM_BYTES) in answer["detail"]) == (413, True)


def test_credentials_in_two_ways_at_once(shop: Shop) -> None:
    refused(post(shop, {**GRANT, **by_form(shop)}, by_header(shop)), 400, "invalid_request")


def test_another_clients_id_beside_the_header(shop: Shop) -> None:
    """A reader of the form would take the client for another than the one that sent its secret."""
    form = {**GRANT, "client_id": shop.disabled.client_id}
    refused(post(shop, form, by_header(shop)), 400, "invalid_request")
    assert post(shop, {**GRANT, "client_id": shop.client.client_id}, by_header(shop))["statusCode"] == 200


@pytest.mark.parametrize("name", ["client_secret", "client_id", "grant_type", "scope"])
def test_parameters_in_the_query_string_where_logs_keep_them(shop: Shop, name: str) -> None:
    refused(post(shop, {**GRANT, **by_form(shop)}, query=[(name, "x")]), 400, "invalid_request")


def test_unknown_wrong_and_disabled_clients_are_told_apart_by_nothing(shop: Shop) -> None:
    answers = set()
    for client_id, secret in [
        (shop.client.client_id, "als_wrong"),
        (shop.disabled.client_id, shop.disabled_secret),
        ("nobody", "als_wrong"),
    ]:
        for answer in (
            post(shop, GRANT, basic(client_id, secret)),
            post(shop, {**GRANT, "client_id": client_id, "client_secret": secret}),
        ):
            refused(answer, 401, "invalid_client")
            assert answer["headers"]["WWW-Authenticate"].startswith("Basic ")
            answers.add((answer["body"], json.dumps(answer["headers"])))
    assert len(answers) == 1


@pytest.mark.parametrize(
    "form", [{}, {"client_id": "x"}, {"client_secret": "x"}, {"client_id": "", "client_secret": ""}]
)
def test_no_credentials_or_half_of_them(shop: Shop, form: dict[str, str]) -> None:
    refused(post(shop, {**GRANT, **form}), 401, "invalid_client")


def test_a_bearer_token_is_no_way_to_another_token(shop: Shop) -> None:
    refused(post(shop, GRANT, {"Authorization": f"Bearer {shop.token()}"}), 401, "invalid_client")


def test_basic_credentials_are_percent_decoded_as_section_2_3_1_has_it(shop: Shop) -> None:
    assert (
        post(shop, GRANT, basic(quote(shop.client.client_id, safe=""), quote(shop.secret, safe="")))["statusCode"]
        == 200
    )
    encoded = "".join(f"%{ord(character):02X}" for character in shop.secret)
    assert post(shop, GRANT, basic(shop.client.client_id, encoded))["statusCode"] == 200


@pytest.mark.parametrize("scope", [READ, WRITE, f"{READ} {WRITE}", f"{WRITE} {WRITE}"])
def test_a_client_may_ask_for_less(shop: Shop, scope: str) -> None:
    answer = post(shop, {**GRANT, "scope": scope}, by_header(shop))
    assert set(answer["scope"].split()) == set(scope.split())
    assert shop.services.verifier.verify(answer["access_token"]).scope == set(scope.split())


@pytest.mark.parametrize("scope", ["admin", f"{READ} admin", "events:*", f"{READ},{WRITE}", READ.upper(), "x" * 10_000])
def test_a_scope_that_the_client_does_not_have(shop: Shop, scope: str) -> None:
    refused(post(shop, {**GRANT, "scope": scope}, by_header(shop)), 400, "invalid_scope")


def test_a_client_cannot_widen_itself(shop: Shop) -> None:
    shop.change(shop.client.model_copy(update={"scopes": (READ,), "customers": (7,)}))
    refused(post(shop, {**GRANT, "scope": WRITE}, by_header(shop)), 400, "invalid_scope")
    refused(post(shop, {**GRANT, "customers": "8"}, by_header(shop)), 400, "invalid_scope")
    refused(post(shop, {**GRANT, "valid_minutes": "99999999"}, by_header(shop)), 400, "invalid_request")
    answer = post(shop, {**GRANT, "sub": "admin"}, by_header(shop))
    claims = shop.services.verifier.verify(answer["access_token"])
    assert claims.client == shop.client.client_id
    assert claims.scope == {READ}
    assert claims.customers == (7,)


def test_the_scope_is_not_told_to_who_has_shown_no_secret(shop: Shop) -> None:
    refused(post(shop, {**GRANT, "scope": "admin"}, basic(shop.client.client_id, "wrong")), 401, "invalid_client")


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data; boundary=x", FORM + "x", ""])
def test_another_media_type(shop: Shop, kind: str) -> None:
    body = json.dumps({**GRANT, **by_form(shop)})
    answer = shop.answer(oauth_token, method="POST", body=body, headers={"Content-Type": kind})
    assert answer["statusCode"] == 415


def test_open_mode_needs_no_credentials_and_grants_no_more_than_there_is(settings: Settings) -> None:
    shop = Shop(settings, auth="open")
    assert post(shop, GRANT)["statusCode"] == 200
    refused(post(shop, {**GRANT, "scope": "admin"}), 400, "invalid_scope")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str, str]]:
    """A real `audit-log serve` with a client that was registered by the command."""
    data_dir = tmp_path_factory.mktemp("oauth")
    client_id, secret = register(data_dir)
    with Service.start(data_dir, auth="clients") as service:
        yield service, client_id, secret


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlib_gets_a_token_and_writes_and_reads_with_it(running: tuple[Service, str, str], method: str) -> None:
    service, client_id, secret = running
    with OAuth2Session(client_id, secret, token_endpoint_auth_method=method) as client:
        client.fetch_token(f"{service.url}/oauth2/token", grant_type="client_credentials")
        posted = client.post(f"{service.url}/event", json=new_event(event_type=f"oauth.{method}"))
        assert posted.status_code == 202
        stored = partial(client.get, service.url + posted.headers["Location"])
        until(lambda: stored().status_code == 200)
        assert stored().json()["recorded_by"] == client_id


def test_access_token_by_basic_and_not_without(running: tuple[Service, str, str]) -> None:
    service, client_id, secret = running
    assert get(f"{service.url}/access-token").status_code == 401
    assert get(f"{service.url}/access-token", auth=(client_id, "wrong")).status_code == 401
    answer = get(f"{service.url}/access-token", auth=(client_id, secret))
    bearer = {"Authorization": f"Bearer {answer.json()['token']}"}
    assert get(f"{service.url}/event", headers=bearer).status_code == 200

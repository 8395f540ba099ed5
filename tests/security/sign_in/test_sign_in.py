"""Sign-in of people at a real OpenID provider: what it gives, and each attempt that is refused."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest

from tests.support.openid_provider import OpenIDProvider, Person
from tests.support.service import Service, get, post

MakePerson = Callable[[], Person]
Signing = tuple[Service, OpenIDProvider]


def claims_of(token: str) -> dict[str, object]:

    claims: dict[str, object] = jwt.decode(token, options={"verify_signature": False})
    return claims


def cookies_of(answer: httpx.Response) -> dict[str, str]:
    """The cookies that an answer sets, empty if it removes them."""
    pairs = [cookie.partition(";")[0].partition("=") for cookie in answer.headers.get_list("Set-Cookie")]
    return {name: value for name, _, value in pairs}


def refusal(answer: httpx.Response) -> str:
    assert (answer.status_code, answer.headers["Content-Type"]) == (403, "text/html; charset=utf-8")
    assert cookies_of(answer) == {"audit-log-sign-in": ""}  # the attempt is over, and there is no session
    return answer.text


def change_cookie(person: Person, place: int) -> None:
    """Change state, nonce or verifier in the cookie of the attempt, the parts 0, 1 and 2."""
    [cookie] = [each for each in person.browser.cookies.jar if each.name == "audit-log-sign-in"]
    parts = str(cookie.value).split(".")
    parts[place] = parts[place][::-1]
    cookie.value = ".".join(parts)


def test_a_role_for_all_customers_reads_and_cannot_write(signing: Signing, person: MakePerson) -> None:
    ada = person()
    answer = ada.sign_in("auditor")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{signing[0].url}/")
    attempt, *kept = answer.headers.get_list("Set-Cookie")
    assert attempt == "audit-log-sign-in=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
    assert [cookie.partition("=")[0] for cookie in kept] == ["audit-log-session", "audit-log-id-token"]
    for cookie in kept:
        assert {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=3600"} <= set(cookie.split("; "))
    token = ada.token().json()["token"]
    claims = claims_of(token)
    assert (claims["scope"], claims.get("customers")) == ("events:read", None)
    assert claims["sub"] == f"{signing[1].url}#auditor"
    assert int(str(claims["exp"])) - int(str(claims["iat"])) <= 300
    headers = {"Authorization": f"Bearer {token}"}
    assert get(f"{signing[0].url}/event", headers=headers).status_code == 200
    event = {"event_type": "x", "customer_id": 1, "event_data": {"a": 1}}
    assert post(f"{signing[0].url}/event", headers=headers, json=event).status_code == 403


def test_the_customers_of_a_role_are_those_of_the_token(person: MakePerson) -> None:
    bob = person()
    bob.sign_in("other+support")
    assert claims_of(bob.token().json()["token"])["customers"] == [42, 43]


def test_somebody_without_a_role_gets_no_session(person: MakePerson) -> None:
    eve = person()
    assert "No role of yours" in refusal(eve.sign_in("stranger"))
    assert eve.token().status_code == 401


def test_the_request_to_the_provider_has_pkce_state_and_nonce(person: MakePerson) -> None:
    query = parse_qs(urlsplit(person().begin()).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["response_type"] == ["code"]
    assert {"state", "nonce", "code_challenge"} <= query.keys()


def test_a_session_is_a_record_of_the_log(signing: Signing, person: MakePerson) -> None:
    ada = person()
    ada.sign_in("auditor")
    token = ada.token().json()["token"]
    ada.post("/session/sign-out")
    answer = get(
        f"{signing[0].url}/event",
        params={"customer_id": -1, "event_data.subject": f"{signing[1].url}#auditor"},
        headers={"Authorization": f"Bearer {token}"},
    )
    types = {event["event_type"] for event in answer.json()["events"]}
    assert {"audit-log.session.began", "audit-log.session.ended"} <= types


@pytest.mark.parametrize(
    ("place", "message"),
    [(0, "belongs to another sign-in"), (1, "belongs to another sign-in"), (2, "did not redeem the code")],
    ids=["state", "nonce", "PKCE verifier"],
)
def test_an_answer_for_another_attempt_is_refused(place: int, message: str, person: MakePerson) -> None:
    ada = person()
    callback = ada.authorize(ada.begin(), "auditor")
    change_cookie(ada, place)
    assert message in refusal(ada.browser.get(callback))


def test_a_state_in_no_encoding_is_refused(person: MakePerson) -> None:
    ada = person()
    callback = ada.authorize(ada.begin(), "auditor")
    base, _, query = callback.partition("?")
    others = [pair for pair in query.split("&") if not pair.startswith("state=")]
    assert "belongs to another sign-in" in refusal(ada.browser.get(f"{base}?{'&'.join([*others, 'state=%FF'])}"))


def test_a_code_is_redeemed_once(person: MakePerson) -> None:
    ada = person()
    callback = ada.authorize(ada.begin(), "auditor")
    [attempt] = [each for each in ada.browser.cookies.jar if each.name == "audit-log-sign-in"]
    assert ada.browser.get(callback).status_code == 303
    assert "has not begun the sign-in" in refusal(ada.browser.get(callback))
    ada.browser.cookies.jar.set_cookie(attempt)  # as a thief who copied it
    assert "did not redeem the code" in refusal(ada.browser.get(callback))


def test_the_code_of_somebody_else_is_refused_in_a_browser_that_did_not_begin(person: MakePerson) -> None:
    mallory, victim = person(), person()
    callback = mallory.authorize(mallory.begin(), "auditor")
    assert "has not begun the sign-in" in refusal(victim.browser.get(callback))
    victim.begin()
    assert "belongs to another sign-in" in refusal(victim.browser.get(callback))


@pytest.mark.parametrize("changed", ["iss=https://other.example", "", "iss=&iss=x"], ids=["other", "missing", "twice"])
def test_an_answer_of_another_issuer_is_refused(changed: str, person: MakePerson) -> None:
    ada = person()
    callback = ada.authorize(ada.begin(), "auditor")
    base, _, query = callback.partition("?")
    kept = [pair for pair in query.split("&") if not pair.startswith("iss=")]
    assert len(kept) < len(query.split("&"))  # the provider names itself (RFC 9207)
    refusal(ada.browser.get(f"{base}?{'&'.join([*kept, changed])}"))


def test_an_error_of_the_provider_is_refused(person: MakePerson) -> None:
    ada = person()
    state = parse_qs(urlsplit(ada.begin()).query)["state"][0]
    issuer = person().begin().partition("/auth")[0]
    query = {"error": "access_denied", "state": state, "iss": issuer}
    answer = ada.browser.get(f"{ada._page}/session/callback", params=query)  # noqa: SLF001 - the page of the service
    assert "did not sign you in" in refusal(answer)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example", "sec_fetch_site": "cross-site"},
        {"origin": "https://evil.example", "sec_fetch_site": ""},
        {"origin": "", "sec_fetch_site": ""},
        {"origin": "null", "sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/session/token", "/session/sign-out", "/session/sign-out?everywhere=true"])
def test_another_page_can_neither_use_nor_end_a_session(path: str, headers: dict[str, str], person: MakePerson) -> None:
    ada = person()
    ada.sign_in("auditor")
    assert ada.post(path, **headers).status_code == 403
    assert ada.token().status_code == 200


def test_a_cookie_authorizes_nothing_but_the_exchange_for_a_token(signing: Signing, person: MakePerson) -> None:
    ada = person()
    ada.sign_in("auditor")
    for path in ("/event", "/catalogue", "/event/summary"):
        assert ada.browser.get(f"{signing[0].url}{path}").status_code == 401


def test_signing_out_ends_this_session_and_everywhere_all_of_the_person(person: MakePerson) -> None:
    laptop, phone, other = person(), person(), person()
    for one, login in ((laptop, "auditor"), (phone, "auditor"), (other, "support")):
        one.sign_in(login)
    kept = [each for each in laptop.browser.cookies.jar if each.name == "audit-log-session"]
    answer = laptop.post("/session/sign-out")
    assert (answer.status_code, cookies_of(answer)) == (200, {"audit-log-session": "", "audit-log-id-token": ""})
    for cookie in kept:
        laptop.browser.cookies.jar.set_cookie(cookie)  # as a thief who copied it
    assert [one.token().status_code for one in (laptop, phone, other)] == [401, 200, 200]
    laptop.sign_in("auditor")
    assert phone.post("/session/sign-out?everywhere=true").status_code == 200
    assert [one.token().status_code for one in (laptop, phone, other)] == [401, 401, 200]


def test_signing_out_leads_to_the_provider_which_then_asks_for_the_login_again(
    signing: Signing, person: MakePerson
) -> None:
    ada = person()
    ada.sign_in("auditor")
    assert ada.is_known_at_the_provider()
    url = ada.post("/session/sign-out").json()["end_session_url"]
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert (query["client_id"], query["post_logout_redirect_uri"]) == ("audit-log-viewer", f"{signing[0].url}/")
    assert claims_of(query["id_token_hint"])["sub"] == "auditor"
    assert ada.end_session(url) == f"{signing[0].url}/"
    assert not ada.is_known_at_the_provider()


def test_a_service_without_sign_in_has_no_sessions(service: Service) -> None:
    for method, path in (("GET", "sign-in"), ("GET", "callback"), ("POST", "token"), ("POST", "sign-out")):
        assert httpx.request(method, f"{service.url}/session/{path}").status_code == 404

"""A provider that rotates its keys, is down or sends nonsense: known keys stay valid, no storm, no crash."""

import json
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core.auth import https
from core.auth.https import MAX_BYTES
from core.auth.last_answer import PATIENCE_SECONDS
from core.auth.remote_keys import FETCH_SECONDS, KEYS_LIMIT_SECONDS
from core.auth.token_verifier import REMEMBERED_SECONDS
from core.settings import Settings
from functions.http.handler import lambda_handler
from functions.query_events import query_events
from tests.security.provider import AUDIENCE, ISSUER, House, Provider, public_jwk
from tests.support.builders import new_event, proxy_event
from tests.support.service import Service
from tests.support.waiting import until

PROMPT_SECONDS = 60.0
"""Bound that leaves room for pauses of the machine: what hangs does so without end, or each of 100 requests for 2 s."""
KEY, NEXT = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as running:
        running.keys = [public_jwk(KEY, kid="k1")]
        yield running


@pytest.fixture
def house(settings: Settings, provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("SSL_CERT_FILE", str(provider.write_authority(tmp_path / "authority.pem")))
    return House(settings, provider)


def status_of(house: House, token: str) -> int:
    """What a request with this token is answered."""
    status: int = lambda_handler(query_events, lambda: house.services)(proxy_event(token=token), None)["statusCode"]
    return status


def test_a_new_key_counts_after_a_minute_at_the_latest(house: House, provider: Provider) -> None:
    assert house.accepts(house.token(KEY))
    provider.keys.append(public_jwk(NEXT, kid="k2"))
    house.clock.now += FETCH_SECONDS - 1
    assert not house.accepts(house.token(NEXT, "k2"))
    house.clock.now += 1
    assert house.accepts(house.token(NEXT, "k2"))
    assert house.accepts(house.token(KEY))
    assert provider.fetches == 2


def test_a_withdrawn_key_counts_no_more_after_the_next_fetch(house: House, provider: Provider) -> None:
    token = house.token(KEY)
    assert house.accepts(token)
    provider.keys = [public_jwk(NEXT, kid="k2")]
    house.clock.now += FETCH_SECONDS
    assert not house.accepts(house.token(KEY))
    assert not house.accepts(token)


def test_a_token_that_was_seen_before_its_key_was_withdrawn_is_soon_forgotten(house: House, provider: Provider) -> None:
    house.accepts(house.token(KEY))
    house.clock.now += FETCH_SECONDS - 1
    token = house.token(KEY)
    assert house.accepts(token)
    provider.keys = [public_jwk(NEXT, kid="k2")]
    house.clock.now += REMEMBERED_SECONDS + 1
    assert not house.accepts(token)


def test_the_same_name_for_another_key_does_not_keep_the_old_one(house: House, provider: Provider) -> None:
    assert house.accepts(house.token(KEY))
    provider.keys = [public_jwk(NEXT, kid="k1")]
    house.clock.now += FETCH_SECONDS
    assert not house.accepts(house.token(KEY))
    assert house.accepts(house.token(NEXT))


def test_a_thousand_made_up_kids_cause_one_fetch_a_minute(house: House, provider: Provider) -> None:
    for minute in range(3):
        for number in range(1000):
            assert not house.accepts(house.token(NEXT, f"made-up-{number}"))
        assert provider.fetches == minute + 1
        house.clock.now += FETCH_SECONDS


def test_made_up_kids_at_the_same_time_cause_one_fetch(house: House, provider: Provider) -> None:
    provider.seconds = 0.2
    tokens = [house.token(NEXT, f"made-up-{number}") for number in range(8)]
    threads = [threading.Thread(target=house.accepts, args=(token,)) for token in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert provider.fetches == 1


def test_a_forger_cannot_keep_a_new_key_out_by_using_up_the_fetches_for_ever(house: House, provider: Provider) -> None:
    assert not house.accepts(house.token(NEXT, "made-up"))
    provider.keys.append(public_jwk(NEXT, kid="k2"))
    house.clock.now += FETCH_SECONDS
    assert not house.accepts(house.token(NEXT, "made-up"))
    assert house.accepts(house.token(NEXT, "k2"))


def test_an_outage_of_the_provider_is_none_here(house: House, provider: Provider) -> None:
    assert house.accepts(house.token(KEY))
    provider.status = 503
    for _ in range(5):
        house.clock.now += FETCH_SECONDS
        assert house.accepts(house.token(KEY))
        assert status_of(house, house.token(NEXT, "k2")) == 401
    assert provider.fetches == 1 + 5
    provider.status = 200
    house.clock.now += FETCH_SECONDS
    assert house.accepts(house.token(KEY))


def test_the_known_keys_count_for_a_day_without_an_answer_and_then_no_key_does(
    house: House, provider: Provider
) -> None:
    token = house.token(KEY, exp=int(house.clock.now) + 29 * 3600)
    assert house.accepts(token)
    provider.status = 503
    house.clock.now += KEYS_LIMIT_SECONDS
    assert house.accepts(token)
    house.clock.now += REMEMBERED_SECONDS
    assert status_of(house, token) == 503
    assert status_of(house, house.services.issuer.issue("ours", scopes=[])[0]) == 403
    provider.status = 200
    house.clock.now += FETCH_SECONDS
    assert house.accepts(token)


def test_an_answer_that_trickles_is_waited_for_once_for_a_moment(house: House, provider: Provider) -> None:
    assert house.accepts(house.token(KEY))
    provider.trickles.set()
    house.clock.now += FETCH_SECONDS
    started = time.monotonic()
    for number in range(100):
        assert not house.accepts(house.token(NEXT, f"made-up-{number}"))
        assert house.accepts(house.token(KEY, sub=f"never-seen-{number}"))
    assert time.monotonic() - started < PATIENCE_SECONDS + PROMPT_SECONDS
    assert provider.fetches == 2


def test_in_a_service_an_answer_that_trickles_holds_up_nobody(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.trickles.set()
    monkeypatch.setenv("SSL_CERT_FILE", str(provider.write_authority(tmp_path / "authority.pem")))
    trust = {"trusted_issuer": ISSUER, "trusted_audience": AUDIENCE, "trusted_jwks_url": provider.url}
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + 3600}
    tokens = [jwt.encode(claims, KEY, algorithm="EdDSA", headers={"kid": f"k{number}"}) for number in range(20)]
    with (
        Service.start(tmp_path / "data", **trust) as service,
        httpx.Client(base_url=service.url, timeout=PROMPT_SECONDS) as http,
        ThreadPoolExecutor(len(tokens)) as threads,
    ):

        def ask(token: str) -> int:
            return httpx.get(
                f"{service.url}/event", headers={"Authorization": f"Bearer {token}"}, timeout=PROMPT_SECONDS
            ).status_code

        answers = threads.map(ask, tokens)
        assert http.get("/health").status_code == 200
        ours = {"Authorization": f"Bearer {http.get('/access-token').json()['token']}"}
        assert http.post("/event", json=new_event(), headers=ours).status_code == 202
        assert set(answers) == {503}
        assert provider.fetches == 1


def test_a_provider_that_never_was_up(house: House, provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
    """A 503: the token may be good, and a 401 would have its bearer throw it away."""
    provider.__exit__()
    for _ in range(100):
        assert status_of(house, house.token(KEY)) == 503
    assert status_of(house, house.services.issuer.issue("ours", scopes=[])[0]) == 403
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.message for record in warnings if record.name == "core.auth.last_answer"] == ["token_check_stale"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_does_not_lead_to_someone_elses_keys(house: House, provider: Provider, status: int) -> None:
    with Provider() as attacker:
        attacker.keys = [public_jwk(NEXT, kid="k1")]
        provider.status, provider.location = status, attacker.url
        assert not house.accepts(house.token(NEXT))
        provider.location = "http://" + provider.url.removeprefix("https://")
        house.clock.now += FETCH_SECONDS
        assert not house.accepts(house.token(NEXT))
        assert attacker.fetches == 0
        assert provider.fetches == 2


def test_a_server_whose_certificate_nobody_vouches_for(
    settings: Settings, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    house = House(settings, provider)
    assert not house.accepts(house.token(KEY))
    assert provider.fetches == 0


GOOD = public_jwk(KEY, kid="k1")
NONSENSE: dict[str, object] = {
    "a list": [GOOD],
    "null": None,
    "keys is null": {"keys": None},
    "keys is a number": {"keys": 5},
    "keys is text": {"keys": "k1"},
    "alg is a list": {"keys": [{**GOOD, "alg": ["EdDSA"]}]},
    "alg is none": {"keys": [{**GOOD, "alg": "none"}]},
}
UNUSABLE: dict[str, list[object]] = {
    "no keys": [],
    "keys of no kind": [1, "x", None, [], {}],
    "kid is a list": [{**GOOD, "kid": ["k1"]}],
    "kid is a number": [{**GOOD, "kid": 1}],
    "kty is a list": [{**GOOD, "kty": ["OKP"]}],
    "crv is a list": [{**GOOD, "crv": ["Ed25519"]}],
    "x is a number": [{**GOOD, "x": 1}],
    "x is missing": [{name: value for name, value in GOOD.items() if name != "x"}],
    "x is short": [{**GOOD, "x": "AAAA"}],
    "RSA of nothing": [{"kty": "RSA", "kid": "k1", "n": "", "e": ""}],
    "EC off the curve": [{"kty": "EC", "crv": "P-256", "kid": "k1", "x": "AA", "y": "AA"}],
}
TEXTS: dict[str, bytes] = {
    **{name: json.dumps(value).encode() for name, value in NONSENSE.items()},
    "nothing": b"",
    "a page": b"<html>maintenance</html>",
    "no UTF-8": b"\xff\xfe\xff",
    "a bomb": b"[" * 100_000,
    "too much": json.dumps({"keys": [GOOD], "padding": "x" * MAX_BYTES}).encode(),
}


@pytest.mark.parametrize("body", TEXTS.values(), ids=TEXTS.keys())
def test_an_answer_that_is_no_key_set_leaves_the_known_keys(house: House, provider: Provider, body: bytes) -> None:
    provider.body = body
    assert status_of(house, house.token(KEY, "unknown")) in {401, 503}  # 503: no key is known at all
    assert status_of(house, house.services.issuer.issue("ours", scopes=[])[0]) == 403
    provider.body = None
    house.clock.now += FETCH_SECONDS
    assert house.accepts(house.token(KEY))
    provider.body = body
    house.clock.now += FETCH_SECONDS
    assert status_of(house, house.token(KEY, scope="")) == 403  # known, though it may do nothing
    assert status_of(house, house.token(NEXT)) == 401


@pytest.mark.parametrize("keys", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_a_key_set_without_a_usable_key_ends_those_known(
    house: House, provider: Provider, caplog: pytest.LogCaptureFixture, keys: list[Any]
) -> None:
    """The provider answers and has withdrawn them. It is in the log once."""
    assert house.accepts(house.token(KEY))
    provider.keys = keys
    for _ in range(3):
        house.clock.now += FETCH_SECONDS + REMEMBERED_SECONDS
        assert status_of(house, house.token(KEY)) == 401
    [record] = [record for record in caplog.records if record.message == "provider_keys_unusable"]
    assert record.__dict__["published"] == len(keys)
    provider.keys = [GOOD]
    house.clock.now += FETCH_SECONDS
    assert house.accepts(house.token(KEY))


def test_the_thread_of_an_answer_that_trickles_ends(
    house: House, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise no further fetch would be made, and keys would neither come nor go."""
    monkeypatch.setattr(https, "_BODY_SECONDS", 0.2)
    provider.trickles.set()
    assert not house.accepts(house.token(KEY))
    until(lambda: not any(thread.name.startswith("ask for keys") for thread in threading.enumerate()))
    assert provider.trickles.is_set()


@pytest.mark.parametrize("raw", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"])
def test_an_answer_that_is_no_http(house: House, provider: Provider, raw: bytes) -> None:
    assert house.accepts(house.token(KEY))
    provider.raw = raw
    house.clock.now += FETCH_SECONDS
    assert house.accepts(house.token(KEY))
    assert status_of(house, house.token(NEXT, "unknown")) == 401


def test_one_bad_key_in_the_set_does_not_cost_the_good_ones(house: House, provider: Provider) -> None:
    provider.keys = [{"kty": "OKP"}, {**GOOD, "kid": "bad", "crv": ["x"]}, {**GOOD, "kid": ["bad"]}, GOOD]
    assert house.accepts(house.token(KEY))

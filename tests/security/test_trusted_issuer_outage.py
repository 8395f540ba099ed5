"""A provider that rotates its keys, is down or talks nonsense: known keys go on, nothing storms, nothing crashes."""

import json
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core.settings import Settings
from core.tokens import REMEMBERED_SECONDS
from core.trusted_keys import FETCH_SECONDS, REFRESH_SECONDS
from functions.endpoint import lambda_handler
from functions.query_events import query_events
from tests.builders import proxy_event
from tests.security.provider import House, Provider, public_jwk

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


def test_a_withdrawn_key_counts_no_more_after_the_next_refresh(house: House, provider: Provider) -> None:
    token = house.token(KEY)
    assert house.accepts(token)
    provider.keys = [public_jwk(NEXT, kid="k2")]
    house.clock.now += REFRESH_SECONDS
    assert not house.accepts(house.token(KEY))
    assert not house.accepts(token)


def test_a_token_that_was_seen_before_its_key_was_withdrawn_is_soon_forgotten(house: House, provider: Provider) -> None:
    house.accepts(house.token(KEY))
    house.clock.now += REFRESH_SECONDS - 1
    token = house.token(KEY)
    assert house.accepts(token)
    provider.keys = [public_jwk(NEXT, kid="k2")]
    house.clock.now += REMEMBERED_SECONDS + 1
    assert not house.accepts(token)


def test_the_same_name_for_another_key_does_not_keep_the_old_one(house: House, provider: Provider) -> None:
    assert house.accepts(house.token(KEY))
    provider.keys = [public_jwk(NEXT, kid="k1")]
    house.clock.now += REFRESH_SECONDS
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
        house.clock.now += REFRESH_SECONDS
        assert house.accepts(house.token(KEY))
        assert status_of(house, house.token(NEXT, "k2")) == 401
    assert provider.fetches == 1 + 5
    provider.status = 200
    house.clock.now += FETCH_SECONDS
    assert house.accepts(house.token(KEY))


def test_a_slow_provider_does_not_hold_up_those_whose_key_is_known(house: House, provider: Provider) -> None:
    assert house.accepts(house.token(KEY))
    provider.seconds = 1.0
    house.clock.now += REFRESH_SECONDS
    refreshing = threading.Thread(target=house.accepts, args=(house.token(NEXT, "made-up"),))
    refreshing.start()
    while provider.fetches < 2:
        time.sleep(0.01)
    started = time.monotonic()
    assert house.accepts(house.token(KEY))
    assert time.monotonic() - started < 0.5
    refreshing.join()


def test_a_provider_that_never_was_up(house: House, provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
    provider.__exit__()
    for _ in range(100):
        assert status_of(house, house.token(KEY)) == 401
    assert status_of(house, house.services.issuer.issue("ours", scopes=[])[0]) == 403
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1  # one a minute, not one a request


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
    "no keys": {"keys": []},
    "keys of no kind": {"keys": [1, "x", None, [], {}]},
    "kid is a list": {"keys": [{**GOOD, "kid": ["k1"]}]},
    "kid is a number": {"keys": [{**GOOD, "kid": 1}]},
    "kty is a list": {"keys": [{**GOOD, "kty": ["OKP"]}]},
    "crv is a list": {"keys": [{**GOOD, "crv": ["Ed25519"]}]},
    "alg is a list": {"keys": [{**GOOD, "alg": ["EdDSA"]}]},
    "alg is none": {"keys": [{**GOOD, "alg": "none"}]},
    "x is a number": {"keys": [{**GOOD, "x": 1}]},
    "x is missing": {"keys": [{name: value for name, value in GOOD.items() if name != "x"}]},
    "x is short": {"keys": [{**GOOD, "x": "AAAA"}]},
    "RSA of nothing": {"keys": [{"kty": "RSA", "kid": "k1", "n": "", "e": ""}]},
    "EC off the curve": {"keys": [{"kty": "EC", "crv": "P-256", "kid": "k1", "x": "AA", "y": "AA"}]},
}
TEXTS: dict[str, bytes] = {
    **{name: json.dumps(value).encode() for name, value in NONSENSE.items()},
    "nothing": b"",
    "a page": b"<html>maintenance</html>",
    "no UTF-8": b"\xff\xfe\xff",
    "a bomb": b"[" * 100_000,
}


@pytest.mark.parametrize("body", TEXTS.values(), ids=TEXTS.keys())
def test_an_answer_that_is_no_key_set_leaves_the_known_keys(house: House, provider: Provider, body: bytes) -> None:
    provider.body = body
    assert status_of(house, house.token(KEY, "unknown")) == 401
    assert status_of(house, house.services.issuer.issue("ours", scopes=[])[0]) == 403
    provider.body = None
    house.clock.now += FETCH_SECONDS
    assert house.accepts(house.token(KEY))
    provider.body = body
    house.clock.now += REFRESH_SECONDS
    assert status_of(house, house.token(KEY, scope="")) == 403  # known, though it may do nothing
    assert status_of(house, house.token(NEXT)) == 401


@pytest.mark.parametrize("raw", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"])
def test_an_answer_that_is_no_http(house: House, provider: Provider, raw: bytes) -> None:
    assert house.accepts(house.token(KEY))
    provider.raw = raw
    house.clock.now += REFRESH_SECONDS
    assert house.accepts(house.token(KEY))
    assert status_of(house, house.token(NEXT, "unknown")) == 401


def test_one_bad_key_in_the_set_does_not_cost_the_good_ones(house: House, provider: Provider) -> None:
    provider.keys = [{"kty": "OKP"}, {**GOOD, "kid": "bad", "crv": ["x"]}, {**GOOD, "kid": ["bad"]}, GOOD]
    assert house.accepts(house.token(KEY))

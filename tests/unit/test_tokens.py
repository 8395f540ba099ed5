from collections.abc import Callable
from typing import Any

import jwt
import pytest

from core.auth.keys import Key, KeyRing
from core.auth.token_verifier import LEEWAY_SECONDS, TokenVerifier, TrustedIssuer
from core.auth.tokens import READ, WRITE, TokenIssuer
from core.errors import InvalidFieldsError, InvalidTokenError
from core.settings import Settings
from tests.support.fakes import FakeClock

KEY = "a key of the tests that is long enough for every hash of every algorithm"
RING = KeyRing((Key("k1", "HS256", verifying=KEY, signing=KEY),))
Verify = Callable[..., Any]


def settings(**values: Any) -> Settings:
    return Settings.model_validate(values)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def issuer(clock: FakeClock) -> TokenIssuer:
    return TokenIssuer(settings(), RING.signing, clock)


@pytest.fixture
def verifier(clock: FakeClock) -> TokenVerifier:
    return TokenVerifier([TrustedIssuer("audit-log", "audit-log", RING)], settings().token_max_minutes, clock)


def signed(*, key: Any = KEY, algorithm: Any = "HS256", **claims: Any) -> str:
    """A token made by someone else; a claim of None is left out."""
    now = int(FakeClock().now)
    usual = {"iss": "audit-log", "aud": "audit-log", "sub": "me", "iat": now, "exp": now + 60, "scope": WRITE}
    given = {name: value for name, value in {**usual, **claims}.items() if value is not None}
    return jwt.encode(given, key, algorithm=algorithm)


def refusal(verifier: TokenVerifier, token: str) -> str:
    with pytest.raises(InvalidTokenError) as caught:
        verifier.verify(token)
    assert token not in str(caught.value)
    return str(caught.value)


def test_an_issued_token_is_verified_with_what_it_says(issuer: TokenIssuer, verifier: TokenVerifier) -> None:
    token, lifetime = issuer.issue("me", valid_minutes=5, scopes=[READ], customers=[1, 2])
    claims = verifier.verify(token)
    assert (claims.sub, set(claims.scope), claims.customers) == ("me", {READ}, (1, 2))
    assert claims.exp - claims.iat == lifetime == 300


def test_a_token_may_write_and_read_for_all_customers_unless_told_otherwise(
    issuer: TokenIssuer, verifier: TokenVerifier
) -> None:
    claims = verifier.verify(issuer.issue("me")[0])
    assert claims.scope == {WRITE, READ}
    assert claims.may_touch(-(2**63))


def test_a_token_for_some_customers_may_touch_no_other(issuer: TokenIssuer, verifier: TokenVerifier) -> None:
    assert verifier.verify(issuer.issue("me", customers=[7])[0]).may_touch(7)
    assert not verifier.verify(issuer.issue("me", customers=[7])[0]).may_touch(8)
    assert not verifier.verify(issuer.issue("me", customers=[])[0]).may_touch(7)


def test_two_tokens_for_the_same_are_not_the_same(issuer: TokenIssuer) -> None:
    assert issuer.issue("me") != issuer.issue("me")


@pytest.mark.parametrize(("asked", "seconds"), [(1, 60), (10080, 604_800), (None, 108_000)])
def test_a_token_lives_as_long_as_asked_or_1800_minutes(issuer: TokenIssuer, asked: int | None, seconds: int) -> None:
    assert issuer.issue("me", valid_minutes=asked)[1] == seconds


@pytest.mark.parametrize("asked", [0, -1, 10081])
def test_a_life_out_of_bounds_is_refused_with_the_bounds(issuer: TokenIssuer, asked: int) -> None:
    with pytest.raises(InvalidFieldsError) as caught:
        issuer.issue("me", valid_minutes=asked)
    assert caught.value.errors == [{"loc": ["valid_minutes"], "msg": "must be between 1 and 10080 minutes"}]


def test_a_lower_maximum_lowers_the_default(clock: FakeClock) -> None:
    assert TokenIssuer(settings(token_max_minutes=10), RING.signing, clock).issue("me")[1] == 600


def test_a_remembered_token_still_expires(issuer: TokenIssuer, verifier: TokenVerifier, clock: FakeClock) -> None:
    token, lifetime = issuer.issue("me", valid_minutes=1)
    clock.now += lifetime - 0.001
    assert verifier.verify(token) is verifier.verify(token)
    clock.now += 0.001
    assert "expired" in refusal(verifier, token)


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_a_token_from_the_future_is_valid_once_it_is_within_the_leeway(
    verifier: TokenVerifier, clock: FakeClock, claim: str
) -> None:
    start = int(clock.now) + LEEWAY_SECONDS + 1
    token = signed(**{claim: start, "exp": start + 60})
    assert "not valid yet" in refusal(verifier, token)
    clock.now += 1
    assert verifier.verify(token)


@pytest.mark.parametrize(
    "token",
    [
        signed(key="another key of the tests that is long enough"),
        signed(algorithm="HS512"),
        signed(key="", algorithm="none"),
        signed(iss="another service"),
        signed(aud="another service"),
        signed(sub=42),
        signed(sub=""),
        signed(sub="x" * 256),
        signed(exp="soon"),
        signed(exp=1e400),
        signed(scope=["events:write", 1]),
        signed(customers="all"),
        signed(customers=["1"]),
        *(signed(**{claim: None}) for claim in ["exp", "iat", "iss", "aud", "sub"]),
        "",
        "no token",
        "a.b.c",
        signed() + "x",
        signed()[:-1],
        f".{signed()}",
    ],
)  # fmt: skip
def test_a_token_that_breaks_a_rule_is_refused(verifier: TokenVerifier, token: str) -> None:
    assert verifier.verify(signed()).sub == "me"
    with pytest.raises(InvalidTokenError, match="not issued for this service"):
        verifier.verify(token)


def test_a_token_that_lives_longer_than_allowed_is_refused(verifier: TokenVerifier, clock: FakeClock) -> None:
    end = int(clock.now) + 10080 * 60
    assert verifier.verify(signed(exp=end))
    assert "exceeds the maximum" in refusal(verifier, signed(exp=end + 1))


def test_a_limit_of_null_does_not_stand_for_all_customers(verifier: TokenVerifier) -> None:
    claims = jwt.decode(signed(), options={"verify_signature": False})
    assert "not issued for this service" in refusal(verifier, jwt.encode({**claims, "customers": None}, KEY))


def test_a_token_without_scope_allows_nothing(verifier: TokenVerifier) -> None:
    assert verifier.verify(signed(scope=None)).scope == frozenset()

"""Claims that are missing, wrong or monstrous under a signature that is right: a leaked key, or a careless issuer."""

import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from core.auth.tokens import Claims
from core.errors import InvalidTokenError
from core.settings import Settings
from core.wiring import Services
from tests.conftest import SECRET
from tests.support.fakes import FakeClock

NOW = 1_800_000_000
TEN_YEARS = 10 * 365 * 24 * 3600
GOOD: dict[str, Any] = {
    "iss": "audit-log", "aud": "audit-log", "sub": "mallory", "iat": NOW, "exp": NOW + 3600, "scope": "events:read",
}  # fmt: skip
MAX_SECONDS = 10080 * 60
Verify = Callable[[str], Claims]


def signed(payload: object) -> str:
    """A token that this service's own secret signs, of any JSON."""
    text = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return jwt.PyJWS().encode(text, SECRET, algorithm="HS256", headers={"typ": "JWT"})


@pytest.fixture
def verify(settings: Settings) -> Verify:
    return Services(settings, clock=FakeClock(NOW)).verifier.verify


def refused(verify: Verify, payload: object) -> None:
    with pytest.raises(InvalidTokenError):
        verify(signed(payload))


@pytest.mark.parametrize("claim", ["exp", "iat", "iss", "aud", "sub"])
def test_a_token_without_a_claim_that_is_needed(verify: Verify, claim: str) -> None:
    refused(verify, {name: value for name, value in GOOD.items() if name != claim})
    refused(verify, {**GOOD, claim: None})


def test_a_token_of_ten_years(verify: Verify) -> None:
    refused(verify, {**GOOD, "exp": NOW + TEN_YEARS})
    refused(verify, {**GOOD, "iat": NOW - TEN_YEARS})
    refused(verify, {**GOOD, "exp": NOW + MAX_SECONDS + 1})
    assert verify(signed({**GOOD, "exp": NOW + MAX_SECONDS}))


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
@pytest.mark.parametrize(
    "value", [str(NOW), float(NOW + 1), 10**30, -(10**30), 1e308, True, [NOW], {}, "", "never", float("nan"), -1]
)
def test_a_time_that_is_no_second_of_ours(verify: Verify, claim: str, value: object) -> None:
    harmless = claim == "nbf" and value in (-(10**30), -1)  # long past, as it may be
    if harmless:
        assert verify(signed({**GOOD, claim: value}))
    else:
        refused(verify, {**GOOD, claim: value})


@pytest.mark.parametrize("value", ["1e400", "Infinity", "-Infinity", "NaN", "9" * 5000])
def test_a_number_that_json_does_not_have(verify: Verify, value: str) -> None:
    refused(verify, json.dumps(GOOD).replace(str(NOW + 3600), value).encode())


@pytest.mark.parametrize(
    "aud", ["other", "", "AUDIT-LOG", "audit-log ", [], ["other"], [["audit-log"]], 1, {}, [1], ["audit-log", 1]]
)
def test_a_token_for_another_audience(verify: Verify, aud: object) -> None:
    refused(verify, {**GOOD, "aud": aud})


@pytest.mark.parametrize("jti", [None, 1, True, [], {}])
def test_a_token_id_that_is_no_text(verify: Verify, jti: object) -> None:
    """RFC 7519 section 4.1.7."""
    refused(verify, {**GOOD, "jti": jti})
    assert verify(signed({**GOOD, "jti": ""}))


def test_a_token_for_several_audiences_counts_where_we_are_one(verify: Verify) -> None:
    """RFC 7519 section 4.1.3."""
    assert verify(signed({**GOOD, "aud": ["other", "audit-log"]}))


@pytest.mark.parametrize("iss", ["other", "", "AUDIT-LOG", "audit-log/", ["audit-log"], 1, {"audit-log": 1}, True])
def test_a_token_of_another_issuer(verify: Verify, iss: object) -> None:
    refused(verify, {**GOOD, "iss": iss})


@pytest.mark.parametrize(
    "sub",
    ["", "x" * 256, "a\nb", "a\r\nb", "a\x00b", "a\x1b[31mb", "a\x7fb", "a\x9bb", "\ud800", 1, True, ["a"], {"a": 1}],
    ids=repr,
)
def test_a_subject_that_cannot_be_recorded(verify: Verify, sub: object) -> None:
    refused(verify, {**GOOD, "sub": sub})


def test_a_subject_as_long_as_it_may_be(verify: Verify) -> None:
    assert verify(signed({**GOOD, "sub": "x" * 255})).client == "x" * 255


@pytest.mark.parametrize("customers", [["42"], "42", 42, [True], [1.5], [42.0], [None], {"42": 1}, [2**63], [[42]]])
def test_a_limit_to_customers_that_is_none(verify: Verify, customers: object) -> None:
    refused(verify, {**GOOD, "customers": customers})


def test_a_null_limit_does_not_mean_all_customers(verify: Verify) -> None:
    """A provider that maps an attribute which a user lacks sends null: that must not open everything."""
    refused(verify, {**GOOD, "customers": None})


def test_an_empty_limit_is_a_limit(verify: Verify) -> None:
    assert not verify(signed({**GOOD, "customers": []})).may_touch(42)


@pytest.mark.parametrize("scope", [1, True, {"events:read": True}, [["events:read"]], [1], None])
def test_a_scope_that_is_none(verify: Verify, scope: object) -> None:
    refused(verify, {**GOOD, "scope": scope})


@pytest.mark.parametrize("scope", ["", "events", "events:", "EVENTS:READ", "events:read,events:write", "*", "events:*"])
def test_a_scope_that_only_looks_like_one(verify: Verify, scope: str) -> None:
    assert not verify(signed({**GOOD, "scope": scope})).scope & {"events:read", "events:write"}


def test_a_claim_that_comes_twice_counts_once_and_is_checked_as_it_counts(verify: Verify) -> None:
    """RFC 7519 section 4: the last one counts, for the check and for the use alike."""
    text = json.dumps(GOOD)[:-1]
    assert verify(signed(f'{text}, "sub": "eve"}}'.encode())).client == "eve"
    refused(verify, f'{text}, "iss": "other"}}'.encode())
    refused(verify, f'{text}, "exp": {NOW}}}'.encode())
    refused(verify, f'{text}, "aud": "other"}}'.encode())


@pytest.mark.parametrize("name", ["client", "may_touch", "__class__", "model_config"])
def test_a_claim_named_like_one_of_our_own_fields(verify: Verify, name: str) -> None:
    claims = verify(signed({**GOOD, name: "admin"}))
    assert claims.client == "mallory"
    assert callable(claims.may_touch)

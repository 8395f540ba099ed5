"""Tokens of an outside identity provider: whose they are, which keys count, and what forgers make of them."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_curve
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from core.auth.clients import create, disable
from core.errors import InvalidSettingsError
from core.settings import Settings
from tests.security.provider import AUDIENCE, ISSUER, House, Provider, private_jwk, public_jwk
from tests.support.builders import PrivateKey, pem

KEY, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
RSA = generate_private_key(public_exponent=65537, key_size=2048)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as running:
        running.keys = [public_jwk(KEY, kid="k1")]
        yield running


@pytest.fixture
def house(settings: Settings, provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("SSL_CERT_FILE", str(provider.write_authority(tmp_path / "authority.pem")))
    return House(settings, provider)


def test_a_foreign_client_is_recorded_as_foreign_with_its_scopes_and_customers(house: House) -> None:
    claims = house.verify(house.token(KEY, scope="events:read events:write openid", customers=[1, 2]))
    assert claims.client == f"{ISSUER}#alice"
    assert {"events:read", "events:write"} <= claims.scope
    assert (claims.may_touch(1), claims.may_touch(3)) == (True, False)
    assert house.verify(house.token(KEY, scope=None)).scope == frozenset()


def test_a_foreign_subject_named_like_one_of_our_clients_is_not_that_client(house: House) -> None:
    client, _ = create("ours", ["events:read"], None, at=LONG_AGO)
    house.clients.by_id[client.client_id] = disable(client, at=LONG_AGO)
    assert not house.accepts(house.services.issuer.issue(client.client_id)[0])
    claims = house.verify(house.token(KEY, sub=client.client_id))
    assert claims.client == f"{ISSUER}#{client.client_id}"


def test_a_foreign_subject_too_long_for_the_record(house: House) -> None:
    room = 255 - len(f"{ISSUER}#")
    assert house.accepts(house.token(KEY, sub="x" * room))
    assert not house.accepts(house.token(KEY, sub="x" * (room + 1)))


@pytest.mark.parametrize("aud", ["audit-log", "other", [], ["other"], None])
def test_a_foreign_token_that_was_made_for_someone_else(house: House, aud: object) -> None:
    assert house.accepts(house.token(KEY, aud=[AUDIENCE, "other"]))
    assert not house.accepts(house.token(KEY, aud=aud))


@pytest.mark.parametrize("iss", ["https://login.example/", "https://LOGIN.example", "https://attacker.example", None])
def test_a_foreign_token_of_someone_else(house: House, iss: object) -> None:
    assert not house.accepts(house.token(KEY, iss=iss))


@pytest.mark.parametrize("payload", ["", "e", "W10", "bnVsbA", "5", "é", "%", "x" * 10_000, "W1tb" * 5_000])
def test_a_token_whose_payload_names_no_issuer(house: House, payload: str) -> None:
    header, _, signature = house.token(KEY).split(".")
    assert not house.accepts(f"{header}.{payload}.{signature}")
    assert not house.accepts(f"{header}.{payload}")


def test_a_foreign_key_cannot_sign_for_our_own_issuer(house: House) -> None:
    for aud in ("audit-log", AUDIENCE, ["audit-log", AUDIENCE]):
        for kid in ("k1", None, house.services.keys.signing.kid):
            assert not house.accepts(house.token(KEY, kid, iss="audit-log", aud=aud, sub="admin"))


def test_our_own_key_cannot_sign_for_the_foreign_issuer(house: House) -> None:
    key = house.services.keys.signing
    claims = {**jwt.decode(house.token(KEY), options={"verify_signature": False})}
    for kid in (key.kid, "k1"):
        assert not house.accepts(jwt.encode(claims, key.signing, algorithm="HS256", headers={"kid": kid}))


def test_a_foreign_token_of_ten_years(house: House) -> None:
    assert not house.accepts(house.token(KEY, exp=int(house.clock.now) + 10 * 365 * 86400))


def test_a_foreign_token_that_names_no_key(house: House, provider: Provider) -> None:
    assert not house.accepts(house.token(KEY, None))
    assert provider.fetches == 0


@pytest.mark.parametrize("key", [KEY, RSA], ids=["EdDSA", "RS256"])
def test_a_foreign_public_key_used_as_an_hmac_secret(house: House, provider: Provider, key: PrivateKey) -> None:
    provider.keys = [public_jwk(key, kid="k1")]
    head, payload, _ = house.token(KEY).split(".")
    header = jwt.utils.base64url_encode(json.dumps({"alg": "HS256", "kid": "k1"}).encode()).decode()
    for secret in (pem(key.public_key()).encode(), json.dumps(provider.keys[0]).encode(), b"", head.encode()):
        signature = hmac.digest(secret, f"{header}.{payload}".encode(), hashlib.sha256)
        assert not house.accepts(f"{header}.{payload}.{jwt.utils.base64url_encode(signature).decode()}")
    assert provider.fetches == 1


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(KEY, "EdDSA"), (RSA, "RS256"), (generate_curve(SECP256R1()), "ES256")],
    ids=["EdDSA", "RS256", "ES256"],
)
def test_the_three_kinds_of_keys_that_providers_have(
    house: House, provider: Provider, key: PrivateKey, algorithm: str
) -> None:
    provider.keys = [public_jwk(key, kid="k1", use="sig", alg=algorithm)]
    assert house.accepts(house.token(key, algorithm=algorithm))


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256"])
def test_another_algorithm_than_the_one_that_goes_with_the_key(
    house: House, provider: Provider, algorithm: str
) -> None:
    provider.keys = [public_jwk(RSA, kid="k1", alg=algorithm)]
    assert not house.accepts(house.token(RSA, algorithm=algorithm))


SMALL = generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - on purpose


@pytest.mark.filterwarnings("ignore:The RSA key is:jwt.warnings.InsecureKeyLengthWarning")
def test_a_provider_whose_key_can_be_factored(house: House, provider: Provider) -> None:
    provider.keys = [public_jwk(SMALL, kid="k1")]
    assert not house.accepts(house.token(SMALL, algorithm="RS256"))


def test_a_secret_that_a_provider_publishes_by_mistake_signs_nothing(house: House, provider: Provider) -> None:
    secret = b"a secret that everyone has read by now"
    encoded = jwt.utils.base64url_encode(secret).decode()
    provider.keys = [{"kty": "oct", "k": encoded, "kid": "k1"}, public_jwk(OTHER, kid="k2")]
    claims = jwt.decode(house.token(KEY), options={"verify_signature": False})
    assert not house.accepts(jwt.encode(claims, secret, algorithm="HS256", headers={"kid": "k1"}))
    assert house.accepts(house.token(OTHER, "k2"))


@pytest.mark.parametrize("key", [KEY, RSA, generate_curve(SECP256R1())], ids=["EdDSA", "RS256", "ES256"])
def test_a_private_key_that_a_provider_publishes_by_mistake_signs_nothing(
    house: House, provider: Provider, key: PrivateKey, request: pytest.FixtureRequest
) -> None:
    provider.keys = [private_jwk(key, kid="k1"), public_jwk(OTHER, kid="k2")]
    assert not house.accepts(house.token(key, algorithm=request.node.callspec.id))
    assert house.accepts(house.token(OTHER, "k2"))


def test_a_private_key_that_would_have_to_be_factored_holds_up_no_request(house: House, provider: Provider) -> None:
    n, d = (jwt.utils.base64url_encode(b"\xff" * 1024).decode() for _ in range(2))
    provider.keys = [{"kty": "RSA", "n": n, "e": "AQAB", "d": d, "kid": "k1"}, public_jwk(OTHER, kid="k2")]
    started = time.thread_time()
    assert house.accepts(house.token(OTHER, "k2"))
    assert time.thread_time() - started < 0.5


def test_a_key_that_the_provider_uses_for_encryption_signs_nothing(house: House, provider: Provider) -> None:
    provider.keys = [public_jwk(KEY, kid="k1", use="enc"), public_jwk(OTHER, kid="k2", use="sig")]
    assert not house.accepts(house.token(KEY))
    assert house.accepts(house.token(OTHER, "k2"))


def test_a_curve_that_is_not_offered_leaves_the_other_keys_alone(house: House, provider: Provider) -> None:
    key = generate_curve(SECP384R1())
    provider.keys = [public_jwk(key, kid="k1"), public_jwk(OTHER, kid="k2")]
    assert not house.accepts(house.token(key, algorithm="ES384"))
    assert house.accepts(house.token(OTHER, "k2"))


@pytest.mark.parametrize(
    "url", ["http://login.example/jwks", "file:///etc/passwd", "ftp://x/y", "login.example", "https:"]
)
def test_keys_over_a_plain_connection_are_not_trusted(url: str) -> None:
    trust = {"ISSUER": ISSUER, "AUDIENCE": AUDIENCE, "JWKS_URL": url}
    with pytest.raises(InvalidSettingsError, match="must be an https:// URL"):
        Settings.from_environ({f"AUDIT_LOG_TRUSTED_{name}": value for name, value in trust.items()})


def test_half_a_trust_and_trust_in_ourselves_stop_the_start() -> None:
    whole = {"ISSUER": ISSUER, "AUDIENCE": AUDIENCE, "JWKS_URL": "https://login.example/jwks"}
    for left_out in whole:
        with pytest.raises(InvalidSettingsError, match="set all three"):
            Settings.from_environ({f"AUDIT_LOG_TRUSTED_{name}": whole[name] for name in whole if name != left_out})
    with pytest.raises(InvalidSettingsError, match="must differ"):
        Settings.from_environ(
            {f"AUDIT_LOG_TRUSTED_{name}": value for name, value in {**whole, "ISSUER": "audit-log"}.items()}
        )

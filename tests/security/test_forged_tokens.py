"""Tokens that an attacker makes: none of them may pass, and none may crash the verifier."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import RSAAlgorithm

from core.auth.token_verifier import LEEWAY_SECONDS
from core.auth.tokens import Claims
from core.errors import InvalidTokenError
from core.settings import Settings
from core.wiring import Services
from tests.conftest import SECRET
from tests.support.builders import pem
from tests.support.fakes import FakeClock

NOW = 1_800_000_000
HOUR = 3600
GOOD: dict[str, Any] = {
    "iss": "audit-log", "aud": "audit-log", "sub": "mallory", "iat": NOW, "exp": NOW + HOUR, "scope": "events:read",
}  # fmt: skip
Signer = Callable[[bytes], bytes]
ATTACKER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def hs256(secret: bytes) -> Signer:
    return lambda data: hmac.digest(secret, data, hashlib.sha256)


def forged(header: Mapping[str, object] | bytes, payload: Mapping[str, object] | bytes, sign: Signer) -> str:
    """A token put together by hand, as no library would make it."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    signing_input = ".".join(map(base64url, parts))
    return f"{signing_input}.{base64url(sign(signing_input.encode()))}"


def signed(payload: Mapping[str, object] | bytes, **header: object) -> str:
    """A token that this service's own secret signs: only its content is wrong."""
    return forged({"alg": "HS256", "typ": "JWT", **header}, payload, hs256(SECRET.encode()))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def verify(settings: Settings, clock: FakeClock) -> Callable[[str], Claims]:
    return Services(settings, clock=clock).verifier.verify


@pytest.fixture
def refuses(verify: Callable[[str], Claims]) -> Callable[[str], None]:
    def check(token: str) -> None:
        with pytest.raises(InvalidTokenError) as caught:
            verify(token)
        assert token[:20] not in str(caught.value) or len(token) < 20  # a message is no place for a token

    return check


Refuses = Callable[[str], None]


def test_a_genuine_token_passes_as_a_control_of_all_below(verify: Callable[[str], Claims]) -> None:
    assert verify(signed(GOOD)).client == "mallory"


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "none ", "", None, 0, ["HS256"], {}])
def test_alg_none_however_it_is_spelt(refuses: Refuses, alg: object) -> None:
    refuses(forged({"alg": alg}, GOOD, lambda _: b""))
    refuses(forged({"alg": alg}, GOOD, hs256(SECRET.encode())))


@pytest.mark.parametrize("alg", ["HS384", "HS512", "hs256", "RS256", "ES256", "EdDSA", "PS256", "unknown"])
def test_another_algorithm_than_the_keys_own_though_the_secret_is_right(refuses: Refuses, alg: str) -> None:
    refuses(forged({"alg": alg}, GOOD, hs256(SECRET.encode())))


def test_no_alg_at_all(refuses: Refuses) -> None:
    refuses(forged({"typ": "JWT"}, GOOD, hs256(SECRET.encode())))


@pytest.mark.parametrize("key", [ATTACKER, Ed25519PrivateKey.generate()], ids=["RS256", "EdDSA"])
def test_the_public_key_used_as_an_hmac_secret(tmp_path: Path, key: rsa.RSAPrivateKey | Ed25519PrivateKey) -> None:
    path = tmp_path / "keys.pem"
    path.write_text(pem(key))
    services = Services(Settings(jwt_key_file=path), clock=FakeClock(NOW))
    kid = services.keys.signing.kid
    assert services.verifier.verify(services.issuer.issue("tests")[0]).client == "tests"
    public = key.public_key()
    text = pem(public).encode()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    jwk = json.dumps(services.keys.jwks()["keys"][0]).encode()
    for secret in (text, text.strip(), der, jwk, b"", kid.encode()):
        for header in ({"alg": "HS256", "kid": kid}, {"alg": "HS256"}, {"alg": services.keys.signing.algorithm}):
            with pytest.raises(InvalidTokenError):
                services.verifier.verify(forged(header, GOOD, hs256(secret)))


@pytest.mark.parametrize(
    "header",
    [
        {"jku": "https://attacker.example/jwks.json"},
        {"jku": "file:///etc/passwd"},
        {"x5u": "https://attacker.example/chain.pem"},
        {"jwk": json.loads(RSAAlgorithm.to_jwk(ATTACKER.public_key()))},
        {"x5c": ["MIIB"]},
        {"x5t": "AAAA"},
    ],
    ids=lambda header: next(iter(header)),
)
def test_a_token_that_brings_or_names_its_own_key(settings: Settings, refuses: Refuses, header: dict[str, Any]) -> None:
    ours = Services(settings).keys.signing.kid
    for kid in ({}, {"kid": ours}, {"kid": "attacker"}):
        refuses(jwt.encode(GOOD, ATTACKER, algorithm="RS256", headers={**header, **kid}))


@pytest.mark.parametrize("crit", [["unheard-of"], ["exp"], [], "exp", [1], {"exp": 1}, None])
def test_a_critical_extension_that_is_not_understood(refuses: Refuses, crit: object) -> None:
    refuses(signed(GOOD, crit=crit, **{"unheard-of": 1}))


@pytest.mark.parametrize("header", [{"b64": False}, {"b64": False, "crit": ["b64"]}, {"b64": True, "crit": ["b64"]}])
def test_an_unencoded_payload_that_other_readers_see_otherwise(refuses: Refuses, header: dict[str, Any]) -> None:
    refuses(signed(GOOD, **header))
    protected = base64url(json.dumps({"alg": "HS256", **header}).encode())
    signature = hs256(SECRET.encode())(f"{protected}.".encode() + json.dumps(GOOD).encode())
    refuses(f"{protected}..{base64url(signature)}")
    refuses(f"{protected}.{json.dumps(GOOD)}.{base64url(signature)}")


@pytest.mark.parametrize("secret", ["another secret of someone that is long enough", "", SECRET.upper(), SECRET + "\n"])
def test_another_secret_under_our_name(settings: Settings, refuses: Refuses, secret: str) -> None:
    kid = Services(settings).keys.signing.kid
    refuses(forged({"alg": "HS256"}, GOOD, hs256(secret.encode())))
    refuses(forged({"alg": "HS256", "kid": kid}, GOOD, hs256(secret.encode())))


@pytest.mark.parametrize(
    "kid", ["nobody", "", "../../../../dev/null", "/dev/null", "x' OR '1'='1", "https://attacker.example", "\x00", "é"]
)
def test_a_kid_of_nobody_is_no_path_and_no_query(refuses: Refuses, kid: str) -> None:
    refuses(signed(GOOD, kid=kid))
    refuses(forged({"alg": "HS256", "kid": kid}, GOOD, hs256(b"")))


@pytest.mark.parametrize("kid", [1, 1.5, True, ["a"], {"a": "b"}, [], {}, None])
def test_a_kid_that_is_no_string(refuses: Refuses, kid: object) -> None:
    refuses(signed(GOOD, kid=kid))


@pytest.mark.parametrize("claim", [{"sub": "admin"}, {"scope": "events:write"}, {"customers": [1]}, {"exp": NOW * 2}])
def test_a_payload_edited_after_signing(refuses: Refuses, claim: dict[str, object]) -> None:
    header, _, signature = signed(GOOD).split(".")
    refuses(f"{header}.{base64url(json.dumps({**GOOD, **claim}).encode())}.{signature}")


def test_a_header_exchanged_after_signing(refuses: Refuses) -> None:
    _, payload, signature = signed(GOOD).split(".")
    other = base64url(json.dumps({"alg": "HS256", "typ": "at+jwt"}).encode())
    refuses(f"{other}.{payload}.{signature}")


def test_a_token_cut_off_anywhere(refuses: Refuses) -> None:
    token = signed(GOOD)
    for length in range(len(token)):
        refuses(token[:length])


@pytest.mark.parametrize("token", ["", ".", "..", "...", "a.b.c", "a.b.c.d", "é.é.é", "\ud800.a.b", "\x00", "%00.%00."])
def test_text_that_is_no_token(refuses: Refuses, token: str) -> None:
    refuses(token)


@pytest.mark.parametrize("segment", [0, 1, 2])
@pytest.mark.parametrize("change", ["{} ", "{}\n", "+{}", "{}===", "{}=", "{}-", "{}A", ".{}"])
def test_a_segment_that_is_no_base64url(refuses: Refuses, segment: int, change: str) -> None:
    segments = signed(GOOD, kid="é" * 3).split(".")
    segments[segment] = change.format(segments[segment])
    refuses(".".join(segments))


def test_a_signature_in_another_spelling_of_the_same_bytes(refuses: Refuses) -> None:
    token = signed(GOOD)  # 32 bytes: the last letter has two bits that decoders ignore
    spellings = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    refuses(token[:-1] + spellings[spellings.index(token[-1]) ^ 1])


def test_parts_too_many(refuses: Refuses) -> None:
    refuses(signed(GOOD) + ".")
    refuses(signed(GOOD) + "." + signed(GOOD))
    refuses("." + signed(GOOD))


def test_a_token_of_a_megabyte_is_refused(refuses: Refuses) -> None:
    refuses("A" * 1_000_000)
    refuses(f"{'A' * 500_000}.{'A' * 500_000}.A")
    refuses(forged({"alg": "HS256"}, {**GOOD, "x": "A" * 700_000}, hs256(b"guessed")))
    refuses("." * 1_000_000)


BOMB = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    "json_text",
    [BOMB, b'{"a":' * 100_000 + b"1" + b"}" * 100_000, b'{"exp":' + b"9" * 50_000 + b"}", b"\xff\xfe", b"null", b"[]"],
    ids=["arrays", "objects", "digits", "no UTF-8", "null", "array"],
)
def test_json_that_is_a_bomb_or_no_object(refuses: Refuses, json_text: bytes) -> None:
    refuses(signed(json_text))
    refuses(forged(json_text, GOOD, hs256(SECRET.encode())))


@pytest.mark.parametrize("leeway", [LEEWAY_SECONDS, LEEWAY_SECONDS + 1])
@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_a_token_of_the_future(
    refuses: Refuses, verify: Callable[[str], Claims], clock: FakeClock, claim: str, leeway: int
) -> None:
    token = signed({**GOOD, claim: NOW + leeway})
    if leeway > LEEWAY_SECONDS:
        refuses(token)
        clock.now += 1
    assert verify(token).client == "mallory"


def test_a_token_at_its_end_though_it_was_verified_before(
    refuses: Refuses, verify: Callable[[str], Claims], clock: FakeClock
) -> None:
    token = signed({**GOOD, "exp": NOW + 10})
    clock.now = NOW + 9.999
    assert verify(token)
    clock.now = NOW + 10
    refuses(token)

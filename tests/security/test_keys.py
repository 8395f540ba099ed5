"""The keys that sign tokens: rotated without a gap, published without a secret, refused when they are weak."""

import base64
import hashlib
import json
import logging
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwk
from joserfc import jwt as joserfc_jwt

from core.auth.keys import key_ring
from core.errors import InvalidSettingsError, InvalidTokenError
from core.settings import Settings
from core.wiring import Services
from functions.http.handler import lambda_handler
from functions.jwks import jwks
from tests.support.builders import PrivateKey, PublicKey, pem, proxy_event

OLD = ed25519.Ed25519PrivateKey.generate()
NEW = ed25519.Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OLD_SECRET = "0ld-Xq7vKp2mZr9tWb4nYc6hJd8sLf3gAe5u"
NEW_SECRET = "n3w-Hj5kTq8wRz2xVb7mPc4dNf6gYs9aLe1u"

KeyFile = Callable[..., Settings]


@pytest.fixture
def key_file(tmp_path: Path) -> KeyFile:
    """Settings with a key file that holds these keys, or this text."""

    def write(*content: PrivateKey | PublicKey | str) -> Settings:
        path = tmp_path / "keys.pem"
        path.write_text("".join(part if isinstance(part, str) else pem(part) for part in content))
        return Settings(jwt_key_file=path)

    return write


def secrets(text: str) -> Settings:
    return Settings.from_environ({"AUDIT_LOG_JWT_SECRET": text})


def issued(settings: Settings) -> str:
    return Services(settings).issuer.issue("tests")[0]


def verifies(settings: Settings, token: str) -> bool:
    try:
        return Services(settings).verifier.verify(token).client == "tests"
    except InvalidTokenError:
        return False


def published(settings: Settings) -> list[dict[str, Any]]:
    """What GET /.well-known/jwks.json answers."""
    answer = lambda_handler(jwks, lambda: Services(settings))(proxy_event(path="/.well-known/jwks.json"), None)
    assert answer["statusCode"] == 200
    keys: list[dict[str, Any]] = json.loads(answer["body"])["keys"]
    return keys


def test_a_secret_is_replaced_while_tokens_of_the_old_one_still_count() -> None:
    before, meanwhile, after = secrets(OLD_SECRET), secrets(f"{NEW_SECRET} {OLD_SECRET}"), secrets(NEW_SECRET)
    old, new = issued(before), issued(meanwhile)
    assert verifies(meanwhile, old)
    assert verifies(meanwhile, new)
    assert verifies(after, new)
    assert not verifies(after, old)
    assert not verifies(before, new)


def test_a_key_is_replaced_while_tokens_of_the_old_one_still_count(key_file: KeyFile) -> None:
    old = issued(key_file(OLD))
    new = issued(key_file(NEW, OLD))
    assert verifies(key_file(NEW, OLD), old)
    assert verifies(key_file(NEW, OLD.public_key()), old)
    assert jwt.get_unverified_header(new)["kid"] == published(key_file(NEW))[0]["kid"]
    assert verifies(key_file(NEW), new)
    assert not verifies(key_file(NEW), old)
    assert not verifies(key_file(OLD), new)


def test_a_key_of_another_kind_takes_over(key_file: KeyFile) -> None:
    old, new = issued(key_file(RSA)), issued(key_file(NEW, RSA))
    assert (jwt.get_unverified_header(old)["alg"], jwt.get_unverified_header(new)["alg"]) == ("RS256", "EdDSA")
    assert verifies(key_file(NEW, RSA.public_key()), old)
    assert [key["alg"] for key in published(key_file(NEW, RSA))] == ["EdDSA", "RS256"]


def test_a_retired_key_signed_under_the_name_of_the_new_one_is_of_no_use(key_file: KeyFile) -> None:
    settings = key_file(NEW, OLD.public_key())
    claims = jwt.decode(issued(settings), options={"verify_signature": False})
    kid = key_ring(settings).signing.kid
    assert not verifies(settings, jwt.encode(claims, OLD, algorithm="EdDSA", headers={"kid": kid}))


def test_a_key_file_shuts_out_tokens_of_a_secret_that_is_set_beside_it(key_file: KeyFile) -> None:
    by_secret = secrets(OLD_SECRET)
    both = key_file(NEW).model_copy(update={"jwt_secret": by_secret.jwt_secret})
    assert not verifies(both, issued(by_secret))


def test_what_is_published_holds_no_private_part(key_file: KeyFile) -> None:
    okp, rsa_key = published(key_file(NEW, RSA))
    assert okp.keys() == {"kty", "crv", "x", "use", "alg", "kid"}
    assert rsa_key.keys() == {"kty", "n", "e", "use", "alg", "kid"}
    assert published(secrets(OLD_SECRET)) == []


@pytest.mark.parametrize(("key", "members"), [(NEW, ("crv", "kty", "x")), (RSA, ("e", "kty", "n"))], ids=["OKP", "RSA"])
def test_kid_is_the_rfc_7638_thumbprint(key_file: KeyFile, key: PrivateKey, members: tuple[str, ...]) -> None:
    (published_key,) = published(key_file(key))
    text = "{" + ",".join(f'"{name}":"{published_key[name]}"' for name in members) + "}"  # section 3.3, by hand
    by_hand = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
    assert published_key["kid"] == by_hand == jwk.import_key(published_key).thumbprint()


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864")  # whose new name readers do not all know yet
@pytest.mark.parametrize("key", [NEW, RSA], ids=["EdDSA", "RS256"])
def test_another_library_verifies_our_token_by_what_is_published(key_file: KeyFile, key: PrivateKey) -> None:
    settings = key_file(key)
    key_set = jwk.KeySet([jwk.import_key(entry) for entry in published(settings)])
    token = joserfc_jwt.decode(issued(settings), key_set, algorithms=["EdDSA", "RS256"])
    assert token.claims["sub"] == "tests"


def test_the_kid_of_a_secret_does_not_tell_the_secret() -> None:
    kid = key_ring(secrets(OLD_SECRET)).signing.kid
    assert OLD_SECRET[:6] not in kid
    assert kid != hashlib.sha256(OLD_SECRET.encode()).hexdigest()[:16]  # so that it does not confirm a guess elsewhere
    assert kid != key_ring(secrets(NEW_SECRET)).signing.kid


WEAK: dict[str, str] = {
    "a key of a curve that is not offered": pem(ec.generate_private_key(ec.SECP256R1())),
    "RSA of 1024 bits": pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)),  # noqa: S505 - on purpose
    "RSA of 1024 bits behind a good key": pem(NEW)
    + pem(rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()),  # noqa: S505 - on purpose
    "DSA": dsa.generate_private_key(2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    "an encrypted key": pem(NEW, password=b"hunter2 hunter2"),
    "text": "what a fine morning",
    "an empty file": "",
    "a block of garbage": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    "a key cut short": pem(RSA)[:-200] + "\n-----END PRIVATE KEY-----\n",
    "a key without its end": pem(RSA)[:-20],
    "a key without its end before a good key": pem(RSA)[:-20] + "\n" + pem(NEW),
    "a key without its end behind a good key": pem(NEW) + pem(RSA)[:-20],
    "bytes that are no text": "\xff\xfe\x00",
    "a certificate": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    "a public key first": pem(OLD.public_key(), NEW),
    "public keys only": pem(OLD.public_key()),
}


@pytest.mark.parametrize("content", WEAK.values(), ids=WEAK.keys())
def test_a_key_file_that_cannot_be_used_stops_the_start_and_is_not_shown(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "keys.pem"
    path.write_text(content)
    with pytest.raises(InvalidSettingsError) as caught:
        key_ring(Settings(jwt_key_file=path))
    told = str(caught.value)
    assert str(path) in told
    assert "AUDIT_LOG_JWT_KEY_FILE" in told
    assert "openssl genpkey -algorithm ed25519" in told
    for line in content.splitlines():
        assert not line or line not in told + caplog.text + repr(caught.value)


def test_a_key_file_that_is_not_there_or_is_a_directory(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none.pem", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(InvalidSettingsError, match=reason) as caught:
            key_ring(Settings(jwt_key_file=path))
        assert str(path) in str(caught.value)


def test_no_key_at_all() -> None:
    with pytest.raises(InvalidSettingsError, match="AUDIT_LOG_JWT_SECRET is not set"):
        key_ring(Settings())


@pytest.mark.parametrize(
    "secret",
    [
        "short",
        "x" * 64,
        "change-me-change-me-change-me-please",
        f"{NEW_SECRET} short",
        f"{NEW_SECRET} {'ab' * 20}",
    ],
)
def test_a_secret_that_can_be_guessed_stops_the_start_and_is_not_repeated(secret: str) -> None:
    with pytest.raises(InvalidSettingsError, match="openssl rand") as caught:
        secrets(secret)
    for part in secret.split():
        assert part not in str(caught.value)


def test_keys_and_settings_show_no_secret(key_file: KeyFile) -> None:
    settings = secrets(f"{NEW_SECRET} {OLD_SECRET}")
    ring = key_ring(settings)
    for shown in (repr(settings), str(settings), settings.model_dump_json(), repr(ring), str(ring), repr(ring.keys)):
        assert not {part for part in (NEW_SECRET, OLD_SECRET) if part in shown}
    ring = key_ring(key_file(RSA))
    assert str(RSA.private_numbers().d) not in repr(ring)
    assert "PrivateKey" not in repr(ring)


@pytest.mark.parametrize("name", ["DATABASE_URL", "QUEUE_URL", "RATE_LIMIT_STORAGE"])
def test_settings_show_no_password_of_a_url(name: str) -> None:
    settings = Settings.from_environ({f"AUDIT_LOG_{name}": "scheme://user:canary@host/name"})
    assert "canary" not in repr(settings) + str(settings)


def test_derived_ids_stay_the_same_until_the_old_secret_is_removed() -> None:
    before, during, after = map(secrets, [OLD_SECRET, f"{NEW_SECRET} {OLD_SECRET}", NEW_SECRET])
    assert key_ring(before).id_namespace == key_ring(during).id_namespace
    assert key_ring(after).id_namespace not in {key_ring(before).id_namespace, uuid.UUID(int=0)}


def test_derived_ids_stay_the_same_until_the_old_key_is_removed(key_file: KeyFile) -> None:
    before = key_ring(key_file(OLD)).id_namespace
    assert key_ring(key_file(NEW, OLD)).id_namespace == before
    assert key_ring(key_file(OLD, NEW.public_key())).id_namespace == before
    assert key_ring(key_file(NEW)).id_namespace != before
    assert key_ring(key_file(NEW, OLD.public_key())).id_namespace != before
    assert key_ring(key_file(RSA)).id_namespace not in {before, key_ring(key_file(NEW)).id_namespace}


def test_the_namespace_of_derived_ids_reveals_nothing_of_the_secret() -> None:
    namespace = key_ring(secrets(OLD_SECRET)).id_namespace
    assert namespace.bytes not in OLD_SECRET.encode()
    assert namespace.bytes != hashlib.sha256(OLD_SECRET.encode()).digest()[:16]

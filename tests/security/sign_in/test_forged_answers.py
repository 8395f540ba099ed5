"""What a hostile or broken provider, and a network in between, can send: every forgery is refused."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core.auth.https import fetch
from core.auth.keys import Key
from core.auth.roles import Roles
from core.auth.sign_in import Attempt, SignIn, SignInClient
from core.domain.audit_events import audit_event
from core.errors import AuditLogError, InvalidSettingsError, SignInRefusedError, TokenCheckUnavailableError
from core.ports.sessions import Session
from core.settings import Settings
from core.stores.database import Database
from core.stores.migrations.upgrade import migrate
from core.wiring import Services
from functions.sign_in.session import _digest, session_token
from tests.support.fakes import FakeClock, FakeGateway
from tests.support.receiver import raw_endpoint

ISSUER = "https://login.example"
KEY, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
ATTEMPT = Attempt.new()
NOW = int(time.time())


class Keys:
    """The published keys of the provider."""

    def find(self, kid: str | None) -> Key | None:
        return Key("k1", "EdDSA", verifying=KEY.public_key()) if kid == "k1" else None


class Network:
    """Answers for the provider. `configuration` and `token` are what a test sets."""

    def __init__(self) -> None:
        self.configuration: dict[str, Any] = {
            "issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/auth?tenant=a", "token_endpoint": f"{ISSUER}/token",
        }  # fmt: skip
        self.token: object = None
        self.forms: list[bytes] = []

    def fetch(self, url: str, form: bytes | None = None, _headers: object = None) -> bytes:
        if form is None:
            assert url == f"{ISSUER}/.well-known/openid-configuration"
            return json.dumps(self.configuration).encode()
        self.forms.append(form)
        return json.dumps({"id_token": self.token}).encode()


def claims(**changed: object) -> dict[str, object]:
    usual = {"iss": ISSUER, "aud": "viewer", "sub": "ada", "iat": NOW, "exp": NOW + 60, "roles": ["auditor"]}
    given = {**usual, "nonce": ATTEMPT.nonce, **changed}
    return {name: value for name, value in given.items() if value is not None}


def signed(key: Any = KEY, algorithm: str = "EdDSA", kid: str | None = "k1", **changed: object) -> str:
    return jwt.encode(claims(**changed), key, algorithm=algorithm, headers={"kid": kid} if kid else {})


def sign_in(network: Network) -> SignIn:
    page = "https://audit.example"
    client = SignInClient(ISSUER, "viewer", None, f"{page}/session/callback", f"{page}/", "roles")
    return SignIn(client, Roles(["auditor=*"]), Keys(), FakeClock(NOW), network.fetch)


def finish(network: Network, **changed: str) -> str:
    response = {"state": ATTEMPT.state, "code": "c", **changed}
    return sign_in(network).finish(ATTEMPT, response).subject


def confused() -> str:
    """A token whose HMAC has the public key for its secret."""
    secret = KEY.public_key().public_bytes_raw()
    head, body, _ = jwt.encode(claims(), "x" * 32, algorithm="HS256", headers={"kid": "k1"}).split(".")
    digest = hmac.digest(secret, f"{head}.{body}".encode(), hashlib.sha256)
    return f"{head}.{body}.{jwt.utils.base64url_encode(digest).decode()}"


FORGED: dict[str, Callable[[], object]] = {
    "alg none": lambda: jwt.encode(claims(), "", algorithm="none", headers={"kid": "k1"}),
    "a foreign key": lambda: signed(OTHER),
    "a foreign key id": lambda: signed(OTHER, kid="k2"),
    "no key id": lambda: signed(kid=None),
    "the public key as a secret": confused,
    "another issuer": lambda: signed(iss="https://other.example"),
    "another audience": lambda: signed(aud="other"),
    "several audiences without azp": lambda: signed(aud=["viewer", "other"]),
    "another authorized party": lambda: signed(aud=["viewer", "other"], azp="other"),
    "another nonce": lambda: signed(nonce="other"),
    "no nonce": lambda: signed(nonce=None),
    "a nonce that is no text": lambda: signed(nonce=7),
    "a nonce that is no character": lambda: signed(nonce="\ud800"),
    "expired": lambda: signed(exp=NOW),
    "no expiry": lambda: signed(exp=None),
    "old": lambda: signed(iat=NOW - 601),
    "of the future": lambda: signed(iat=NOW + 31),
    "a time that is no number": lambda: signed(iat=True),
    "a time beyond all calendars": lambda: signed(iat=-(10**400)),
    "an expiry beyond all calendars": lambda: signed(exp=10**400),
    "an expiry that is not a number": lambda: signed(exp=float("nan")),
    "no subject": lambda: signed(sub=None),
    "a subject that is too long": lambda: signed(sub="x" * 255),
    "a subject with a line break": lambda: signed(sub="a\nb"),
    "a subject that is no character": lambda: signed(sub="\ud800"),
    "no role": lambda: signed(roles=["other"]),
    "roles of another form": lambda: signed(roles={"auditor": True}),
    "a truncated signature": lambda: signed()[:-4],
    "no token": lambda: None,
    "a number": lambda: 7,
    "text": lambda: "x.y",
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_a_forged_id_token_signs_nobody_in(forged: Callable[[], object]) -> None:
    network = Network()
    network.token = forged()
    with pytest.raises(AuditLogError) as caught:
        finish(network)
    assert not isinstance(network.token, str) or network.token not in str(caught.value)


def test_the_right_id_token_as_a_control() -> None:
    network = Network()
    for token in (signed(), signed(aud=["viewer", "other"], azp="viewer"), signed(roles="other auditor")):
        network.token = token
        assert finish(network) == f"{ISSUER}#ada"
    assert ATTEMPT.verifier.encode() in network.forms[0]


def test_a_state_that_is_not_text_is_that_of_another_sign_in() -> None:
    with pytest.raises(SignInRefusedError, match="another sign-in"):
        finish(Network(), state="\udcff")  # %FF in the query


@pytest.mark.parametrize("answer", [b"\x00\xff\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 101 + b"\r\n"])
def test_an_answer_that_is_not_http_is_an_unreachable_provider(answer: bytes) -> None:
    with raw_endpoint(lambda connection: connection.sendall(answer)) as url, pytest.raises(OSError, match="not HTTP"):
        fetch(url)


def test_a_mixed_up_issuer_is_refused_before_the_code_is_sent_anywhere() -> None:
    network = Network()
    network.token = signed()
    with pytest.raises(SignInRefusedError, match="another issuer"):
        finish(network, iss="https://other.example")
    network.configuration["authorization_response_iss_parameter_supported"] = True
    with pytest.raises(SignInRefusedError, match="another issuer"):
        finish(network)
    assert network.forms == []
    assert finish(network, iss=ISSUER) == f"{ISSUER}#ada"


@pytest.mark.parametrize(
    "configuration",
    [
        {"issuer": "https://other.example"},
        {"authorization_endpoint": "http://login.example/auth"},
        {"authorization_endpoint": None},
        {"authorization_endpoint": "https://[login.example/auth"},
    ],
    ids=str,
)
def test_a_configuration_of_another_issuer_or_without_encryption_is_not_used(configuration: dict[str, Any]) -> None:
    network = Network()
    network.configuration |= configuration
    with pytest.raises(TokenCheckUnavailableError):
        sign_in(network).begin(ATTEMPT)


def test_a_provider_without_a_safe_end_session_endpoint_ends_no_session_there() -> None:
    network = Network()
    assert sign_in(network).end_session_url("x.y.z") is None
    for endpoint in (7, "", "http://login.example/end", "javascript:alert(1)", "https://[login.example/end"):
        network.configuration["end_session_endpoint"] = endpoint
        assert sign_in(network).end_session_url("x.y.z") is None
    network.configuration["end_session_endpoint"] = f"{ISSUER}/end?tenant=a"
    expected = f"{ISSUER}/end?tenant=a&client_id=viewer&post_logout_redirect_uri=https%3A%2F%2Faudit.example%2F"
    assert sign_in(network).end_session_url(None) == expected
    assert sign_in(network).end_session_url("x.y&z") == f"{expected}&id_token_hint=x.y%26z"
    network.configuration["issuer"] = "https://other.example"
    assert sign_in(network).end_session_url(None) is None


@pytest.mark.parametrize("text", ["auditor", "auditor=", "auditor=x", "a=1,", "a=9223372036854775808"])
def test_a_role_of_another_form_stops_the_start(text: str) -> None:
    with pytest.raises(InvalidSettingsError, match="AUDIT_LOG_SIGN_IN_ROLES"):
        Roles([text])
    with pytest.raises(InvalidSettingsError, match="AUDIT_LOG_SIGN_IN_ROLES"):
        Roles(["a=1", "a=2"])


def test_roles_add_up() -> None:
    roles = Roles(["a=1,2", "b=-3", "all=*"])
    assert roles.customers({"realm": {"roles": ["a", "b", "c"]}}, "realm.roles") == [-3, 1, 2]
    assert roles.customers({"roles": "a all"}, "roles") is None
    with pytest.raises(LookupError):
        roles.customers({"roles": ["c"]}, "roles")


def test_an_expired_session_gives_no_token(settings: Settings) -> None:
    page = "https://audit.example"
    signing = settings.model_copy(
        update={
            "auth": "clients", "trusted_issuer": ISSUER, "trusted_audience": "a", "trusted_jwks_url": f"{ISSUER}/jwks",
            "public_url": page, "sign_in_client_id": "viewer", "sign_in_roles": ("auditor=*",),
        }
    )  # fmt: skip
    database = Database(settings.store_url)
    migrate(database.engine)
    clock = FakeClock(NOW)
    services = Services(signing, database=database, clock=clock)
    secret = "s" * 43
    record = audit_event("session.began", "x", at=datetime.fromtimestamp(NOW, UTC))
    database.sessions.begin(Session(_digest(secret), f"{ISSUER}#ada", None, NOW + 600), record)

    def status(name: str = "__Host-audit-log-session") -> int:
        headers = {"Cookie": f"{name}={secret}", "Origin": page, "Sec-Fetch-Site": "same-origin"}
        return FakeGateway(services).call(session_token, "POST", "/session/token", headers=headers, token=None).status

    assert status() == 200
    assert status("audit-log-session") == 401  # which a page on http could set
    clock.now = NOW + 600
    assert status() == 401
    services.close()

"""Sign-in of people by OpenID Connect: authorization code flow with PKCE, against the trusted issuer.

OpenID Connect Core 1.0 section 3.1, RFC 7636 (PKCE, S256), RFC 9207 (issuer in the response), OpenID Connect
RP-Initiated Logout 1.0.
"""

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from core.auth.https import fetch
from core.auth.id_tokens import is_secret, verify_id_token
from core.auth.roles import Roles
from core.auth.sign_in_refusals import Refusal
from core.auth.token_verifier import KeySource
from core.domain.clock import Clock
from core.errors import SignInRefusedError, TokenCheckUnavailableError
from core.settings import Settings

DISCOVERY_SECONDS: Final = 3600.0
_WELL_KNOWN: Final = "/.well-known/openid-configuration"
_BYTES: Final = 32
_SUBJECT: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,255}")
"""As in `core.auth.tokens.Name`: a token for the session has this subject."""


@dataclass(frozen=True)
class SignInClient:
    """This service as the provider knows it."""

    issuer: str
    client_id: str
    client_secret: str | None
    redirect_uri: str
    post_logout_redirect_uri: str
    claim: str


@dataclass(frozen=True)
class Attempt:
    """Secrets of one sign-in, which only the browser that began it keeps."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def new(cls) -> "Attempt":
        """Make random ones of 256 bits."""
        return cls(*(secrets.token_urlsafe(_BYTES) for _ in range(3)))


@dataclass(frozen=True)
class Person:
    """Who signed in: `subject` is `iss#sub`; `customers` None means all; `id_token` is a hint for the sign-out."""

    subject: str
    customers: Sequence[int] | None
    id_token: str


class SignIn:
    """Sends browsers to the provider, and redeems the codes that they bring back. Safe to use from several threads."""

    def __init__(
        self,
        client: SignInClient,
        roles: Roles,
        keys: KeySource,
        clock: Clock,
        fetch: Callable[..., bytes] = fetch,
    ) -> None:
        self._client = client
        self._roles = roles
        self._keys = keys
        self._clock = clock
        self._fetch = fetch
        self._discovered: tuple[float, dict[str, Any]] = (float("-inf"), {})

    def begin(self, attempt: Attempt) -> str:
        """Return the URL of the provider to send the browser to.

        Raises:
            TokenCheckUnavailableError: the provider's configuration cannot be read; trying again later helps.
        """
        digest = hashlib.sha256(attempt.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": self._client.redirect_uri,
            "scope": "openid",
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return _with_query(self._endpoint("authorization_endpoint"), query)

    def finish(self, attempt: Attempt, response: Mapping[str, str]) -> Person:
        """Redeem the code in the provider's `response`, the query of its redirect.

        Raises:
            SignInRefusedError: the response does not belong to `attempt`, the provider refuses, or no role allows.
            InvalidTokenError: the ID token is invalid.
            TokenCheckUnavailableError: the provider or its keys are unavailable; trying again later helps.
        """
        if not is_secret(response.get("state", ""), attempt.state):
            raise SignInRefusedError(Refusal.OTHER)
        is_named = self._configuration().get("authorization_response_iss_parameter_supported") is True
        if response.get("iss", None if is_named else self._client.issuer) != self._client.issuer:
            raise SignInRefusedError(Refusal.ISSUER)
        if "error" in response or not response.get("code"):
            raise SignInRefusedError(Refusal.PROVIDER)
        id_token = self._redeem(response["code"], attempt.verifier)
        claims = verify_id_token(
            id_token,
            self._keys,
            issuer=self._client.issuer,
            client_id=self._client.client_id,
            nonce=attempt.nonce,
            now=self._clock(),
        )
        try:
            customers = self._roles.customers(claims, self._client.claim)
        except LookupError:
            raise SignInRefusedError(Refusal.ROLE) from None
        subject = f"{self._client.issuer}#{claims['sub']}"
        if not _SUBJECT.fullmatch(subject):
            raise SignInRefusedError(Refusal.NAME)
        return Person(subject, customers, id_token)

    def end_session_url(self, id_token: str | None) -> str | None:
        """Return the URL of the provider that ends the person's session there, and leads back to the log viewer.

        `id_token`, of the sign-in, spares the person a question, and some providers demand it. None if the provider
        publishes no such URL (RP-Initiated Logout 1.0 section 2.1), or its configuration cannot be read.
        """
        try:
            endpoint = self._endpoint("end_session_endpoint")
        except TokenCheckUnavailableError:
            return None
        query = {
            "client_id": self._client.client_id,
            "post_logout_redirect_uri": self._client.post_logout_redirect_uri,
            **({"id_token_hint": id_token} if id_token else {}),
        }
        return _with_query(endpoint, query)

    def _redeem(self, code: str, verifier: str) -> str:
        client = self._client
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": client.redirect_uri,
            "code_verifier": verifier,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if client.client_secret is None:
            form["client_id"] = client.client_id
        else:  # RFC 6749 section 2.3.1: both are encoded first
            pair = f"{quote(client.client_id, safe='')}:{quote(client.client_secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        endpoint = self._endpoint("token_endpoint")
        try:
            answer = json.loads(self._fetch(endpoint, urlencode(form).encode(), headers))
            token = answer["id_token"]
        except (OSError, ValueError, LookupError, TypeError, RecursionError) as exc:
            raise SignInRefusedError(Refusal.CODE) from exc
        if not isinstance(token, str):
            raise SignInRefusedError(Refusal.TOKEN)
        return token

    def _endpoint(self, name: str) -> str:
        url = self._configuration().get(name)
        if not isinstance(url, str) or not _is_https(url):
            raise TokenCheckUnavailableError("The identity provider publishes no https endpoint: check its issuer URL.")
        return url

    def _configuration(self) -> dict[str, Any]:
        """Return the provider's metadata (OpenID Connect Discovery 1.0), fetched once an hour.

        Raises:
            TokenCheckUnavailableError: it cannot be read, or is of another issuer.
        """
        at, configuration = self._discovered
        now = self._clock()
        if now < at + DISCOVERY_SECONDS:
            return configuration
        try:
            configuration = dict(json.loads(self._fetch(self._client.issuer.rstrip("/") + _WELL_KNOWN)))
            is_own = configuration["issuer"] == self._client.issuer
        except (OSError, ValueError, LookupError, TypeError, RecursionError) as exc:
            raise TokenCheckUnavailableError("The configuration of the identity provider cannot be read.") from exc
        if not is_own:
            raise TokenCheckUnavailableError("The configuration of the identity provider names another issuer.")
        self._discovered = (now, configuration)
        return configuration


def _is_https(url: str) -> bool:
    try:
        return urlsplit(url).scheme == "https"
    except ValueError:
        return False


def _with_query(endpoint: str, query: Mapping[str, str]) -> str:
    return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(query)}"


def build_sign_in(settings: Settings, keys: KeySource, clock: Clock) -> SignIn:
    """Build the sign-in that the settings describe; the client id is set, and so are those that it needs.

    Raises:
        InvalidSettingsError: the roles are not of the right form.
    """
    secret = settings.sign_in_client_secret
    client = SignInClient(
        issuer=str(settings.trusted_issuer),
        client_id=str(settings.sign_in_client_id),
        client_secret=secret.get_secret_value() if secret else None,
        redirect_uri=f"{settings.public_url}/session/callback",
        post_logout_redirect_uri=f"{settings.public_url}/",
        claim=settings.sign_in_claim,
    )
    return SignIn(client, Roles(settings.sign_in_roles), keys, clock)

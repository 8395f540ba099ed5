"""Access tokens: JSON Web Tokens (RFC 7519) used as bearer tokens, issued and verified by the rules of RFC 8725."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Final, Protocol

import jwt
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, StrictStr, ValidationError

from core.auth.keys import Key
from core.domain.clock import Clock
from core.domain.models import CustomerId
from core.errors import InvalidFieldsError, InvalidTokenError
from core.settings import Settings

WRITE: Final = "events:write"
READ: Final = "events:read"
SCOPES: Final = (WRITE, READ)

LEEWAY_SECONDS: Final = 30
"""How far in the future `iat` and `nbf` may lie, for clocks that differ. A token's end has no leeway."""

REMEMBERED_SECONDS: Final = 30
"""How long a verification is remembered, also after its key is known to be withdrawn. Whether a token has expired or
its client is disabled is looked at each time."""

_REQUIRED: Final = ["exp", "iat", "iss", "aud", "sub"]
_REMEMBERED_TOKENS: Final = 10_000
_NOT_OURS: Final = "The token is not one of this service: get a new one."


def _split(value: object) -> object:
    return frozenset(value.split()) if isinstance(value, str) else value


def _present(value: object) -> object:
    if value is None:
        raise ValueError("must not be null: a token without a limit leaves the claim out")
    return value


Name = Annotated[StrictStr, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


class Claims(BaseModel):
    """What a verified token says of its bearer."""

    model_config = ConfigDict(frozen=True)

    client: Name
    """Who sent it, as events record it: `sub` of our own tokens, `iss#sub` of others, so that none passes for ours."""
    iss: StrictStr
    sub: Name
    exp: StrictInt
    iat: StrictInt
    nbf: StrictInt = 0
    scope: Annotated[frozenset[str], BeforeValidator(_split)] = frozenset()
    customers: Annotated[tuple[CustomerId, ...] | None, BeforeValidator(_present)] = None

    @property
    def foreign(self) -> bool:
        """Whether the token is of another issuer, so that its subject is none of our clients."""
        return self.client != self.sub

    def may_touch(self, customer_id: int) -> bool:
        """Whether the bearer may write and see events of this customer."""
        return self.customers is None or customer_id in self.customers


class TokenIssuer:
    """Makes signed tokens."""

    def __init__(self, settings: Settings, key: Key, clock: Clock) -> None:
        self._settings = settings
        self._key = key
        self._clock = clock

    def issue(
        self,
        subject: str,
        *,
        valid_minutes: int | None = None,
        scopes: Sequence[str] = SCOPES,
        customers: Sequence[int] | None = None,
    ) -> tuple[str, int]:
        """A token for `subject` and its life in seconds; `customers` None means all.

        Raises:
            InvalidFieldsError: `valid_minutes` is not between 1 and the configured maximum.
        """
        maximum = self._settings.token_max_minutes
        minutes = self._settings.default_token_minutes if valid_minutes is None else valid_minutes
        if not 1 <= minutes <= maximum:
            raise InvalidFieldsError(
                "The token cannot live that long.",
                [{"loc": ["valid_minutes"], "msg": f"must be between 1 and {maximum} minutes"}],
            )
        now = int(self._clock())
        claims: dict[str, object] = {
            "iss": self._settings.jwt_issuer,
            "aud": self._settings.jwt_audience,
            "sub": subject,
            "iat": now,
            "exp": now + minutes * 60,
            "jti": str(uuid.uuid4()),
            "scope": " ".join(scopes),
        }
        if customers is not None:
            claims["customers"] = list(customers)
        key = self._key
        return jwt.encode(claims, key.signing, algorithm=key.algorithm, headers={"kid": key.kid}), minutes * 60


class KeySource(Protocol):
    """Where a verifier looks up the key that a token names."""

    def find(self, kid: str | None) -> Key | None:
        """The key of this name, or None.

        Raises:
            TokenCheckUnavailableError: the keys are not known; trying again later helps.
        """


@dataclass(frozen=True)
class TrustedIssuer:
    """Whose tokens count: `issuer` and `audience` must be in them, and one of `keys` must have signed them."""

    issuer: str
    audience: str
    keys: KeySource
    foreign: bool = False


class TokenVerifier:
    """Checks tokens; remembers the last good ones, since the same token comes with every request of a client."""

    def __init__(
        self,
        issuers: Sequence[TrustedIssuer],
        max_minutes: int,
        clock: Clock,
        is_disabled: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._issuers: Mapping[str, TrustedIssuer] = {trusted.issuer: trusted for trusted in issuers}
        self._max_seconds = max_minutes * 60
        self._clock = clock
        self._is_disabled = is_disabled
        self._verified = lru_cache(maxsize=_REMEMBERED_TOKENS)(self._verify)

    def verify(self, token: str) -> Claims:
        """What the token says, if it is one that counts and is valid now.

        Raises:
            InvalidTokenError: anything is wrong with it; the message says what, and never repeats the token.
            TokenCheckUnavailableError: what it is checked against is not known; trying again later helps.
        """
        now = self._clock()
        claims = self._verified(token, int(now // REMEMBERED_SECONDS))
        if now >= claims.exp:
            raise InvalidTokenError("The token has expired: get a new one.")
        if max(claims.iat, claims.nbf) > now + LEEWAY_SECONDS:
            raise InvalidTokenError("The token is not valid yet: check the clock of the host that made it.")
        if not claims.foreign and self._is_disabled(claims.sub):
            raise InvalidTokenError("The client of this token was disabled.")
        return claims

    def _verify(self, token: str, _period: int) -> Claims:
        """All that holds for a while, whatever the time: `_period` lets the answer be remembered for one."""
        try:
            header: Mapping[str, Any] = jwt.get_unverified_header(token)
            trusted = self._issuer(token)
            key = trusted.keys.find(header.get("kid"))
            if key is None:
                raise InvalidTokenError(_NOT_OURS)
            payload = jwt.decode(
                token,
                key.verifying,
                algorithms=[key.algorithm],
                audience=trusted.audience,
                issuer=trusted.issuer,
                options={"require": _REQUIRED, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
            client = f"{trusted.issuer}#{payload['sub']}" if trusted.foreign else payload["sub"]
            claims = Claims.model_validate({**payload, "client": client})
        except (jwt.InvalidTokenError, ValidationError, ValueError, RecursionError) as exc:
            raise InvalidTokenError(_NOT_OURS) from exc
        if claims.exp - claims.iat > self._max_seconds:
            raise InvalidTokenError("The token lives longer than this service allows: ask for a shorter life.")
        return claims

    def _issuer(self, token: str) -> TrustedIssuer:
        """Whose keys are tried. What the token says of that counts once one of them has verified it."""
        if len(self._issuers) == 1:
            return next(iter(self._issuers.values()))
        issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
        trusted = self._issuers.get(issuer) if isinstance(issuer, str) else None
        if trusted is None:
            raise InvalidTokenError(_NOT_OURS)
        return trusted

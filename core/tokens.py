"""Access tokens: JSON Web Tokens (RFC 7519) used as bearer tokens, issued and verified by the rules of RFC 8725."""

import uuid
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Annotated, Final

import jwt
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, StrictStr, ValidationError

from core.errors import InvalidFieldsError, InvalidTokenError
from core.settings import Settings

WRITE: Final = "events:write"
READ: Final = "events:read"

LEEWAY_SECONDS: Final = 30
"""How far in the future `iat` and `nbf` may lie, for clocks that differ. A token's end has no leeway."""

_ALGORITHM: Final = "HS256"
_REQUIRED: Final = ["exp", "iat", "iss", "aud", "sub"]
_REMEMBERED_TOKENS: Final = 10_000

Clock = Callable[[], float]


def _split(value: object) -> object:
    return frozenset(value.split()) if isinstance(value, str) else value


class Claims(BaseModel):
    """What a verified token says of its bearer."""

    model_config = ConfigDict(frozen=True)

    sub: Annotated[StrictStr, Field(min_length=1, max_length=255)]
    exp: StrictInt
    iat: StrictInt
    nbf: StrictInt = 0
    scope: Annotated[frozenset[str], BeforeValidator(_split)] = frozenset()
    customers: tuple[StrictInt, ...] | None = None

    def may_touch(self, customer_id: int) -> bool:
        """Whether the bearer may write and see events of this customer."""
        return self.customers is None or customer_id in self.customers


class TokenIssuer:
    """Makes signed tokens."""

    def __init__(self, settings: Settings, key: str, clock: Clock) -> None:
        self._settings = settings
        self._key = key
        self._clock = clock

    def issue(
        self,
        subject: str,
        *,
        valid_minutes: int | None = None,
        scopes: Sequence[str] = (WRITE, READ),
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
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM), minutes * 60


class TokenVerifier:
    """Checks tokens; remembers the last good ones, since the same token comes with every request of a client."""

    def __init__(self, settings: Settings, key: str, clock: Clock) -> None:
        self._settings = settings
        self._key = key
        self._clock = clock
        self._verified = lru_cache(maxsize=_REMEMBERED_TOKENS)(self._verify_signature)

    def verify(self, token: str) -> Claims:
        """What the token says, if it is one of ours and valid now.

        Raises:
            InvalidTokenError: anything is wrong with it; the message says what, and never repeats the token.
        """
        claims = self._verified(token)
        now = self._clock()
        if now >= claims.exp:
            raise InvalidTokenError("The token has expired: get a new one.")
        if max(claims.iat, claims.nbf) > now + LEEWAY_SECONDS:
            raise InvalidTokenError("The token is not valid yet: check the clock of the host that made it.")
        return claims

    def _verify_signature(self, token: str) -> Claims:
        """All that does not change with time, so that the answer can be remembered."""
        try:
            payload = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                audience=self._settings.jwt_audience,
                issuer=self._settings.jwt_issuer,
                options={"require": _REQUIRED, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
            claims = Claims.model_validate(payload)
        except (jwt.InvalidTokenError, ValidationError, ValueError, RecursionError) as exc:
            raise InvalidTokenError("The token is not one of this service: get a new one.") from exc
        if claims.exp - claims.iat > self._settings.token_max_minutes * 60:
            raise InvalidTokenError("The token lives longer than this service allows: ask for a shorter life.")
        return claims

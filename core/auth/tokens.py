"""Access tokens: scopes, claims, and an issuer of JSON Web Tokens (RFC 7519) used as bearer tokens."""

import uuid
from collections.abc import Sequence
from typing import Annotated, Final

import jwt
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, StrictStr

from core.auth.keys import Key
from core.domain.clock import Clock
from core.domain.models import CustomerId
from core.errors import InvalidFieldsError
from core.settings import Settings

WRITE: Final = "events:write"
READ: Final = "events:read"
ERASE: Final = "events:erase"
MANAGE_STREAMS: Final = "streams:manage"
DEFAULT_SCOPES: Final = (WRITE, READ)
"""Scopes of a client that is registered without any, and of every token in open mode. Others are granted by name: what
they do cannot be undone, or lets data leave."""
SCOPES: Final = (*DEFAULT_SCOPES, ERASE, MANAGE_STREAMS)


def _split(value: object) -> object:
    return frozenset(value.split()) if isinstance(value, str) else value


def _present(value: object) -> object:
    if value is None:
        raise ValueError("must not be null: a token without a limit leaves the claim out")
    return value


Name = Annotated[StrictStr, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


class Claims(BaseModel):
    """Claims of a verified token."""

    model_config = ConfigDict(frozen=True)

    client: Name
    """Sender as events record it: `sub` of this service's tokens, `iss#sub` of others: never equal."""
    iss: StrictStr
    sub: Name
    exp: StrictInt
    iat: StrictInt
    nbf: StrictInt = 0
    scope: Annotated[frozenset[str], BeforeValidator(_split)] = frozenset()
    customers: Annotated[tuple[CustomerId, ...] | None, BeforeValidator(_present)] = None
    viewer: Name | None = None
    """The person that the token was requested for, in the words of the client; only in tokens of this service."""

    @property
    def foreign(self) -> bool:
        """Whether another issuer made the token, so that its subject is not one of our clients."""
        return self.client != self.sub

    def may_touch(self, customer_id: int) -> bool:
        """Whether the token allows to write and read events of this customer."""
        return self.customers is None or customer_id in self.customers


class TokenIssuer:
    """Issues signed tokens."""

    def __init__(self, settings: Settings, key: Key, clock: Clock) -> None:
        self._settings = settings
        self._key = key
        self._clock = clock

    def issue(  # noqa: PLR0913 - one argument per claim
        self,
        subject: str,
        *,
        valid_minutes: int | None = None,
        scopes: Sequence[str] = DEFAULT_SCOPES,
        customers: Sequence[int] | None = None,
        viewer: str | None = None,
        not_before: int | None = None,
    ) -> tuple[str, int]:
        """Issue a token for `subject`; return it and its lifetime in seconds. `customers` None means all.

        `viewer` is the person that the subject requests it for.

        `iat` is at least `not_before`, the second from which on the subject's tokens are accepted. It may be in the
        future by a second, or by the difference between two hosts' clocks.

        Raises:
            InvalidFieldsError: `valid_minutes` is not between 1 and the configured maximum.
        """
        maximum = self._settings.token_max_minutes
        minutes = self._settings.default_token_minutes if valid_minutes is None else valid_minutes
        if not 1 <= minutes <= maximum:
            raise InvalidFieldsError(
                "The lifetime of the token is out of range.",
                [{"loc": ["valid_minutes"], "msg": f"must be between 1 and {maximum} minutes"}],
            )
        issued_at = max(int(self._clock()), not_before or 0)
        claims: dict[str, object] = {
            "iss": self._settings.jwt_issuer,
            "aud": self._settings.jwt_audience,
            "sub": subject,
            "iat": issued_at,
            "exp": issued_at + minutes * 60,
            "jti": str(uuid.uuid4()),
            "scope": " ".join(scopes),
        }
        if customers is not None:
            claims["customers"] = list(customers)
        if viewer is not None:
            claims["viewer"] = viewer
        key = self._key
        return jwt.encode(claims, key.signing, algorithm=key.algorithm, headers={"kid": key.kid}), minutes * 60

"""The settings of the service, read once from an environment that is passed in."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from core.errors import InvalidSettingsError

PREFIX: Final = "AUDIT_LOG_"
MIN_SECRET_BYTES: Final = 32
"""RFC 7518 section 3.2: a key for HS256 is at least as long as its hash."""

DEFAULT_TOKEN_MINUTES: Final = 1800
_MAKE_ONE: Final = "make one with `openssl rand -base64 48`"
_MIN_DIFFERENT: Final = 10  # characters; 32 random bytes in hex have fewer once in ten million times
_EXAMPLE: Final = re.compile(
    r"change.?me|example|your.?secret|my.?secret|placeholder|password|0123456789|abcdefgh", re.IGNORECASE
)
_ORIGIN: Final = re.compile(r"https?://[^/\s*@?#]+")
_RATE: Final = re.compile(r"[1-9][0-9]{0,8}/(second|minute|hour)")


def _parts(value: str) -> SplitResult:
    try:
        return urlsplit(value)
    except ValueError:  # its message quotes a part of the URL, which may be the password
        return urlsplit("")


def _url_with_scheme(value: str) -> str:
    if not _parts(value).scheme:
        raise ValueError("must be a URL, such as memory:// or sqlite:///var/audit-log.db")
    return value


def _usable_secrets(value: SecretStr) -> SecretStr:
    secrets = value.get_secret_value().split()
    if any(len(secret.encode()) < MIN_SECRET_BYTES for secret in secrets) or not secrets:
        raise ValueError(f"must have at least {MIN_SECRET_BYTES} bytes; {_MAKE_ONE}")
    if any(len(set(secret)) < _MIN_DIFFERENT or _EXAMPLE.search(secret) for secret in secrets):
        raise ValueError(f"looks like an example; {_MAKE_ONE}")
    return value


def _https(value: str) -> str:
    if _parts(value).scheme != "https" or not _parts(value).hostname:
        raise ValueError("must be an https:// URL: keys that came over a plain connection could be anyone's")
    return value


Url = Annotated[str, AfterValidator(_url_with_scheme)]
Secret = Annotated[SecretStr, AfterValidator(_usable_secrets)]
HttpsUrl = Annotated[str, AfterValidator(_https)]


def _rate(value: str) -> str:
    if not _RATE.fullmatch(value):
        raise ValueError("must be a rate, such as 10/minute")
    return value


Rate = Annotated[str, AfterValidator(_rate)]


class Settings(BaseModel):
    """All settings; each is `AUDIT_LOG_` and its name in capitals in the environment. Secrets hide from `repr`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    data_dir: Path = Field(default=Path("var"), description="Directory for the database and the generated secret.")
    database_url: Url | None = Field(
        default=None,
        repr=False,  # it may hold a password, as may those of the queue and of the rate limits
        description="URL of the event store: sqlite, postgresql or mysql; default: SQLite in the data directory.",
    )
    queue_url: Url = Field(
        default="memory://",
        repr=False,
        description="Where accepted events wait: memory:// is this process; amqp://, kafka:// and sqs:// are brokers.",
    )
    spool: Literal["process", "disk", "off"] = Field(
        default="process",
        description="What memory:// outlives: process: a kill of the process, and a power cut but for its last moment; "
        "disk: a power cut too, at the price of speed; off: neither.",
    )
    auth: Literal["open", "clients"] = Field(
        default="open", description="open: anyone on this machine gets a token; clients: registered clients do."
    )
    jwt_secret: Secret | None = Field(
        default=None,
        description="Signs tokens (HS256), at least 32 bytes; default: made once in the data directory. Of several, "
        "separated by spaces, the first signs and all verify.",
    )
    jwt_key_file: Path | None = Field(
        default=None,
        description="PEM file with an Ed25519 or RSA private key that signs tokens instead; further keys only verify.",
    )
    jwt_issuer: str = Field(default="audit-log", min_length=1, description="The `iss` of every token.")
    jwt_audience: str = Field(default="audit-log", min_length=1, description="The `aud` of every token.")
    token_max_minutes: int = Field(
        default=10080, ge=1, le=5_256_000, description="The longest life a token may have, in minutes."
    )
    trusted_issuer: str | None = Field(
        default=None, description="`iss` of an identity provider whose tokens count too."
    )
    trusted_audience: str | None = Field(default=None, description="The `aud` that those tokens must have.")
    trusted_jwks_url: HttpsUrl | None = Field(default=None, description="Where its public keys are; https only.")
    rate_limit_failed_logins: Rate = Field(
        default="10/minute", description="Failed token requests of a client, and of an address."
    )
    rate_limit_requests: Rate | None = Field(default=None, description="Requests of a client; default: no limit.")
    rate_limit_storage: Url = Field(
        default="memory://",
        repr=False,
        description="Where the counts are: memory:// is this process; redis://HOST shares them.",
    )
    cors_origins: tuple[str, ...] = Field(
        default=(), description="Origins whose pages may call the API, separated by spaces; default: none."
    )
    log_format: Literal["console", "json"] = Field(
        default="console", description="console for people, json for machines."
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        return tuple(value.split()) if isinstance(value, str) else value

    @field_validator("cors_origins")
    @classmethod
    def _plain_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not _ORIGIN.fullmatch(origin) for origin in value):
            raise ValueError("must be origins, such as https://console.example.org, without a path and without *")
        return value

    @model_validator(mode="after")
    def _whole_trust(self) -> Self:
        trust = (self.trusted_issuer, self.trusted_audience, self.trusted_jwks_url)
        if any(trust) and not all(trust):
            raise ValueError("AUDIT_LOG_TRUSTED_ISSUER, _AUDIENCE and _JWKS_URL only work together: set all three")
        if self.trusted_issuer == self.jwt_issuer:
            raise ValueError("AUDIT_LOG_TRUSTED_ISSUER must differ from AUDIT_LOG_JWT_ISSUER")
        return self

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read every `AUDIT_LOG_*` variable; an empty one counts as not set.

        Raises:
            InvalidSettingsError: an unknown name (with the nearest known one) or a value that is not accepted. The
                message never contains a value, since a value may be a secret.
        """
        given = {
            name.removeprefix(PREFIX).lower(): value
            for name, value in environ.items()
            if name.startswith(PREFIX) and value
        }
        for name in given.keys() - cls.model_fields.keys():
            import difflib  # noqa: PLC0415 - only for a name that is wrong

            near = difflib.get_close_matches(name, cls.model_fields, n=1)
            hint = f"did you mean {PREFIX}{near[0].upper()}?" if near else "the README lists the settings."
            raise InvalidSettingsError(f"{PREFIX}{name.upper()} is not a setting: {hint}")
        try:
            return cls.model_validate(given)
        except ValidationError as exc:
            raise InvalidSettingsError("; ".join(map(_problem, exc.errors(include_input=False)))) from None

    @property
    def store_url(self) -> str:
        """The SQLAlchemy URL of the event store: the one that was set, or SQLite in the data directory."""
        return self.database_url or f"sqlite:///{self.data_dir / 'audit-log.db'}"

    @property
    def queue_scheme(self) -> str:
        """What kind of queue `queue_url` names: `memory` is inside the process, all others are brokers."""
        return urlsplit(self.queue_url).scheme

    @property
    def default_token_minutes(self) -> int:
        """The life of a token for which nothing was asked."""
        return min(DEFAULT_TOKEN_MINUTES, self.token_max_minutes)


def _problem(error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ")
    return f"{PREFIX}{str(error['loc'][0]).upper()}: {message}" if error["loc"] else message

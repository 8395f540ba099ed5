"""Settings of the service, read from the environment once."""

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
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from core.errors import InvalidSettingsError

PREFIX: Final = "AUDIT_LOG_"
MIN_SECRET_BYTES: Final = 32
"""RFC 7518 section 3.2: an HS256 key must be at least as long as the hash."""

DEFAULT_TOKEN_MINUTES: Final = 1800
_GENERATE_HINT: Final = "make one with `openssl rand -base64 48`"
_MIN_DISTINCT_CHARACTERS: Final = 10  # 32 random bytes in hex have fewer with a probability of one in ten million
_EXAMPLE: Final = re.compile(
    r"change.?me|example|your.?secret|my.?secret|placeholder|password|0123456789|abcdefgh", re.IGNORECASE
)
_ORIGIN: Final = re.compile(r"https?://(?:[a-z0-9._-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")
_LEDGER_ORIGIN: Final = re.compile(r"[^\s+\x00-\x1f\x7f]{1,255}")
_ANCHOR: Final = re.compile(r"log|/\S+|https?://[^\s@]+")
_RATE: Final = re.compile(r"[1-9][0-9]{0,8}/(second|minute|hour)")


def _split_url(value: str) -> SplitResult:
    try:
        return urlsplit(value)
    except ValueError:  # quotes a part of the URL, which may be the password
        return urlsplit("")


def _url_with_scheme(value: str) -> str:
    if not _split_url(value).scheme:
        raise ValueError("must be a URL, such as memory:// or sqlite:///var/audit-log.db")
    return value


def _strong_secrets(value: SecretStr) -> SecretStr:
    secrets = value.get_secret_value().split()
    if any(len(secret.encode()) < MIN_SECRET_BYTES for secret in secrets) or not secrets:
        raise ValueError(f"must have at least {MIN_SECRET_BYTES} bytes; {_GENERATE_HINT}")
    if any(len(set(secret)) < _MIN_DISTINCT_CHARACTERS or _EXAMPLE.search(secret) for secret in secrets):
        raise ValueError(f"looks like an example; {_GENERATE_HINT}")
    return value


def _https(value: str) -> str:
    if _split_url(value).scheme != "https" or not _split_url(value).hostname:
        raise ValueError("must be an https:// URL: keys from an unencrypted connection could be forged")
    return value


def _proxy_url(value: SecretStr) -> SecretStr:
    url = _split_url(value.get_secret_value())
    try:
        is_proxy = url.scheme == "http" and bool(url.hostname) and url.port != 0
    except ValueError:  # quotes a part of the URL, which may be the password
        is_proxy = False
    if not is_proxy or url.path.strip("/") or url.query or url.fragment:
        raise ValueError("must be like http://proxy.example.org:3128, with user and password percent-encoded")
    return value


def _page_url(value: str) -> str:
    url = _split_url(value)
    is_local = url.scheme == "http" and url.hostname in {"127.0.0.1", "localhost", "::1"}
    if not ((url.scheme == "https" and url.hostname) or is_local) or url.query or url.fragment or url.username:
        raise ValueError(
            "must be an https:// URL, such as https://audit.example.org; http:// on a loopback address only"
        )
    return value.rstrip("/")


def _origin(value: str) -> str:
    if not _LEDGER_ORIGIN.fullmatch(value):
        raise ValueError("must be a name without spaces and plus signs, such as audit.example.org/ledger")
    return value


Url = Annotated[str, AfterValidator(_url_with_scheme)]
Secret = Annotated[SecretStr, AfterValidator(_strong_secrets)]
HttpsUrl = Annotated[str, AfterValidator(_https)]


def _rate(value: str) -> str:
    if not _RATE.fullmatch(value):
        raise ValueError("must be a rate, such as 10/minute")
    return value


Rate = Annotated[str, AfterValidator(_rate)]


class Settings(BaseModel):
    """All settings. The variable of each is `AUDIT_LOG_` and its name in capitals. `repr` hides secrets."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    data_dir: Path = Field(default=Path("var"), description="Directory for the database and the generated secret.")
    database_url: Url | None = Field(
        default=None,
        repr=False,  # may contain a password, like the URLs of the queue and of the rate limits
        description="URL of the event store: sqlite, postgresql, mysql, mongodb; default: SQLite in the data folder.",
    )
    queue_url: Url = Field(
        default="memory://",
        repr=False,
        description="URL of the queue: memory:// is inside this process; amqp://, kafka:// and sqs:// are brokers.",
    )
    spool: Literal["process", "disk", "off"] = Field(
        default="process",
        description="Durability of memory://. process: survives a kill of the process, and a power cut except for the "
        "last moment; disk: survives a power cut, but is slower; off: survives neither.",
    )
    auth: Literal["open", "clients"] = Field(
        default="open", description="open: anyone on this machine gets a token; clients: only registered clients do."
    )
    jwt_secret: Secret | None = Field(
        default=None,
        description="Secret that signs tokens (HS256), at least 32 bytes; default: generated in the data directory. "
        "Of several, separated by spaces, the first signs and all verify.",
    )
    jwt_key_file: Path | None = Field(
        default=None,
        description="PEM file with an Ed25519 or RSA private key that signs tokens instead; further keys only verify.",
    )
    jwt_issuer: str = Field(default="audit-log", min_length=1, description="`iss` of all tokens.")
    jwt_audience: str = Field(default="audit-log", min_length=1, description="`aud` of all tokens.")
    token_max_minutes: int = Field(
        default=10080, ge=1, le=5_256_000, description="Maximum lifetime of a token, in minutes."
    )
    trusted_issuer: str | None = Field(
        default=None, description="`iss` of an identity provider whose tokens are accepted as well."
    )
    trusted_audience: str | None = Field(default=None, description="Required `aud` of those tokens.")
    trusted_jwks_url: HttpsUrl | None = Field(default=None, description="URL of its public keys; https only.")
    public_url: Annotated[str, AfterValidator(_page_url)] | None = Field(
        default=None, description="URL of the log viewer as browsers see it, such as https://audit.example.org."
    )
    sign_in_client_id: str | None = Field(
        default=None, description="Client id of the log viewer at the trusted issuer; people sign in there."
    )
    sign_in_client_secret: SecretStr | None = Field(default=None, description="Its secret; default: a public client.")
    sign_in_claim: str = Field(default="roles", min_length=1, description="Claim of the ID token with roles.")
    sign_in_roles: tuple[str, ...] = Field(
        default=(), description="Customers whose events each role may read: NAME=* or NAME=42,43, separated by spaces."
    )
    session_minutes: int = Field(default=60, ge=5, le=1440, description="Lifetime of a person's session, in minutes.")
    rate_limit_failed_logins: Rate = Field(
        default="10/minute", description="Limit for failed token requests of a client, and of an address."
    )
    rate_limit_requests: Rate | None = Field(
        default=None, description="Limit for the requests of a client; default: no limit."
    )
    rate_limit_storage: Url = Field(
        default="memory://",
        repr=False,
        description="Storage of the rate limits: memory:// is inside this process; redis://HOST is shared.",
    )
    ledger: Literal["on", "off"] = Field(
        default="on",
        description="on: events are stored with salted commitments, and form a Merkle tree whose states are signed; "
        "off: they only get an index.",
    )
    ledger_origin: Annotated[str, AfterValidator(_origin)] | None = Field(
        default=None,
        description="Name of the ledger in its checkpoints, such as audit.example.org/ledger; fixed once it is used.",
    )
    ledger_key_file: Path | None = Field(
        default=None,
        description="PEM file with the Ed25519 private key that signs checkpoints; public keys are former ones. "
        "Default: generated in the data directory if the queue is memory://, otherwise nothing is signed here.",
    )
    ledger_seconds: int = Field(default=5, ge=1, le=3600, description="Seconds between two signed checkpoints.")
    ledger_witnesses: Path | None = Field(
        default=None,
        description="Policy file (C2SP tlog-policy) of the witnesses that cosign the checkpoints, with their URLs; the "
        "process that signs asks them.",
    )
    ledger_witness_seconds: int = Field(
        default=60, ge=1, le=86400, description="Seconds between two checkpoints that are sent to the witnesses."
    )
    ledger_anchors: tuple[str, ...] = Field(
        default=(),
        description="Places that get a copy of the newest checkpoint, separated by spaces: `log` is a log record, a "
        "path a file that lines are appended to, a URL an RFC 3161 time stamp authority; default: none.",
    )
    ledger_anchor_seconds: int = Field(
        default=3600, ge=1, le=604800, description="Seconds between two copies of the newest checkpoint."
    )
    secrets_key: Secret | None = Field(
        default=None,
        description="Key that encrypts the secrets of streams, at least 32 bytes; default: generated in the data "
        "directory if the queue is memory:// with a spool. Of several, separated by spaces, the first encrypts and "
        "all decrypt.",
    )
    streams: Literal["on", "off"] = Field(
        default="on",
        description="on: the process that stores events sends streams as well; off: it does not, such as on a host "
        "without a way to the Internet.",
    )
    streams_allow: tuple[IPvAnyNetwork, ...] = Field(
        default=(),
        description="Networks that are not public and that streams may send to, also without TLS, separated by spaces, "
        "such as 10.20.0.0/16; default: none.",
    )
    streams_proxy: Annotated[SecretStr, AfterValidator(_proxy_url)] | None = Field(
        default=None,
        description="URL of the HTTP proxy (CONNECT) that streams go through, except to networks of "
        "AUDIT_LOG_STREAMS_ALLOW, such as http://proxy.example.org:3128; default: none.",
    )
    cors_origins: tuple[str, ...] = Field(
        default=(), description="Origins whose pages may call the API, separated by spaces; default: none."
    )
    embed_origins: tuple[str, ...] = Field(
        default=(), description="Origins whose pages may embed the log viewer, separated by spaces; default: none."
    )
    viewer_events: Literal["on", "off"] = Field(
        default="on", description="on: issuing a token for a viewer is recorded as an event of the customer; off: not."
    )
    catalogue: Path | None = Field(
        default=None,
        description="Directory of EVENT_TYPE.json files: titles, sentences and JSON Schemas of types; default: none.",
    )
    catalogue_strict: Literal["on", "off"] = Field(
        default="off", description="on: events of a type without a file in the catalogue are refused."
    )
    log_format: Literal["console", "json"] = Field(
        default="console", description="console for people, json for machines."
    )

    @field_validator("cors_origins", "embed_origins", "ledger_anchors", "sign_in_roles", "streams_allow", mode="before")
    @classmethod
    def _split_words(cls, value: object) -> object:
        return tuple(value.split()) if isinstance(value, str) else value

    @field_validator("cors_origins", "embed_origins")
    @classmethod
    def _plain_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not _ORIGIN.fullmatch(origin) for origin in value):
            raise ValueError("must be origins in lower case, such as https://console.example.org, without path and *")
        return value

    @field_validator("ledger_anchors")
    @classmethod
    def _known_anchors(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not _ANCHOR.fullmatch(anchor) for anchor in value):
            raise ValueError("must be `log`, absolute paths of files and URLs of time stamp authorities")
        return value

    @model_validator(mode="after")
    def _require_complete_issuer(self) -> Self:
        trust = (self.trusted_issuer, self.trusted_audience, self.trusted_jwks_url)
        if any(trust) and not all(trust):
            raise ValueError("AUDIT_LOG_TRUSTED_ISSUER, _AUDIENCE and _JWKS_URL only work together: set all three")
        if self.sign_in_client_id and not (all(trust) and self.public_url and self.sign_in_roles):
            raise ValueError(
                "AUDIT_LOG_SIGN_IN_CLIENT_ID needs AUDIT_LOG_TRUSTED_ISSUER, AUDIT_LOG_PUBLIC_URL and _SIGN_IN_ROLES"
            )
        if self.trusted_issuer == self.jwt_issuer:
            raise ValueError("AUDIT_LOG_TRUSTED_ISSUER must differ from AUDIT_LOG_JWT_ISSUER")
        return self

    @model_validator(mode="after")
    def _require_named_ledger(self) -> Self:
        if self.ledger_key_file and not self.ledger_origin:
            raise ValueError("AUDIT_LOG_LEDGER_KEY_FILE needs AUDIT_LOG_LEDGER_ORIGIN, the name that the key signs for")
        return self

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read all `AUDIT_LOG_*` variables. An empty variable counts as not set.

        Raises:
            InvalidSettingsError: an unknown name (the message suggests the nearest known one) or an invalid value. The
                message never contains a value, which may be a secret.
        """
        values = {
            name.removeprefix(PREFIX).lower(): value
            for name, value in environ.items()
            if name.startswith(PREFIX) and value
        }
        for name in values.keys() - cls.model_fields.keys():
            import difflib  # noqa: PLC0415 - only for an unknown name

            near = difflib.get_close_matches(name, cls.model_fields, n=1)
            hint = f"did you mean {PREFIX}{near[0].upper()}?" if near else "docs/reference/settings.md lists all."
            raise InvalidSettingsError(f"{PREFIX}{name.upper()} is not a setting: {hint}")
        try:
            return cls.model_validate(values)
        except ValidationError as exc:
            raise InvalidSettingsError("; ".join(map(_problem, exc.errors(include_input=False)))) from None

    @property
    def store_url(self) -> str:
        """SQLAlchemy URL of the event store; by default SQLite in the data directory."""
        return self.database_url or f"sqlite:///{self.data_dir / 'audit-log.db'}"

    @property
    def queue_scheme(self) -> str:
        """Scheme of `queue_url`."""
        return urlsplit(self.queue_url).scheme

    @property
    def queue_in_process(self) -> bool:
        """Whether the queue is inside the process that accepts events (`memory://`), and not a broker."""
        return self.queue_scheme == "memory"

    @property
    def has_ledger(self) -> bool:
        """Whether events are committed to, and can be proven."""
        return self.ledger == "on"

    @property
    def default_token_minutes(self) -> int:
        """Lifetime of a token whose request names none, in minutes."""
        return min(DEFAULT_TOKEN_MINUTES, self.token_max_minutes)


def _problem(error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ")
    return f"{PREFIX}{str(error['loc'][0]).upper()}: {message}" if error["loc"] else message

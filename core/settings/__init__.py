"""Settings of the service, read from the environment once."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails

from core.errors import InvalidSettingsError
from core.settings.values import (
    Anchors,
    HttpsUrl,
    LedgerOrigin,
    Networks,
    Origins,
    PageUrl,
    ProxyUrl,
    Rate,
    Secrets,
    Url,
    Words,
)

PREFIX: Final = "AUDIT_LOG_"
DEFAULT_TOKEN_MINUTES: Final = 1800


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
    jwt_secret: Secrets | None = Field(
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
    public_url: PageUrl | None = Field(
        default=None, description="URL of the log viewer as browsers see it, such as https://audit.example.org."
    )
    sign_in_client_id: str | None = Field(
        default=None, description="Client id of the log viewer at the trusted issuer; people sign in there."
    )
    sign_in_client_secret: SecretStr | None = Field(default=None, description="Its secret; default: a public client.")
    sign_in_claim: str = Field(default="roles", min_length=1, description="Claim of the ID token with roles.")
    sign_in_roles: Words = Field(
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
    ledger_origin: LedgerOrigin | None = Field(
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
    ledger_anchors: Anchors = Field(
        default=(),
        description="Places that get a copy of the newest checkpoint, separated by spaces: `log` is a log record, a "
        "path a file that lines are appended to, a URL an RFC 3161 time stamp authority; default: none.",
    )
    ledger_anchor_seconds: int = Field(
        default=3600, ge=1, le=604800, description="Seconds between two copies of the newest checkpoint."
    )
    secrets_key: Secrets | None = Field(
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
    streams_allow: Networks = Field(
        default=(),
        description="Networks that are not public and that streams may send to, also without TLS, separated by spaces, "
        "such as 10.20.0.0/16; default: none.",
    )
    streams_proxy: ProxyUrl | None = Field(
        default=None,
        description="URL of the HTTP proxy (CONNECT) that streams go through, except to networks of "
        "AUDIT_LOG_STREAMS_ALLOW, such as http://proxy.example.org:3128; default: none.",
    )
    cors_origins: Origins = Field(
        default=(), description="Origins whose pages may call the API, separated by spaces; default: none."
    )
    embed_origins: Origins = Field(
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
        """Read all `AUDIT_LOG_*` variables, without white space around the values. An empty one counts as not set.

        Raises:
            InvalidSettingsError: an unknown name (the message suggests the nearest known one) or an invalid value. The
                message never contains a value, which may be a secret.
        """
        values = {
            name.removeprefix(PREFIX).lower(): value.strip()
            for name, value in environ.items()
            if name.startswith(PREFIX) and value.strip()  # a file of variables from Windows ends its lines with CR
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

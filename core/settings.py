"""The settings of the service, read once from an environment that is passed in."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from core.errors import InvalidSettingsError

PREFIX: Final = "AUDIT_LOG_"
MIN_SECRET_BYTES: Final = 32
"""RFC 7518 section 3.2: a key for HS256 is at least as long as its hash."""

DEFAULT_TOKEN_MINUTES: Final = 1800


def _url_with_scheme(value: str) -> str:
    try:
        scheme = urlsplit(value).scheme
    except ValueError:  # its message quotes a part of the URL, which may be the password
        scheme = ""
    if not scheme:
        raise ValueError("must be a URL, such as memory:// or sqlite:///var/audit-log.db")
    return value


def _long_enough(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value().encode()) < MIN_SECRET_BYTES:
        raise ValueError(f"must have at least {MIN_SECRET_BYTES} bytes; make one with `openssl rand -base64 48`")
    return value


Url = Annotated[str, AfterValidator(_url_with_scheme)]
Secret = Annotated[SecretStr, AfterValidator(_long_enough)]


class Settings(BaseModel):
    """All settings; each is `AUDIT_LOG_` and its name in capitals in the environment. Secrets hide from `repr`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    data_dir: Path = Field(default=Path("var"), description="Directory for the database and the generated secret.")
    database_url: Url | None = Field(
        default=None,
        repr=False,  # may hold a password, like the next
        description="SQLAlchemy URL of the event store; default: SQLite in the data directory.",
    )
    queue_url: Url = Field(
        default="memory://", repr=False, description="Where accepted events wait; memory:// is this process."
    )
    auth: Literal["open"] = Field(default="open", description="open: anyone on this machine gets a token.")
    jwt_secret: Secret | None = Field(
        default=None, description="Signs tokens (HS256), at least 32 bytes; default: made once in the data directory."
    )
    jwt_issuer: str = Field(default="audit-log", min_length=1, description="The `iss` of every token.")
    jwt_audience: str = Field(default="audit-log", min_length=1, description="The `aud` of every token.")
    token_max_minutes: int = Field(
        default=10080, ge=1, le=5_256_000, description="The longest life a token may have, in minutes."
    )
    log_format: Literal["console", "json"] = Field(
        default="console", description="console for people, json for machines."
    )

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
            near = difflib.get_close_matches(name, cls.model_fields, n=1)
            hint = f"did you mean {PREFIX}{near[0].upper()}?" if near else "the README lists the settings."
            raise InvalidSettingsError(f"{PREFIX}{name.upper()} is not a setting: {hint}")
        try:
            return cls.model_validate(given)
        except ValidationError as exc:
            problems = (
                f"{PREFIX}{str(error['loc'][0]).upper()}: {error['msg'].removeprefix('Value error, ')}"
                for error in exc.errors(include_input=False, include_url=False)
            )
            raise InvalidSettingsError("; ".join(problems)) from None

    @property
    def store_url(self) -> str:
        """The SQLAlchemy URL of the event store: the one that was set, or SQLite in the data directory."""
        return self.database_url or f"sqlite:///{self.data_dir / 'audit-log.db'}"

    @property
    def default_token_minutes(self) -> int:
        """The life of a token for which nothing was asked."""
        return min(DEFAULT_TOKEN_MINUTES, self.token_max_minutes)

"""Fields that the settings of several kinds of destinations have: URLs and headers."""

import re
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StrictStr

from core.streams.endpoint import MAX_URL_LENGTH, parse_endpoint

MAX_HEADERS: Final = 20
_MAX_HEADER_LENGTH: Final = 4_000
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,100}")
_HEADER_VALUE: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_RESERVED: Final = {"host", "connection", "content-length", "content-encoding", "transfer-encoding", "expect", "te"}
_RESERVED_PREFIXES: Final = ("webhook-", "proxy-")


def _endpoint(value: str) -> str:
    parse_endpoint(value)
    return value


def _headers(value: object) -> object:
    """Check headers as a whole: the place of an error would repeat a name, which may be a secret in the wrong place."""
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ValueError('must be an object of names and values, such as {"Authorization": "Bearer ..."}')
    if len(value) > MAX_HEADERS:
        raise ValueError(f"must have at most {MAX_HEADERS} headers")
    for name in value:
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError("must have names of letters, digits and hyphens")
        if name.lower() in _RESERVED or name.lower().startswith(_RESERVED_PREFIXES):
            raise ValueError("must not have headers that the service sets, such as Host")
    return value


def header_value(value: SecretStr) -> SecretStr:
    """Check the value of a header. Raises ValueError."""
    text = value.get_secret_value()
    if len(text) > _MAX_HEADER_LENGTH or not _HEADER_VALUE.fullmatch(text):
        raise ValueError(f"must have at most {_MAX_HEADER_LENGTH} visible ASCII characters, and no space at its ends")
    return value


EndpointUrl = Annotated[
    StrictStr,
    Field(
        max_length=MAX_URL_LENGTH,
        description="URL that requests are sent to; https only, unless the operator allows its network.",
    ),
    AfterValidator(_endpoint),
]
Headers = Annotated[
    dict[StrictStr, Annotated[SecretStr, AfterValidator(header_value)]],
    Field(description="Headers of each request, such as Authorization. They are secret."),
    BeforeValidator(_headers),
]


def revealed(headers: dict[str, SecretStr]) -> dict[str, str]:
    """The headers with their values, for a request."""
    return {name: value.get_secret_value() for name, value in headers.items()}

"""Types of the values of settings, with their checks. No message quotes a value, which may be a secret."""

import re
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, IPvAnyNetwork, SecretStr

MIN_SECRET_BYTES: Final = 32
"""RFC 7518 section 3.2: an HS256 key must be at least as long as the hash."""

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


def _https(value: str) -> str:
    if _split_url(value).scheme != "https" or not _split_url(value).hostname:
        raise ValueError("must be an https:// URL: keys from an unencrypted connection could be forged")
    return value


def _page_url(value: str) -> str:
    url = _split_url(value)
    is_local = url.scheme == "http" and url.hostname in {"127.0.0.1", "localhost", "::1"}
    if not ((url.scheme == "https" and url.hostname) or is_local) or url.query or url.fragment or url.username:
        raise ValueError(
            "must be an https:// URL, such as https://audit.example.org; http:// on a loopback address only"
        )
    return value.rstrip("/")


def _proxy_url(value: SecretStr) -> SecretStr:
    url = _split_url(value.get_secret_value())
    try:
        is_proxy = url.scheme == "http" and bool(url.hostname) and url.port != 0
    except ValueError:  # quotes a part of the URL, which may be the password
        is_proxy = False
    if not is_proxy or url.path.strip("/") or url.query or url.fragment:
        raise ValueError("must be like http://proxy.example.org:3128, with user and password percent-encoded")
    return value


def _strong_secrets(value: SecretStr) -> SecretStr:
    secrets = value.get_secret_value().split()
    if any(len(secret.encode()) < MIN_SECRET_BYTES for secret in secrets) or not secrets:
        raise ValueError(f"must have at least {MIN_SECRET_BYTES} bytes; {_GENERATE_HINT}")
    if any(len(set(secret)) < _MIN_DISTINCT_CHARACTERS or _EXAMPLE.search(secret) for secret in secrets):
        raise ValueError(f"looks like an example; {_GENERATE_HINT}")
    return value


def _rate(value: str) -> str:
    if not _RATE.fullmatch(value):
        raise ValueError("must be a rate, such as 10/minute")
    return value


def _ledger_origin(value: str) -> str:
    if not _LEDGER_ORIGIN.fullmatch(value):
        raise ValueError("must be a name without spaces and plus signs, such as audit.example.org/ledger")
    return value


def _split_words(value: object) -> object:
    return tuple(value.split()) if isinstance(value, str) else value


def _plain_origins(value: tuple[str, ...]) -> tuple[str, ...]:
    if any(not _ORIGIN.fullmatch(origin) for origin in value):
        raise ValueError("must be origins in lower case, such as https://console.example.org, without path and *")
    return value


def _known_anchors(value: tuple[str, ...]) -> tuple[str, ...]:
    if any(not _ANCHOR.fullmatch(anchor) for anchor in value):
        raise ValueError("must be `log`, absolute paths of files and URLs of time stamp authorities")
    return value


Url = Annotated[str, AfterValidator(_url_with_scheme)]
HttpsUrl = Annotated[str, AfterValidator(_https)]
PageUrl = Annotated[str, AfterValidator(_page_url)]
"""URL of a page as browsers see it, without a slash at its end."""
ProxyUrl = Annotated[SecretStr, AfterValidator(_proxy_url)]
Secrets = Annotated[SecretStr, AfterValidator(_strong_secrets)]
"""One secret, or several separated by spaces."""
Rate = Annotated[str, AfterValidator(_rate)]
LedgerOrigin = Annotated[str, AfterValidator(_ledger_origin)]
Words = Annotated[tuple[str, ...], BeforeValidator(_split_words)]
Networks = Annotated[tuple[IPvAnyNetwork, ...], BeforeValidator(_split_words)]
Origins = Annotated[Words, AfterValidator(_plain_origins)]
"""Web origins (RFC 6454 section 6.1)."""
Anchors = Annotated[Words, AfterValidator(_known_anchors)]

"""URLs that streams send to: one strict reading of them, so that no two parsers disagree about the host."""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from core.streams.networks import Address

MAX_URL_LENGTH: Final = 2048
_PORTS: Final = {"http": 80, "https": 443}

_VISIBLE: Final = re.compile(r"[!$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]+")
"""The characters of RFC 3986 without `#`: a fragment would not be sent."""
_LABEL: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_BRACKETED: Final = re.compile(r"\[[0-9A-Fa-f:.]+\](?::[0-9]*)?")
_NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_EXAMPLE: Final = "must be like https://siem.example.org/path"
_MAX_NAME: Final = 253  # RFC 1035 section 2.3.4, without the dot at the end


class Endpoint(NamedTuple):
    """A URL in its parts. `host` is a name, or an address without brackets; `target` is path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def address(self) -> Address | None:
        """The address, if the URL has one in the place of a name."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None

    @property
    def authority(self) -> str:
        """Host, and port unless it is that of the scheme, as in the header Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def parse_endpoint(url: str) -> Endpoint:
    """Parse an http:// or https:// URL.

    Raises:
        ValueError: it is another text, names a user, or has a host in a spelling that programs read in different ways.
            The message never contains the URL, which may have a token in it.
    """
    if len(url) > MAX_URL_LENGTH:
        raise ValueError(f"must have at most {MAX_URL_LENGTH} characters")
    if not _VISIBLE.fullmatch(url):
        raise ValueError(
            "must have visible ASCII characters only and no fragment: percent-encode others, and write names with "
            "other letters as xn--..."
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # quotes a part of the URL
        raise ValueError(_EXAMPLE) from None
    if parts.scheme not in _PORTS or not parts.hostname or port == 0:
        raise ValueError(_EXAMPLE)
    if "@" in parts.netloc:
        raise ValueError("must not have a user or a password: put the secret into a header")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Endpoint(parts.scheme, _host(parts.hostname, parts.netloc), port or _PORTS[parts.scheme], target)


def _host(host: str, netloc: str) -> str:
    """Check a host. An address must be in its canonical form: 0x7f.1 and 2130706433 are 127.0.0.1 to some programs."""
    try:
        if "[" in netloc:  # urlsplit passes over text around the brackets
            if not _BRACKETED.fullmatch(netloc):
                raise _unusual_host()
            return str(IPv6Address(host))
        labels = host.removesuffix(".").split(".")
        if _NUMBER.fullmatch(labels[-1]):
            return str(IPv4Address(host))
    except AddressValueError:
        raise _unusual_host() from None
    if len(host) > _MAX_NAME or host.endswith(".") or not all(_LABEL.fullmatch(label) for label in labels):
        raise _unusual_host()
    return host


def _unusual_host() -> ValueError:
    return ValueError(
        "must have a host that is a name without a dot at its end, four decimal numbers such as 198.51.100.7, or an "
        "IPv6 address in brackets"
    )

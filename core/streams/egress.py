"""Outbound HTTP of streams, to URLs that customers choose.

The host is resolved once. All of its addresses must be permitted, and the connection goes to the very address that was
checked, so that a second answer of the resolver has no effect (DNS rebinding). TLS is verified for the name. Redirects
are not followed, variables such as HTTPS_PROXY are not read, and time and size of an exchange are bounded. With a proxy
(`core.streams.proxy`) all of that holds as well: the tunnel leads to the address that was checked.

No message of an error contains a part of the answer or of the URL: both are under the control of others.
"""

import contextlib
import http.client
import io
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from ipaddress import ip_address
from typing import Any, Final, NamedTuple

from core.errors import DeliveryDelayedError, MisconfiguredError
from core.streams.dialing import CONNECT_SECONDS, SocketAddress, dial_directly, dial_first, time_left
from core.streams.endpoint import Endpoint, parse_endpoint
from core.streams.networks import Address, Network, is_permitted, is_within
from core.streams.proxy import Proxy, ProxyError

MAX_BODY_BYTES: Final = 64 * 1024
_MAX_READ_BYTES: Final = 2 * MAX_BODY_BYTES  # with the status line and the headers
TOTAL_SECONDS: Final = 30.0
_MAX_DIGITS: Final = 9
_READ_BYTES: Final = 4096
_HEADERS: Final = {"Connection": "close", "User-Agent": "audit-log"}

Resolver = Callable[[str, int], Sequence[SocketAddress]]
"""Returns the socket addresses of a host and a port. Raises OSError."""


class Answer(NamedTuple):
    """An answer of any status.

    Attributes:
        status: The HTTP status.
        retry_after: The pause that the endpoint asks for, in seconds, not negative; None if it asks for none.
        body: What arrived of the body within `MAX_BODY_BYTES` and the time limit. Never to be shown or logged.
    """

    status: int
    retry_after: int | None
    body: bytes


def resolve(host: str, port: int) -> list[SocketAddress]:
    """Ask the resolver of the operating system, whose own time limit applies. Raises OSError."""
    return [found[4] for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Egress:
    """Sends requests to endpoints. Safe to use from several threads."""

    def __init__(
        self,
        allowed: Sequence[Network] = (),
        *,
        proxy: Proxy | None = None,
        resolver: Resolver = resolve,
        context: ssl.SSLContext | None = None,
    ) -> None:
        """Create it.

        Args:
            allowed: Networks that the operator allows, where http:// is possible too.
            proxy: Way to all other networks; default: none is needed.
            resolver: Resolves names.
            context: Has the trusted authorities; default: those of the system, or of SSL_CERT_FILE.
        """
        self._allowed = tuple(allowed)
        self._proxy = proxy
        self._resolve = resolver
        self._context = cache(lambda: context or ssl.create_default_context())  # reads all authorities: 30 ms

    def check(self, url: str) -> None:
        """Check a URL as far as that is possible without the network, for a stream that is defined.

        Raises:
            MisconfiguredError: the URL can never be connected to.
        """
        endpoint = _parse(url)
        if endpoint.address is not None:
            self._require_permitted(endpoint, [endpoint.address])
        elif endpoint.scheme == "http" and not self._allowed:
            raise _unencrypted()

    def proxy_url(self, url: str) -> str | None:
        """Return the URL of the proxy, credentials included, for another library; None: `url` is reached without it."""
        if self._proxy is None:
            return None
        endpoint = _parse(url)
        try:
            found = [ip_address(place[0]) for place in self._resolve(endpoint.host, endpoint.port)]
        except (OSError, ValueError):
            found = []
        is_near = bool(found) and all(is_within(address, self._allowed) for address in found)
        return None if is_near else self._proxy.url

    def post(self, url: str, body: bytes, headers: Mapping[str, str], timeout: float = TOTAL_SECONDS) -> Answer:
        """Send `body` and return the answer, whatever its status. `timeout` limits the exchange, in seconds.

        Raises:
            MisconfiguredError: the URL is wrong, leads to an address that is not permitted, or the certificate is not
                valid. Nothing was sent.
            DeliveryDelayedError: no connection, or no answer in time. The request may have arrived.
        """
        endpoint = _parse(url)
        addresses = self._addresses(endpoint)
        deadline = time.monotonic() + timeout
        try:
            with self._connected(endpoint, addresses, deadline) as sock:
                return _exchange(_BoundedSocket(sock, deadline), endpoint, body, headers)
        except ssl.SSLCertVerificationError:
            raise MisconfiguredError(
                "The certificate of the endpoint is not valid for its name, or its authority is not trusted."
            ) from None
        except TimeoutError:
            raise DeliveryDelayedError("The endpoint did not answer in time.") from None
        except ProxyError as exc:
            raise DeliveryDelayedError(str(exc)) from None
        except (OSError, http.client.HTTPException, ValueError):
            raise DeliveryDelayedError("The endpoint cannot be reached, or does not speak HTTP.") from None

    def _addresses(self, endpoint: Endpoint) -> list[SocketAddress]:
        """Resolve the host, and check every address. The result has no names, only checked addresses."""
        try:
            found = self._resolve(endpoint.host, endpoint.port)
            addresses = [ip_address(address[0]) for address in found]
        except (OSError, ValueError):  # a name that IDNA excludes is a ValueError
            addresses = []
        if not addresses:
            raise DeliveryDelayedError("The name of the endpoint has no address: check the URL and the resolver.")
        self._require_permitted(endpoint, addresses)
        checked = zip(addresses, found, strict=True)
        return [(str(address), endpoint.port, *place[2:]) for address, place in checked]

    def _require_permitted(self, endpoint: Endpoint, addresses: Sequence[Address]) -> None:
        if not all(is_permitted(address, self._allowed) for address in addresses):
            raise MisconfiguredError(
                "The URL leads to an address that is not public: only the operator can allow its network, by "
                "AUDIT_LOG_STREAMS_ALLOW."
            )
        if endpoint.scheme == "http" and not all(is_within(address, self._allowed) for address in addresses):
            raise _unencrypted()

    def _connected(self, endpoint: Endpoint, addresses: Sequence[SocketAddress], deadline: float) -> socket.socket:
        """Connect to the first address that accepts, with TLS for https."""
        plain = dial_first(addresses, deadline, self._dial)
        try:
            plain.settimeout(min(CONNECT_SECONDS, time_left(deadline)))
            is_encrypted = endpoint.scheme == "https"
            return self._context().wrap_socket(plain, server_hostname=endpoint.host) if is_encrypted else plain
        except OSError:
            plain.close()
            raise

    def _dial(self, address: SocketAddress, end: float) -> socket.socket:
        """Implement `Dial`: directly into the networks that the operator allows, to others through the proxy."""
        if self._proxy is None or is_within(ip_address(address[0]), self._allowed):
            return dial_directly(address, end)
        return self._proxy.dial(address, end)


class _BoundedSocket:
    """As much of a socket as http.client uses, with a deadline for all of it and a limit to its input."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._sock.settimeout(time_left(self._deadline))
            rest = rest[self._sock.send(rest) :]

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_BoundedReader(self._sock, self._deadline))

    def close(self) -> None:
        """Leave the socket open: http.client closes it before the body is read, and `Egress` afterwards."""


class _BoundedReader(io.RawIOBase):
    """Reads from a socket until the deadline, and at most `_MAX_READ_BYTES`."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline
        self._left = _MAX_READ_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(time_left(self._deadline))
        count = self._sock.recv_into(buffer)
        self._left -= count
        if self._left < 0:
            raise OSError("the answer is too large")
        return count


def _exchange(sock: _BoundedSocket, endpoint: Endpoint, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Send a request and read its answer. Raises OSError, HTTPException."""
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port)
    connection.sock = sock
    with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
        # An endpoint may answer and close before it has read everything, as one that refuses large bodies does.
        connection.request("POST", endpoint.target, body, {**headers, **_HEADERS, "Host": endpoint.authority})
    response = connection.getresponse()
    content = b""
    with contextlib.suppress(OSError, http.client.HTTPException):  # the status counts, even if the body does not end
        while len(content) < MAX_BODY_BYTES and (part := response.read(_READ_BYTES)):
            content += part
    return Answer(response.status, retry_after(response.headers.get("Retry-After"), datetime.now(UTC)), content)


def retry_after(value: str | None, now: datetime) -> int | None:
    """Parse Retry-After (RFC 9110 section 10.2.3), a number of seconds or a date, into seconds from `now`."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return int(text[:_MAX_DIGITS])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # OverflowError: a number in it is larger than any date has
        return None
    return max(0, int((moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()))


def _parse(url: str) -> Endpoint:
    try:
        return parse_endpoint(url)
    except ValueError as exc:
        raise MisconfiguredError(f"The URL {exc}.") from None


def _unencrypted() -> MisconfiguredError:
    return MisconfiguredError(
        "The URL must begin with https://: http:// is possible only in networks of AUDIT_LOG_STREAMS_ALLOW."
    )

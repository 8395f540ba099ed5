"""HTTP proxy of the operator that streams go through: tunnels by CONNECT (RFC 9110 section 9.3.6).

A tunnel is asked for to an address that was checked, and not to a name: a proxy that resolved the name would decide by
itself what it connects to, and could be led to its own neighbours. TLS begins inside the tunnel, so that the proxy sees
the name of the endpoint (in the TLS handshake) and neither the request nor the answer.
"""

import base64
import socket
from typing import Final, NamedTuple, Self
from urllib.parse import unquote, urlsplit

from core.streams.dialing import SocketAddress, time_left

_MAX_HEAD_BYTES: Final = 8192
_END_OF_HEAD: Final = b"\r\n\r\n"
_PORT: Final = 80
_AUTHENTICATION_REQUIRED: Final = 407
_UNREACHABLE: Final = "The proxy of AUDIT_LOG_STREAMS_PROXY cannot be reached, or does not speak HTTP."


class ProxyError(OSError):
    """The proxy is unreachable or refuses. The message has no text of the proxy, and neither its URL."""


class Proxy(NamedTuple):
    """A proxy. `authorization` is the value of Proxy-Authorization; None if it asks for none."""

    url: str
    host: str
    port: int
    authorization: str | None

    @classmethod
    def parse(cls, url: str) -> Self:
        """Take the valid value of a setting: http://HOST:PORT or http://USER:PASSWORD@HOST:PORT, percent-encoded."""
        parts = urlsplit(url)
        authorization = None
        if parts.username is not None:
            credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"  # RFC 7617
            authorization = f"Basic {base64.b64encode(credentials.encode()).decode()}"
        return cls(url, parts.hostname or "", parts.port or _PORT, authorization)

    def __repr__(self) -> str:
        """Leave the credentials out."""
        return f"Proxy({self.host}:{self.port})"

    def dial(self, address: SocketAddress, end: float) -> socket.socket:
        """Implement `Dial`: open a tunnel to an address.

        Raises:
            ProxyError: the proxy is unreachable, or opens no tunnel to the address.
            TimeoutError: it did not answer in time.
        """
        sock = self._connect(end)
        try:
            sock.settimeout(time_left(end))
            sock.sendall(self._request(address))
            _require_tunnel(_read_head(sock, end))
        except OSError:
            sock.close()
            raise
        return sock

    def _connect(self, end: float) -> socket.socket:
        try:
            return socket.create_connection((self.host, self.port), time_left(end))
        except TimeoutError:
            raise
        except (OSError, ValueError):  # a name that IDNA excludes is a ValueError
            raise ProxyError(_UNREACHABLE) from None

    def _request(self, address: SocketAddress) -> bytes:
        host, port = address[:2]
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        if self.authorization:
            lines.append(f"Proxy-Authorization: {self.authorization}")
        return "\r\n".join([*lines, "", ""]).encode()


def _read_head(sock: socket.socket, end: float) -> bytes:
    """Read up to the end of the head, and no byte of what follows it, which belongs to the tunnel."""
    head = bytearray()
    while not head.endswith(_END_OF_HEAD):
        sock.settimeout(time_left(end))
        byte = sock.recv(1)
        if not byte or len(head) >= _MAX_HEAD_BYTES:
            raise ProxyError(_UNREACHABLE)
        head += byte
    return bytes(head)


def _require_tunnel(head: bytes) -> None:
    version, _, rest = head.partition(b" ")
    status = rest[:3]
    if not version.startswith(b"HTTP/1.") or not status.isdigit():
        raise ProxyError(_UNREACHABLE)
    if int(status) == _AUTHENTICATION_REQUIRED:
        raise ProxyError("The proxy does not accept the user and the password in AUDIT_LOG_STREAMS_PROXY (407).")
    if not status.startswith(b"2"):
        raise ProxyError(f"The proxy of AUDIT_LOG_STREAMS_PROXY does not connect to the endpoint ({int(status)}).")

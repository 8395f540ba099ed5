"""A tiny HTTP client that sends bytes as they are: also those that a proper client refuses to send."""

import contextlib
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPMessage, HTTPResponse

from tests.support.waiting import SECONDS


@dataclass(frozen=True)
class Answer:
    status: int
    headers: HTTPMessage
    body: bytes


def request(method: str, target: str, lines: Sequence[str] = (), body: bytes = b"") -> bytes:
    """A request with header `lines`, each sent in Latin-1 as it is; only missing lines are added."""
    head = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *lines]
    if body and not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in lines):
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def exchange(port: int, sent: bytes, *, half_close: bool = False) -> Answer | None:
    """Send on a separate connection; None when it is closed without an answer. `half_close`: no more will come."""
    with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
        # A server that has seen enough answers and closes before it has read everything.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(sent)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        response = HTTPResponse(connection, method=sent.split(b" ", 1)[0].decode("latin-1"))
        try:
            response.begin()
            return Answer(response.status, response.headers, response.read())
        except ConnectionResetError:
            return None
        finally:
            response.close()


def chunked(*chunks: bytes) -> bytes:
    """A body in chunks, for `Transfer-Encoding: chunked`."""
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))

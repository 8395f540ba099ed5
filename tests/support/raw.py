"""Bytes to and from a server, for requests that no HTTP library would send."""

import re
import socket

from tests.support.waiting import SECONDS


def connect(port: int, request: bytes = b"") -> socket.socket:
    """A connection on which these bytes were sent, and nothing more."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
    connection.sendall(request)
    return connection


def exchange(port: int, request: bytes) -> bytes:
    """Everything that comes back until the server closes the connection; TimeoutError if it does not."""
    with connect(port, request) as connection:
        return read_to_end(connection)


def read_to_end(connection: socket.socket) -> bytes:
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass  # a server that closes without having read everything
    return b"".join(parts)


def statuses(answer: bytes) -> list[int]:
    """The status of each response in it."""
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answer)]


def post_event(token: str, *headers: bytes, body: bytes = b"") -> bytes:
    """POST /event with these header lines and these bytes after them."""
    fixed = [
        b"POST /event HTTP/1.1",
        b"Host: localhost",
        b"Content-Type: application/json",
        b"Authorization: Bearer " + token.encode(),
    ]
    return b"\r\n".join([*fixed, *headers, b"", body])

"""An HTTP proxy for CONNECT on loopback: it records what it is asked for, and relays bytes that it remembers."""

import base64
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from tests.support.waiting import SECONDS

_REASONS = {200: "Connection established", 403: "Forbidden", 407: "Proxy Authentication Required", 502: "Bad Gateway"}


class Asked(NamedTuple):
    """A request. The names of headers are in lower case."""

    line: str
    headers: dict[str, str]


class ConnectProxy:
    """Leads each target, such as `192.0.2.7:443`, to the loopback port that `routes` has for it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.routes: dict[str, int] = {}
        """Targets that are not in it are answered by 502."""
        self.credentials: tuple[str, str] | None = None
        """User and password without which it answers 407."""
        self.answer: Callable[[Asked], int | bytes] = lambda _asked: 200
        """Status, or bytes in the place of a whole answer, of requests that it could serve otherwise."""
        self.asked: list[Asked] = []
        self.relayed = bytearray()
        """The bytes of all tunnels, in both directions."""

    def serve(self, client: socket.socket) -> None:
        asked = _read(client)
        self.asked.append(asked)
        answer = self._answer(asked)
        if isinstance(answer, bytes):
            client.sendall(answer)
            return
        body = b"canary-of-the-proxy" if answer != 200 else b""
        reason = _REASONS.get(answer, "canary-of-the-proxy")
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        client.sendall(f"HTTP/1.1 {answer} {reason}\r\n{length}\r\n".encode() + body)
        if answer == 200:
            with socket.create_connection(("127.0.0.1", self.routes[asked.line.split()[1]]), SECONDS) as server:
                back = threading.Thread(target=self._relay, args=(server, client))
                back.start()
                self._relay(client, server)
                back.join(SECONDS)

    def _answer(self, asked: Asked) -> int | bytes:
        if self.credentials is not None:
            expected = f"Basic {base64.b64encode(':'.join(self.credentials).encode()).decode()}"
            if asked.headers.get("proxy-authorization") != expected:
                return 407
        answer = self.answer(asked)
        method, target, _ = asked.line.split()
        return 502 if answer == 200 and (method != "CONNECT" or target not in self.routes) else answer

    def _relay(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self.relayed += data
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


def _read(client: socket.socket) -> Asked:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        part = client.recv(65536)
        if not part:
            raise ConnectionError
        head += part
    line, *headers = head.decode().strip().split("\r\n")
    named = (header.partition(": ") for header in headers)
    return Asked(line, {name.lower(): value for name, _, value in named})


@contextmanager
def connect_proxy() -> Iterator[ConnectProxy]:
    """A proxy on a free port. It serves one connection at a time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = ConnectProxy(listener.getsockname()[1])
        has_ended = threading.Event()

        def serve() -> None:
            while not has_ended.is_set():
                with suppress(OSError):
                    client, _ = listener.accept()
                    with client:
                        client.settimeout(SECONDS)
                        proxy.serve(client)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield proxy
        finally:
            has_ended.set()
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", proxy.port), SECONDS).close()  # wakes `accept`
            thread.join(SECONDS)

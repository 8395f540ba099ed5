"""HTTP endpoints on loopback that record requests, and answer them as a test asks."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from tests.support.waiting import SECONDS


class Received(NamedTuple):
    """A request. The names of headers are in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


class Reply(NamedTuple):
    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


OK = Reply()


class Receiver:
    """Answers every request by `reply`, which a test may replace at any time."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[Received] = []
        self.reply: Callable[[Received], Reply] = lambda _request: OK


@contextmanager
def receiver(context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """An endpoint with the URL http://127.0.0.1:PORT; with a context, https://localhost:PORT."""

    class Handler(BaseHTTPRequestHandler):
        timeout = SECONDS

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            received = Received(self.path, headers, body)
            running.requests.append(received)
            reply = running.reply(received)
            self.send_response(reply.status)
            for name, value in reply.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that ends the connection is part of a test."""

    server = Server(("127.0.0.1", 0), Handler)
    port = server.server_address[1]
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    running = Receiver(f"https://localhost:{port}" if context else f"http://127.0.0.1:{port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join(SECONDS)
        server.server_close()


def while_patient() -> Iterator[None]:
    """Repeat for as long as a client that never ends its connection is waited for."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        yield


@contextmanager
def raw_endpoint(talk: Callable[[socket.socket], object]) -> Iterator[str]:
    """The URL of a server that reads a part of one request, and then does `talk` with the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(SECONDS)

        def serve() -> None:
            try:
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(SECONDS)
                    connection.recv(65536)
                    talk(connection)
            except OSError:
                pass  # the client has ended the connection, as it should

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join(SECONDS)

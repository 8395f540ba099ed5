"""A page of another origin that embeds the log viewer, with its backend, as docs/guides/embed.md has both."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from tests.support.waiting import SECONDS

HTML = "text/html; charset=utf-8"


@dataclass
class HostPage:
    """A server on loopback: pages by their paths, and a backend at /audit-token that counts its answers."""

    pages: dict[str, str]
    token: Callable[[], object]
    """Gives the JSON of /audit-token; text and bytes are sent as they are, in place of JSON."""
    url: str = ""
    asked: list[str] = field(default_factory=list)
    """Paths that were asked for."""

    def answer(self, path: str) -> tuple[int, str, bytes]:
        self.asked.append(path)
        if path == "/audit-token":
            given = self.token()
            body = given if isinstance(given, str) else json.dumps(given)
            return 200, "application/json" if body.startswith("{") else HTML, body.encode()
        page = self.pages.get(path)
        return (404, "text/plain", b"") if page is None else (200, HTML, page.encode())

    @property
    def tokens(self) -> int:
        return self.asked.count("/audit-token")


@contextmanager
def serving(host: HostPage) -> Iterator[HostPage]:
    """Serve the page on a free port of loopback until the block is left."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, content_type, body = host.answer(self.path.partition("?")[0])
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    host.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
        thread.join(SECONDS)

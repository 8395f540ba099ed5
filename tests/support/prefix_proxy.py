"""A reverse proxy that serves a service below a path: it removes the path, and may name it in X-Forwarded-Prefix."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx

from tests.support.waiting import SECONDS

_HOP_BY_HOP = {"connection", "content-length", "host", "transfer-encoding", "date", "server"}


@contextmanager
def prefix_proxy(target: str, prefix: str, *, names_prefix: bool) -> Iterator[str]:
    """Serve `target`, a URL, below `prefix` on a free port of the loopback; yields the URL with the prefix."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.path.startswith(f"{prefix}/"):
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
            headers |= {"Accept-Encoding": "identity", **({"X-Forwarded-Prefix": prefix} if names_prefix else {})}
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer = httpx.request(
                self.command, target + self.path.removeprefix(prefix), headers=headers, content=body, timeout=SECONDS
            )
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in _HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_POST = do_GET  # noqa: N815 - as above

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{prefix}"
    finally:
        server.shutdown()
        server.server_close()

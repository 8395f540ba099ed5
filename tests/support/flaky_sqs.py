"""A proxy of the SQS-compatible server that can make entries of a batch fail."""

import json
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx

from tests.support.sqs import server
from tests.support.waiting import SECONDS


class FlakySQS:
    """Forwards requests. In the next `partial` batches every other entry fails."""

    def __init__(self) -> None:
        self.partial = 0
        self.is_senders_fault = False
        self.requests: Counter[str] = Counter()
        """Number of requests, by operation."""
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, answer = gateway._answer(self.headers["X-Amz-Target"].partition(".")[2], body)
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.0")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *_arguments: object) -> None:  # noqa: A002 - the library's name
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, args=[0.02], daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, operation: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.requests[operation] += 1
        failed: list[dict[str, Any]] = []
        if "Entries" in body and self.partial > 0:
            self.partial -= 1
            omitted, body["Entries"] = body["Entries"][::2], body["Entries"][1::2]
            failed = [
                {"Id": entry["Id"], "Code": "InternalError", "SenderFault": self.is_senders_fault} for entry in omitted
            ]
            if not body["Entries"]:
                return 200, {"Successful": [], "Failed": failed}
        headers = {"X-Amz-Target": f"AmazonSQS.{operation}", "Content-Type": "application/x-amz-json-1.0"}
        forwarded = httpx.post(server(), json=body, headers=headers, timeout=SECONDS)
        answer: dict[str, Any] = forwarded.json()
        if failed:
            answer["Failed"] = [*answer.get("Failed", []), *failed]
        return forwarded.status_code, answer

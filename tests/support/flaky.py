"""An HTTP service that fails on demand: it keeps accepted events, and responds as the test has set."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import httpx

Fault = Callable[[httpx.Request], httpx.Response]


def status(code: int, **headers: str) -> Fault:
    return lambda _request: httpx.Response(
        code, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


class FlakyService:
    """Gives tokens and takes batches. `faults` come first, one a request; of `lost_answers` the events are kept."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.lost_answers = 0
        self.events: dict[str, dict[str, Any]] = {}
        self.batches: list[int] = []
        self.tokens: list[str] = []
        self.expires_in = 3600
        self.transport = httpx.MockTransport(self._answer)

    def revoke(self) -> None:
        """Let no token that was given count any more."""
        self.tokens.append("none that was given")

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.faults:
            return self.faults.pop(0)(request)
        if request.url.path in {"/access-token", "/oauth2/token"}:
            self.tokens.append(uuid.uuid4().hex)
            return httpx.Response(200, json={"access_token": self.tokens[-1], "expires_in": self.expires_in})
        if request.headers["Authorization"] != f"Bearer {self.tokens[-1]}":
            return httpx.Response(401, json={"detail": "The token has expired."})
        return self._take([json.loads(line) for line in request.content.splitlines()], request)

    def _take(self, events: list[dict[str, Any]], request: httpx.Request) -> httpx.Response:
        self.batches.append(len(events))
        good = {index: event for index, event in enumerate(events) if event["event_type"] != "bad"}
        bad = [{"loc": ["event_type"], "msg": "is bad"}]
        self.events |= {event["event_id"]: event for event in good.values()}
        if self.lost_answers:
            self.lost_answers -= 1
            raise httpx.ReadTimeout("no answer", request=request)
        if not good:
            errors = [{"loc": ["events", index, "event_type"], "msg": "is bad"} for index in range(len(events))]
            return httpx.Response(422, json={"detail": "No event is valid.", "errors": errors})
        accepted = [{"index": index, "event_id": event["event_id"]} for index, event in good.items()]
        rejected = [{"index": index, "errors": bad} for index in range(len(events)) if index not in good]
        return httpx.Response(202, json={"accepted": accepted, "rejected": rejected})

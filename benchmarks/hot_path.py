"""Where the time of an accepted event goes: `python -m benchmarks.hot_path`, a few seconds.

Every step of `POST /event` by itself, from the WSGI environ to the answer, in microseconds: the least of several runs.
"""

from __future__ import annotations

import secrets
import tempfile
import timeit
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import uuid_utils
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from benchmarks.load import bodies
from core.auth.tokens import WRITE
from core.domain import strict_json
from core.settings import Settings
from core.wiring import Services
from functions.create_event import create_event
from functions.http.bearer import authenticate
from functions.http.event_intake import EventIntake
from functions.http.media_types import JSON, media_type
from functions.http.request import Request
from functions.http.request_body import validate_event
from local_runner.aws_events import proxy_event
from local_runner.http.application import Application
from local_runner.http.codec import encode_response
from local_runner.queue.memory import InMemoryQueue
from local_runner.spool.disk_spool import DiskSpool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CALLS = 5_000
NEW_TOKENS = 12_000
"""In rotation they are new each time: more than a process remembers."""


def main() -> None:
    """Print a table."""
    table = Table("step", "microseconds", box=None)
    with tempfile.TemporaryDirectory() as folder:
        spool = DiskSpool(Path(folder) / "spool", "process")
        for name, step in steps(spool):
            table.add_row(name, f"{min(timeit.repeat(step, number=CALLS, repeat=5)) / CALLS * 1e6:.2f}")
        spool.close()
    Console().print(table)


def steps(spool: DiskSpool) -> Iterator[tuple[str, Callable[[], object]]]:
    """Each step with its name, on one event."""
    services = Services(Settings(jwt_secret=SecretStr(secrets.token_urlsafe(48))), publisher=_queue())
    application = Application(services)
    body = bodies(1)[0].encode()
    received = _received(services, body)
    event = proxy_event.build_proxy_event(received, request_id="r", resource="/event", path_parameters=None)
    request = Request.from_event(event)
    posted = strict_json.loads(body)
    claims = authenticate(request, services, WRITE)
    accepted = EventIntake(claims, services, None).add(posted, len(body))
    proxy = create_event(request, services).to_proxy("r")
    answer = proxy_event.parse_proxy_response(proxy)
    defaults = [(b"date", b"Tue, 24 Nov 2026 20:00:00 GMT")]
    spooled, off = _queue(spool), _queue()

    yield "id of the request", lambda: str(uuid_utils.uuid4())
    yield (
        "proxy event from the HTTP request",
        lambda: proxy_event.build_proxy_event(received, request_id="r", resource="/event", path_parameters=None),
    )
    yield "request from the proxy event", lambda: Request.from_event(event)
    yield "token, verified before", lambda: authenticate(request, services, WRITE)
    new_tokens = cycle(services.issuer.issue(f"client-{number}")[0] for number in range(NEW_TOKENS))
    yield "token, new", lambda: services.verifier.verify(next(new_tokens))
    yield "media type", lambda: media_type(request, JSON)
    yield "JSON, strictly", lambda: strict_json.loads(body)
    yield "fields", lambda: validate_event(posted, len(body))
    yield (
        "fields, id and receive time of the event",
        lambda: EventIntake(claims, services, None).add(posted, len(body)),
    )
    yield "JSON of the event", accepted.to_json
    yield "into the queue, without a spool", lambda: off.publish([accepted])
    yield "into the queue, with the spool", lambda: spooled.publish([accepted])
    yield "the whole application, without a spool", lambda: application.answer(received)
    yield "bytes of the answer", lambda: encode_response(answer, defaults, keep_alive=True)


class _Nowhere:
    """Dead letters that do not come."""

    def add(self, messages: object) -> None:
        """Take none."""


def _queue(spool: DiskSpool | None = None) -> InMemoryQueue:
    return InMemoryQueue(_Nowhere(), spool=spool)


def _received(services: Services, body: bytes) -> proxy_event.HTTPRequest:
    headers = {
        "Host": ["127.0.0.1:8000"],
        "Content-Length": [str(len(body))],
        "Content-Type": ["application/json"],
        "Authorization": [f"Bearer {services.issuer.issue('bench')[0]}"],
    }
    return proxy_event.HTTPRequest("POST", "/event", "", headers, body, "127.0.0.1")


if __name__ == "__main__":
    main()

"""Where the CPU time of accepting goes: `python -m benchmarks.hot_path`, a minute.

64 connections send 1,000 events with 100 tokens in rotation, in turns of one event loop, without sockets and into a
queue that keeps nothing. Each row is a longer part of the path than the row before; the rows take turns, and each shows
the least of six. The batches of `POST /events`, a catalogue and new tokens follow in separate tables.
"""

from __future__ import annotations

import gc
import json
import logging
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table

from benchmarks.load import batches, bodies
from benchmarks.server_path import RESPONSE, NoHandler, ServerPath, nothing, requests_of, services
from core.auth.tokens import WRITE
from core.domain import strict_json
from functions.create_event import create_event
from functions.create_events import create_events
from functions.http import event_batch
from functions.http.bearer import authenticate
from functions.http.content_coding import decode_body
from functions.http.event_intake import EventIntake
from functions.http.limits import MAX_BODY_BYTES
from functions.http.media_types import JSON, media_type
from functions.http.request_body import idempotency_key, validate_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from core.wiring import Services
    from functions.http.request import Request
    from functions.http.response import Response

ROUNDS: Final = 6
NEW_TOKENS: Final = 4_000
EVENTS: Final = 10_000  # of one round


def _token(request: Request, services: Services) -> Response:
    authenticate(request, services, WRITE)
    decode_body(request, MAX_BODY_BYTES)
    media_type(request, JSON)
    idempotency_key(request)
    return RESPONSE


def _json(request: Request, services: Services) -> Response:
    _token(request, services)
    strict_json.loads(request.body)
    return RESPONSE


def _fields(request: Request, services: Services) -> Response:
    _token(request, services)
    validate_event(strict_json.loads(request.body), len(request.body))
    return RESPONSE


def _accept(request: Request, services: Services) -> Response:
    claims = authenticate(request, services, WRITE)
    body = decode_body(request, MAX_BODY_BYTES)
    media_type(request, JSON)
    EventIntake(claims, services, idempotency_key(request)).add(strict_json.loads(body), len(body))
    return RESPONSE


def _batch_json(request: Request, services: Services) -> Response:
    _token(request, services)
    event_batch.items(request.body)
    return RESPONSE


def _print(title: str, paths: dict[str, Callable[[], float]], per: int) -> None:
    """Take the turns, and print the microseconds of each row and its difference to the row before."""
    spent: dict[str, list[float]] = {name: [] for name in paths}
    for run in paths.values():
        run()
    for _ in range(ROUNDS):
        for name, run in paths.items():
            spent[name].append(run() / per * 1e6)
    table = Table(title, "µs", "more", box=None)
    before = 0.0
    for name, values in spent.items():
        table.add_row(name, f"{min(values):.1f}", f"{min(values) - before:+.1f}")
        before = min(values)
    Console().print(table, "")


def _write_catalogue(folder: Path, posted: Iterable[str]) -> None:
    """Write a schema that asks for each member of the events, with its type, as if derived from them."""
    types = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", type(None): "null"}

    def schema(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            return {"type": types[type(value)]}
        properties = {name: schema(member) for name, member in value.items()}
        return {"type": "object", "required": list(value), "properties": properties, "additionalProperties": False}

    for body in posted:
        event = json.loads(body)
        (folder / f"{event['event_type']}.json").write_text(json.dumps(schema(event["event_data"])))


def _new_tokens() -> float:
    verifying = services()
    tokens = [verifying.issuer.issue(f"client-{number}")[0] for number in range(NEW_TOKENS)]
    verify = verifying.verifier.verify
    started = time.thread_time()
    for token in tokens:
        verify(token)
    return time.thread_time() - started


def main() -> None:
    """Print five tables."""
    logging.disable(logging.CRITICAL)
    gc.freeze()
    gc.set_threshold(50_000)  # as `tune_memory` sets it
    single = {
        "connection, parser, bytes of the answer": ServerPath("/event", None),
        "id, proxy event, metrics, access log": ServerPath("/event", nothing, NoHandler()),
        "handler: request, response": ServerPath("/event", nothing),
        "token, media type": ServerPath("/event", _token),
        "strict JSON": ServerPath("/event", _json),
        "fields": ServerPath("/event", _fields),
        "id and receive time of the event": ServerPath("/event", _accept),
        "JSON of the event, publish, answer": ServerPath("/event", create_event),
    }
    requests = requests_of("/event", bodies(), EVENTS)
    _print("POST /event", {name: partial(path.seconds, requests) for name, path in single.items()}, EVENTS)
    in_batches = {
        "up to the token": ServerPath("/events", _token),
        "strict JSON": ServerPath("/events", _batch_json),
        "all": ServerPath("/events", create_events),
    }
    posted = requests_of("/events", batches(1_000), EVENTS // 1_000 * 4)
    _print(
        "POST /events, an event of 1,000",
        {name: partial(path.seconds, posted) for name, path in in_batches.items()},
        len(posted) * 1_000,
    )
    with TemporaryDirectory() as folder:
        _write_catalogue(Path(folder), bodies())
        checked = {
            "without a catalogue": ServerPath("/event", create_event),
            "each event checked by its schema": ServerPath("/event", create_event, catalogue=Path(folder)),
        }
        _print("POST /event", {name: partial(path.seconds, requests) for name, path in checked.items()}, EVENTS)
    accepting = ServerPath("/event", create_event)
    new = requests_of("/event", bodies(), 2 * EVENTS, 2 * EVENTS)  # more than a verifier remembers
    _print(
        "POST /event",
        {
            "100 tokens in rotation": partial(accepting.seconds, requests * 2),
            "every token new": partial(accepting.seconds, new),
        },
        len(new),
    )
    _print("Token", {"verified for the first time": _new_tokens}, NEW_TOKENS)


if __name__ == "__main__":
    main()

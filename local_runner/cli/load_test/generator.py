"""Load generator: posts events over many connections, then reads back every accepted one.

It uses only the HTTP contract, so it can load any implementation. A POST is never retried: a refusal is a result.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

from local_runner.cli.load_test.results import Check, LoadPlan, LoadReport, LoadTestError, Measurements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BODIES: Final = 1_000
_PAGE_SIZE: Final = 100
_POLL_SECONDS: Final = 0.05
_PROGRESS_INTERVAL: Final = 50  # requests
_TIMEOUT: Final = ClientTimeout(total=30)
_JSON: Final = {"Content-Type": "application/json"}
_REFUSED: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


async def run(plan: LoadPlan, on_progress: Callable[[int], None]) -> LoadReport:
    """Post the planned events over keep-alive connections, then look for every accepted one.

    Args:
        plan: What to send where.
        on_progress: Called now and then with the number of requests finished so far.

    Raises:
        LoadTestError: The service cannot be reached, issues no token, or refuses the given one.
    """
    event_type = f"load-test.{secrets.token_hex(8)}"  # unique, so that the check reads the events of this run only
    token = await _gain_access(plan, event_type)
    async with _session(plan, {"Authorization": f"Bearer {token}"}) as session:
        measurements = Measurements()
        bodies = _bodies(event_type)
        turns = iter(range(plan.requests))  # shared: each connection takes the next turn when it is free
        started = time.perf_counter()
        async with asyncio.TaskGroup() as connections:
            for _ in range(plan.connections):
                connections.create_task(_keep_posting(session, bodies, turns, measurements, on_progress))
        seconds = time.perf_counter() - started
        on_progress(measurements.finished)
        check = await _look_for(session, event_type, measurements.ids.copy(), plan.patience_seconds)
    return measurements.report(seconds, check)


def _session(plan: LoadPlan, headers: dict[str, str] | None = None) -> ClientSession:
    url = plan.base_url.rstrip("/") + "/"
    connector = TCPConnector(limit=plan.connections)
    return ClientSession(url, connector=connector, cookie_jar=DummyCookieJar(), headers=headers, timeout=_TIMEOUT)


async def _gain_access(plan: LoadPlan, event_type: str) -> str:
    """Return a token, after checking that the service answers and lets it read the events of this run."""
    try:
        async with _session(plan) as session:
            token = plan.token or await _request_token(plan, session)
            query, headers = {"event_type": event_type}, {"Authorization": f"Bearer {token}"}
            async with session.get("event", params=query, headers=headers) as response:
                status = response.status
    except ValueError as exc:  # includes aiohttp.InvalidURL
        raise LoadTestError(f"--url or --token is malformed ({exc}): pass an address like http://host:port.") from exc
    except (ClientError, TimeoutError) as exc:
        raise LoadTestError(
            f"No service answers at {plan.base_url} ({type(exc).__name__}): start it with `make run`, or pass another "
            "--url."
        ) from exc
    if status in _REFUSED:
        raise LoadTestError(
            f"{plan.base_url} refuses the token ({status}): pass --token with one that has the scopes events:write and "
            "events:read."
        )
    return token


async def _request_token(plan: LoadPlan, session: ClientSession) -> str:
    async with session.get("access-token", params={"valid_minutes": "60"}) as response:
        token = _member(await response.read(), "token")
    if response.status in _REFUSED:
        raise LoadTestError(f"{plan.base_url} issues tokens to registered clients only: pass one with --token.")
    if not isinstance(token, str):
        raise LoadTestError(
            f"{plan.base_url} answered {response.status} to GET /access-token, without a token: check that --url is an "
            "audit log service, or pass --token."
        )
    return token


async def _keep_posting(
    session: ClientSession,
    bodies: list[bytes],
    turns: Iterator[int],
    measurements: Measurements,
    on_progress: Callable[[int], None],
) -> None:
    """Post one event after the other, which keeps one connection busy."""
    for turn in turns:
        started = time.perf_counter()
        try:
            async with session.post("event", data=bodies[turn % _BODIES], headers=_JSON) as response:
                body = await response.read()
        except (ClientError, TimeoutError) as exc:
            measurements.transport_errors[type(exc).__name__] += 1
        else:
            measurements.latencies.append(time.perf_counter() - started)
            measurements.statuses[response.status] += 1
            if response.status == HTTPStatus.ACCEPTED:
                measurements.ids.add(str(_member(body, "event_id")))
        if measurements.finished % _PROGRESS_INTERVAL == 0:
            on_progress(measurements.finished)


async def _look_for(session: ClientSession, event_type: str, absent: set[str], patience: float) -> Check:
    """Read events back until none of `absent` is missing, or for `patience` seconds without a new one of them."""
    started = last_found = time.monotonic()
    cursor = None
    while absent:
        page = await _read_page(session, event_type, cursor)
        if page is not None:
            ids, following = page
            if not absent.isdisjoint(ids):
                absent -= ids
                last_found = time.monotonic()
            moved, cursor = following not in {None, cursor}, following
            if moved or not absent:
                continue
        # After the last page the next round begins at the first again: an event may become visible late and yet sort
        # before those already read.
        if time.monotonic() - last_found >= patience:
            return Check(len(absent), answered=page is not None, seconds_until_visible=None)
        await asyncio.sleep(_POLL_SECONDS)
    return Check(0, answered=True, seconds_until_visible=time.monotonic() - started)


async def _read_page(session: ClientSession, event_type: str, cursor: str | None) -> tuple[set[str], str | None] | None:
    """Return the ids of a page and the cursor of the next one; None while the service cannot answer."""
    query = {"event_type": event_type, "order": "asc", "limit": str(_PAGE_SIZE)}
    try:
        async with session.get("event", params=query if cursor is None else query | {"cursor": cursor}) as response:
            body = await response.read()
    except (ClientError, TimeoutError):
        return None
    if response.status != HTTPStatus.OK:
        return None
    return {event["event_id"] for event in _member(body, "events") or ()}, _member(body, "next_cursor")


def _member(body: bytes, name: str) -> Any:
    """Return a member of a JSON object; None if it has no such member, or the body is no JSON object."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return document.get(name) if isinstance(document, dict) else None


def _bodies(event_type: str) -> list[bytes]:
    """Encode events in advance, so that the timed loop spends its processor time on requests."""
    return [
        orjson.dumps(
            {
                "event_type": event_type,
                "customer_id": 1 + number % 50,
                "timestamp_utc": int(time.time()) - number % 600,
                "event_data": {
                    "action": ("created", "updated", "deleted", "viewed")[number % 4],
                    "actor": {"username": f"user-{number % 97}", "roles": ["admin", "billing"][: 1 + number % 2]},
                    "target": {"kind": "invoice", "id": number},
                    "request": {"ip": f"192.0.2.{number % 256}", "succeeded": number % 7 != 0},
                },
            }
        )
        for number in range(_BODIES)
    ]

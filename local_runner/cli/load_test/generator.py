"""The engine behind `audit-log load-test`: post many events, then prove that every accepted one was stored.

It speaks only HTTP, to anything that keeps the contract, and never retries a POST: a refusal is a result to be counted.
"""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BODIES = 1_000
_PAGE = 100
_PAUSE_SECONDS = 0.05
_PROGRESS_EVERY = 50
_TIMEOUT = ClientTimeout(total=30)
_JSON = {"Content-Type": "application/json"}
_OK, _ACCEPTED = 200, 202
_REFUSED = (401, 403)


class LoadTestError(Exception):
    """The load could not be tried or checked: the message is for the person at the keyboard and says what to do."""


@dataclass(frozen=True)
class LoadPlan:
    """What to send where. Without a token, one is asked for at the service's token endpoint."""

    base_url: str
    requests: int
    connections: int
    token: str | None = field(default=None, repr=False)
    patience_seconds: float = 30.0  # how long the check waits for one more event to appear


@dataclass(frozen=True)
class LoadReport:
    """What happened. Latencies are those of answered requests, in milliseconds."""

    requests: int
    seconds: float
    rate: float  # accepted events per second: a quick refusal is no throughput
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    statuses: dict[int, int]
    transport_errors: dict[str, int]
    accepted: int
    stored: int  # accepted events that were read back
    missing: int
    seconds_until_visible: float | None  # from the last answer until all accepted events could be read; None: never


@dataclass
class _Tally:
    latencies: array[float] = field(default_factory=lambda: array("d"))
    statuses: Counter[int] = field(default_factory=Counter)
    transport_errors: Counter[str] = field(default_factory=Counter)
    ids: set[str] = field(default_factory=set)

    @property
    def finished(self) -> int:
        return len(self.latencies) + self.transport_errors.total()


async def run(plan: LoadPlan, on_progress: Callable[[int], None]) -> LoadReport:
    """Post the planned events over keep-alive connections, then look for every accepted one.

    Args:
        plan: What to send where.
        on_progress: Called now and then with the number of requests finished so far.

    Raises:
        LoadTestError: The service cannot be reached, gives no token, or refuses the one it got.
    """
    event_type = f"load-test.{secrets.token_hex(8)}"  # nobody else's: the check reads this run's events only
    token = await _gain_access(plan, event_type)
    async with _session(plan, {"Authorization": f"Bearer {token}"}) as session:
        tally = _Tally()
        bodies = _bodies(event_type)
        turns = iter(range(plan.requests))  # shared: each connection takes the next turn when it is free
        started = time.perf_counter()
        async with asyncio.TaskGroup() as connections:
            for _ in range(plan.connections):
                connections.create_task(_keep_posting(session, bodies, turns, tally, on_progress))
        seconds = time.perf_counter() - started
        on_progress(tally.finished)
        absent = tally.ids.copy()
        until_visible = await _wait_for_all(session, event_type, absent, plan.patience_seconds)
    return _report(tally, seconds, len(absent), until_visible)


def _session(plan: LoadPlan, headers: dict[str, str] | None = None) -> ClientSession:
    url = plan.base_url.rstrip("/") + "/"
    connector = TCPConnector(limit=plan.connections)
    return ClientSession(url, connector=connector, cookie_jar=DummyCookieJar(), headers=headers, timeout=_TIMEOUT)


async def _gain_access(plan: LoadPlan, event_type: str) -> str:
    """Find out before the load that the service is there and lets us read what we are going to write."""
    try:
        async with _session(plan) as session:
            token = plan.token or await _ask_for_token(plan, session)
            query, headers = {"event_type": event_type}, {"Authorization": f"Bearer {token}"}
            async with session.get("event", params=query, headers=headers) as response:
                status = response.status
    except ValueError as exc:  # aiohttp.InvalidURL is one, too
        raise LoadTestError(f"--url or --token is malformed ({exc}): pass an address like http://host:port") from exc
    except (ClientError, TimeoutError) as exc:
        message = f"No service answers at {plan.base_url}: start it with `make run`, or pass another --url"
        raise LoadTestError(f"{message} ({type(exc).__name__})") from exc
    if status in _REFUSED:
        message = f"{plan.base_url} refuses the token ({status})"
        raise LoadTestError(f"{message}: pass --token with one that has the scopes events:write and events:read")
    return token


async def _ask_for_token(plan: LoadPlan, session: ClientSession) -> str:
    async with session.get("access-token", params={"valid_minutes": "60"}) as response:
        token = _member(await response.read(), "token")
    if response.status in _REFUSED:
        raise LoadTestError(f"{plan.base_url} gives tokens to known clients only: pass one with --token")
    if not isinstance(token, str):
        message = f"{plan.base_url} answered {response.status} to GET /access-token, without a token"
        raise LoadTestError(f"{message}: check that --url is an audit log service, or pass --token")
    return token


async def _keep_posting(
    session: ClientSession, bodies: list[bytes], turns: Iterator[int], tally: _Tally, on_progress: Callable[[int], None]
) -> None:
    """Post one event after the other, which keeps one connection busy."""
    for turn in turns:
        started = time.perf_counter()
        try:
            async with session.post("event", data=bodies[turn % _BODIES], headers=_JSON) as response:
                answer = await response.read()
        except (ClientError, TimeoutError) as exc:
            tally.transport_errors[type(exc).__name__] += 1
        else:
            tally.latencies.append(time.perf_counter() - started)
            tally.statuses[response.status] += 1
            if response.status == _ACCEPTED:
                tally.ids.add(str(_member(answer, "event_id")))
        if tally.finished % _PROGRESS_EVERY == 0:
            on_progress(tally.finished)


async def _wait_for_all(session: ClientSession, event_type: str, absent: set[str], patience: float) -> float | None:
    """Take the ids that can be read back out of `absent`; return how long that took, or None if some never appeared."""
    started = last_found = time.monotonic()
    cursor = None
    while absent:
        page = await _page(session, event_type, cursor)
        if page is not None:
            ids, following = page
            if not absent.isdisjoint(ids):
                absent -= ids
                last_found = time.monotonic()
            moved, cursor = following not in {None, cursor}, following
            if moved or not absent:
                continue
        # Nothing more to read for now. After a last page the next round begins at the front again: an event may become
        # visible late and yet sort before those already read.
        if time.monotonic() - last_found >= patience:
            return None
        await asyncio.sleep(_PAUSE_SECONDS)
    return time.monotonic() - started


async def _page(session: ClientSession, event_type: str, cursor: str | None) -> tuple[set[str], str | None] | None:
    """Read the ids on a page and the cursor of the next one; None if the service cannot answer just now."""
    query = {"event_type": event_type, "order": "asc", "limit": str(_PAGE)}
    try:
        async with session.get("event", params=query if cursor is None else query | {"cursor": cursor}) as response:
            answer = await response.read()
    except (ClientError, TimeoutError):
        return None
    if response.status != _OK:
        return None
    return {event["event_id"] for event in _member(answer, "events") or ()}, _member(answer, "next_cursor")


def _member(answer: bytes, name: str) -> Any:
    """Return a member of the JSON object in an answer; None if it is not there, or the answer is no such object."""
    try:
        document = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return None
    return document.get(name) if isinstance(document, dict) else None


def _bodies(event_type: str) -> list[bytes]:
    """Encode the events beforehand, so that the timed loop spends its share of the processor on requests."""
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


def _report(tally: _Tally, seconds: float, absent: int, until_visible: float | None) -> LoadReport:
    accepted = tally.statuses[_ACCEPTED]
    stored = len(tally.ids) - absent
    ordered = sorted(tally.latencies)
    return LoadReport(
        requests=tally.finished,
        seconds=seconds,
        rate=accepted / seconds,
        p50_ms=_percentile_ms(ordered, 50),
        p95_ms=_percentile_ms(ordered, 95),
        p99_ms=_percentile_ms(ordered, 99),
        max_ms=_percentile_ms(ordered, 100),
        statuses=dict(tally.statuses),
        transport_errors=dict(tally.transport_errors),
        accepted=accepted,
        stored=stored,
        missing=accepted - stored,  # an id given to two events counts too: only one of them can have been stored
        seconds_until_visible=until_visible if accepted else None,
    )


def _percentile_ms(ordered: list[float], percent: int) -> float:
    """Nearest rank: a latency that some request really had."""
    return 1_000 * ordered[math.ceil(len(ordered) * percent / 100) - 1] if ordered else 0.0

"""The yardstick: the audit log's API as a strong team would write it with FastAPI, pyjwt, uvicorn and SQLite.

No deliberate slowness: endpoints that wait for nothing, rows written by one thread in chunks of whatever has gathered,
composite indexes, keyset paging, reads off the event loop. It promises less than the real service: an accepted event is
only in memory until its chunk is stored, a chunk that SQLite refuses is lost, and scopes and request ids are left out.
"""

import argparse
import queue
import secrets
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import jwt
import orjson
import uuid_utils
import uvicorn
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.exceptions import HTTPException as AnyHTTPException

CHUNK = 1_000
COUNT_LIMIT = 10_000
PAGE_LIMIT = 100
QUEUE_LIMIT = 100_000
PARTY = "audit-log"
REQUIRED: Any = {"require": ["exp", "iat", "iss", "aud", "sub"]}
SECRET = secrets.token_bytes(32)
JOURNAL_MODE = "wal"

COLUMNS = "event_id, event_type, customer_id, timestamp_utc, event_data, received_at, recorded_by"
INSERT = f"INSERT OR IGNORE INTO events ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608  # constants
SCHEMA = """
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS events (
    event_id TEXT PRIMARY KEY, event_type TEXT NOT NULL, customer_id INTEGER NOT NULL, timestamp_utc INTEGER NOT NULL,
    event_data TEXT NOT NULL, received_at TEXT NOT NULL, recorded_by TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS by_time ON events (timestamp_utc, event_id);
CREATE INDEX IF NOT EXISTS by_type ON events (event_type, timestamp_utc, event_id);
CREATE INDEX IF NOT EXISTS by_customer ON events (customer_id, event_type, timestamp_utc, event_id);
"""

Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Seconds = Annotated[int, Field(ge=0, le=253_402_300_799)]
Row = tuple[str, str, int, int, str, str, str]


class _NewEvent(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    event_type: Annotated[str, Field(min_length=1, max_length=255)]
    customer_id: Int64
    timestamp_utc: Seconds | None = None
    event_data: Annotated[dict[str, Any], Field(min_length=1)]


class _EventQuery(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)  # the extra ones are event_data.<path>
    event_type: list[str] = []
    customer_id: list[Int64] = []
    timestamp_start_utc: Seconds | None = None
    timestamp_end_utc: Seconds | None = None
    order: Literal["desc", "asc"] = "desc"
    offset: Annotated[int, Field(ge=0, lt=2**63)] = 0
    limit: Annotated[int, Field(ge=1)] = PAGE_LIMIT
    cursor: Annotated[str, Field(pattern=r"^\d{1,12}~[0-9a-f-]{36}$")] | None = None  # where the page before ended

    @model_validator(mode="after")
    def _refuse_unknown(self) -> Self:
        for name, value in (self.model_extra or {}).items():
            if not name.startswith("event_data.") or '"' in name or not isinstance(value, str):
                raise ValueError(f"{name} is unknown, malformed or repeated")
        return self

    def where(self) -> tuple[list[str], list[Any]]:
        """Return the conditions of the filters, to be joined with AND, and their parameters."""
        conditions, parameters = ["1"], list[Any]()
        for column, values in (("event_type", self.event_type), ("customer_id", self.customer_id)):
            if values:
                conditions.append(f"{column} IN ({','.join('?' * len(values))})")
                parameters += values
        for comparison, bound in ((">=", self.timestamp_start_utc), ("<=", self.timestamp_end_utc)):
            if bound is not None:
                conditions.append(f"timestamp_utc {comparison} ?")
                parameters.append(bound)
        for name, value in (self.model_extra or {}).items():
            conditions.append("event_data -> ? = ?")
            parameters += ["$" + "".join(f'."{key}"' for key in name.split(".")[1:]), _json_text(value)]
        return conditions, parameters


def _json_text(value: str) -> str:
    try:
        return orjson.dumps(orjson.loads(value)).decode()
    except orjson.JSONDecodeError:
        return orjson.dumps(value).decode()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False)  # SQLite itself serialises the threads that read
    connection.execute(f"PRAGMA journal_mode = {JOURNAL_MODE}")
    connection.executescript(SCHEMA)
    return connection


def _consume(path: Path, pending: "queue.Queue[Row | None]") -> None:
    """Store rows, as many at a time as have gathered, until a None comes."""
    ended = False
    with closing(_connect(path)) as connection:
        while not ended:
            chunk = [pending.get() for _ in range(max(1, min(pending.qsize(), CHUNK)))]
            rows = [row for row in chunk if row is not None]
            ended = len(rows) < len(chunk)
            with connection:
                connection.executemany(INSERT, rows)


def _select(reader: sqlite3.Connection, condition: str, parameters: list[Any]) -> list[dict[str, Any]]:
    cursor = reader.execute(f"SELECT {COLUMNS} FROM events WHERE {condition}", parameters)  # noqa: S608  # bound values
    events = [dict(zip(COLUMNS.split(", "), row, strict=True)) for row in cursor]
    return [event | {"event_data": orjson.loads(event["event_data"])} for event in events]


def _find(reader: sqlite3.Connection, query: _EventQuery) -> dict[str, Any]:
    conditions, parameters = query.where()
    matching = f"SELECT 1 FROM events WHERE {' AND '.join(conditions)} LIMIT {COUNT_LIMIT + 1}"  # noqa: S608
    (total,) = reader.execute(f"SELECT COUNT(*) FROM ({matching})", parameters).fetchone()  # noqa: S608
    if query.cursor is not None:
        conditions.append(f"(timestamp_utc, event_id) {'<' if query.order == 'desc' else '>'} (?, ?)")
        timestamp_utc, event_id = query.cursor.split("~")
        parameters += [int(timestamp_utc), event_id]
    limit = min(query.limit, PAGE_LIMIT)
    ending = f" ORDER BY timestamp_utc {query.order}, event_id {query.order} LIMIT ? OFFSET ?"
    found = _select(reader, " AND ".join(conditions) + ending, [*parameters, limit + 1, query.offset])
    events = found[:limit]
    last = f"{events[-1]['timestamp_utc']}~{events[-1]['event_id']}" if len(found) > limit else None
    return {
        "events": events,
        "count": len(events),
        "offset": query.offset,
        "limit": limit,
        "total_count": min(total, COUNT_LIMIT),
        "total_relation": "gte" if total > COUNT_LIMIT else "eq",
        "next_cursor": last,
    }


async def _authenticated(authorization: Annotated[str, Header()] = "") -> str:
    token = authorization.removeprefix("Bearer ")
    try:
        claims = jwt.decode(token, SECRET, ["HS256"], REQUIRED, audience=PARTY, issuer=PARTY)
    except jwt.InvalidTokenError as exc:
        raise HTTPException(401, "no valid token", {"WWW-Authenticate": "Bearer"}) from exc
    return str(claims["sub"])


routes = APIRouter()
Client = Annotated[str, Depends(_authenticated)]


@routes.get("/access-token")
async def _access_token(valid_minutes: Annotated[int, Query(ge=1, le=10_080)] = 1_800) -> JSONResponse:
    now = int(time.time())
    claims = {"iss": PARTY, "aud": PARTY, "sub": "bench", "iat": now, "exp": now + 60 * valid_minutes}
    token = jwt.encode(claims, SECRET, "HS256")
    answer = {"token": token, "access_token": token, "token_type": "Bearer", "expires_in": 60 * valid_minutes}
    return JSONResponse(answer, headers={"Cache-Control": "no-store"})


@routes.post("/event")
async def _create_event(event: _NewEvent, client: Client, request: Request) -> JSONResponse:
    now = datetime.now(UTC)
    event_id, received_at = str(uuid_utils.uuid7()), now.isoformat(timespec="milliseconds")
    happened = int(now.timestamp()) if event.timestamp_utc is None else event.timestamp_utc
    data = orjson.dumps(event.event_data).decode()
    try:
        row = (event_id, event.event_type, event.customer_id, happened, data, received_at, client)
        request.app.state.pending.put_nowait(row)
    except queue.Full as exc:
        raise HTTPException(503, "the queue is full", {"Retry-After": "1"}) from exc
    return JSONResponse({"event_id": event_id, "status": "queued"}, 202, {"Location": f"/event/{event_id}"})


@routes.get("/event")
async def _find_events(query: Annotated[_EventQuery, Query()], _: Client, request: Request) -> JSONResponse:
    return JSONResponse(await run_in_threadpool(_find, request.app.state.reader, query))


@routes.get("/event/{event_id}")
async def _get_event(event_id: UUID, _: Client, request: Request) -> JSONResponse:
    found = await run_in_threadpool(_select, request.app.state.reader, "event_id = ?", [str(event_id)])
    if not found:
        raise HTTPException(404, "no such event")
    return JSONResponse(found[0])


@routes.get("/health")
async def _health() -> JSONResponse:
    return JSONResponse({"status": "ok"})


async def _refuse(_: Request, exc: Exception) -> JSONResponse:
    status, detail, headers, more = 422, "the request is not valid", None, {}
    if isinstance(exc, RequestValidationError):
        more = {"errors": [{"loc": error["loc"], "msg": error["msg"]} for error in exc.errors()]}
    elif isinstance(exc, AnyHTTPException):
        status, detail, headers = exc.status_code, exc.detail, exc.headers
    problem = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail} | more
    return JSONResponse(problem, status, headers, "application/problem+json")


def _build(data_dir: Path) -> FastAPI:
    path = data_dir / "events.db"

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.pending = pending = queue.Queue[Row | None](QUEUE_LIMIT)
        with closing(_connect(path)) as app.state.reader:
            consumer = threading.Thread(target=_consume, args=(path, pending))
            consumer.start()
            yield
            pending.put(None)  # after the last request, so that whatever was accepted is stored first
            await run_in_threadpool(consumer.join)

    app = FastAPI(lifespan=lifespan, exception_handlers={RequestValidationError: _refuse, AnyHTTPException: _refuse})
    app.include_router(routes)
    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8002)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--journal-mode", choices=["delete", "wal"], default="wal", help="delete is SQLite's default")
    options = parser.parse_args()
    JOURNAL_MODE = options.journal_mode
    uvicorn.run(_build(options.data_dir), port=options.port, loop="uvloop", http="httptools", access_log=False)

"""The main yardstick: the shortest audit log that FastAPI's documentation leads to, with SQLite and one thread.

Endpoints wait for nothing, accepted events are in a deque in memory, and one thread stores them in chunks of 30 with
SQLite's defaults. It promises less than the real service: a stop by force loses the deque, a chunk that SQLite refuses
ends the thread, and there are no event ids, scopes, bounds or strict JSON. uvicorn is started with its defaults.
"""

import argparse
import sqlite3
import threading
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Annotated, Any

import jwt
import orjson
import uvicorn
from fastapi import FastAPI, HTTPException, Query, Request
from pydantic import BaseModel, Field

CHUNK = 30
POLL_SECONDS = 0.1
PAGE_LIMIT = 100
SECRET = "development-secret-of-at-least-32-bytes!"
COLUMNS = ("customer_id", "event_type", "timestamp_utc")
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, {COLUMNS[0]} INTEGER, {COLUMNS[1]} TEXT, {COLUMNS[2]} INTEGER, event_data TEXT
);
{"".join(f"CREATE INDEX IF NOT EXISTS ix_{column} ON events ({column});" for column in COLUMNS)}
"""
INSERT = "INSERT INTO events (customer_id, event_type, timestamp_utc, event_data) VALUES (?, ?, ?, ?)"

Row = tuple[int, str, int, dict[str, Any]]


class _Event(BaseModel):
    event_type: str
    timestamp_utc: int | None = None
    customer_id: int
    event_data: dict[str, Any] = Field(min_length=1)


def _authenticate(request: Request) -> None:
    try:
        jwt.decode(request.headers.get("authorization", "").removeprefix("Bearer "), SECRET, algorithms=["HS256"])
    except jwt.PyJWTError:
        raise HTTPException(401, "invalid token") from None


def _consume(path: Path, pending: deque[Row], stopped: threading.Event) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA)
        while pending or not stopped.is_set():
            chunk = [pending.popleft() for _ in range(min(CHUNK, len(pending)))]
            if not chunk:
                stopped.wait(POLL_SECONDS)
                continue
            connection.executemany(INSERT, [(*columns, orjson.dumps(data)) for *columns, data in chunk])
            connection.commit()


def _build(path: Path) -> FastAPI:
    pending = deque[Row]()
    stopped = threading.Event()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        consumer = threading.Thread(target=_consume, args=(path, pending, stopped))
        consumer.start()
        yield
        stopped.set()
        consumer.join()

    app = FastAPI(lifespan=lifespan)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/access-token")
    async def access_token(valid_minutes: Annotated[int, Query(gt=0)] = 1800) -> dict[str, str]:
        return {"token": jwt.encode({"exp": int(time.time()) + valid_minutes * 60}, SECRET, algorithm="HS256")}

    @app.post("/event", status_code=202)
    async def post_event(request: Request, event: _Event) -> str:
        _authenticate(request)
        pending.append((event.customer_id, event.event_type, event.timestamp_utc or int(time.time()), event.event_data))
        return "Event received and queued successfully"

    @app.get("/event")
    async def find_events(request: Request, customer_id: int | None = None, limit: int = PAGE_LIMIT) -> dict[str, Any]:
        _authenticate(request)
        where, values = (" WHERE customer_id = ?", [customer_id]) if customer_id is not None else ("", [])
        page = f"SELECT * FROM events{where} ORDER BY timestamp_utc LIMIT {min(limit, PAGE_LIMIT):d}"  # noqa: S608 - a number
        with closing(sqlite3.connect(path)) as connection:
            connection.row_factory = sqlite3.Row
            rows = connection.execute(page, values).fetchall()
        return {"events": [dict(row) | {"event_data": orjson.loads(row["event_data"])} for row in rows]}

    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8002)
    parser.add_argument("--data-dir", type=Path, required=True)
    options = parser.parse_args()
    uvicorn.run(_build(options.data_dir / "events.db"), port=options.port, log_level="error")

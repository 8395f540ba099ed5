"""What a queued event takes of memory: `python -m benchmarks.memory`, two minutes.

A million events in the queue of this service, and in that of the FastAPI one, each in a separate process: how much
its resident memory grows by, and how much it is in all.
"""

from __future__ import annotations

import argparse
import json
import queue
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import orjson
import uuid_utils
from rich.console import Console
from rich.table import Table

from benchmarks.load import bodies

if TYPE_CHECKING:
    from core.ports.queue import EventPublisher

COUNT = 1_000_000


def main() -> None:
    """Measure both and print a table; or, as the process that is measured, fill one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fill", choices=FILLS)
    parser.add_argument("--events", type=int, default=COUNT)
    options = parser.parse_args()
    if options.fill:
        print(json.dumps(measured(options.fill, options.events)))
        return
    table = Table("queue", "bytes an event", "MB in all", "ratio", box=None)
    per_event: dict[str, float] = {}
    for name in FILLS:
        command = [sys.executable, "-m", "benchmarks.memory", "--fill", name, "--events", str(options.events)]
        told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        per_event[name] = told["grown"] / options.events
        ratio = per_event[name] / per_event["FastAPI"]
        table.add_row(name, f"{per_event[name]:,.0f}", f"{told['in_all'] / 1e6:,.0f}", f"{ratio:.2f}")
    Console().print(table)


def measured(name: str, count: int) -> dict[str, int]:
    """Resident bytes: what they grew by, and all of them."""
    fill, events = FILLS[name], [orjson.loads(body) for body in bodies()]
    fill(events, 1_000)  # so that one-time allocations are not counted
    before = resident()
    kept = fill(events, count)
    after = resident()
    del kept
    return {"grown": after - before, "in_all": after}


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def of_fastapi(events: list[dict[str, Any]], count: int) -> object:
    """As `fastapi_service.py` queues them."""
    pending: queue.Queue[Any] = queue.Queue()
    for number in range(count):
        event = orjson.loads(orjson.dumps(events[number % len(events)]))  # as if it had just come
        at, data = "2026-01-31T12:00:00.123+00:00", orjson.dumps(event["event_data"]).decode()
        row = (
            str(uuid_utils.uuid7()),
            event["event_type"],
            event["customer_id"],
            int(time.time()),
            data,
            at[:],
            "bench",
        )
        pending.put_nowait(row)
    return pending


def of_ours(events: list[dict[str, Any]], count: int) -> object:
    """As `create_event` queues them in a service with a spool, which has their bodies on disk."""
    from local_runner.queue.spooled import SpoolQueue  # noqa: PLC0415 - counted where it is used
    from local_runner.queue.visibility import QueueLimits  # noqa: PLC0415 - the same
    from local_runner.spool.disk_spool import DiskSpool  # noqa: PLC0415 - the same

    directory = TemporaryDirectory()
    spool = DiskSpool(Path(directory.name) / "spool", "process")
    filled = SpoolQueue(_Nowhere(), QueueLimits(max_messages=count), spool)
    return _published(filled, events, count), directory


def without_spool(events: list[dict[str, Any]], count: int) -> object:
    """As `create_event` queues them in a service with AUDIT_LOG_SPOOL=off."""
    from local_runner.queue.memory import InMemoryQueue  # noqa: PLC0415 - counted where it is used
    from local_runner.queue.visibility import QueueLimits  # noqa: PLC0415 - the same

    filled = InMemoryQueue(_Nowhere(), QueueLimits(max_messages=count, max_bytes=10**10))
    return _published(filled, events, count)


def _published(filled: EventPublisher, events: list[dict[str, Any]], count: int) -> EventPublisher:
    from core.domain.models import Event, NewEvent  # noqa: PLC0415 - counted where it is used

    for number in range(count):
        new = NewEvent.model_validate_json(orjson.dumps(events[number % len(events)]))
        filled.publish([Event.received(new, at=datetime.now(UTC), by="bench")])
    return filled


class _Nowhere:
    """Dead letters that do not come."""

    def add(self, messages: object) -> None:
        """Take none."""


FILLS = {"FastAPI": of_fastapi, "audit-log": of_ours, "audit-log, no spool": without_spool}

if __name__ == "__main__":
    main()

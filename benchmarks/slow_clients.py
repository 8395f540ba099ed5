"""What 200 clients that send one byte a second cost those that send whole events.

Starts `audit-log serve` on a loopback port, posts over 16 keep-alive connections without and with the slow clients, in
turns within one run, and prints the 99th percentiles and their ratio. It ends by itself within a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from benchmarks.serving import AUDIT_LOG, OURS, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

GOAL = 2.0
CONNECTIONS = 16
SECONDS_IN_ALL = 50
_HALF_A_HEADER = b"POST /event HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
_HALF_A_BODY = b"POST /event HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"


@dataclass(frozen=True)
class Turn:
    """What the load generator reported of one turn."""

    rate: float
    p50_ms: float
    p99_ms: float
    missing: int


def main() -> None:
    """Take the turns and print them; exit with 1 if slow clients make the 99th percentile more than double."""
    parser = argparse.ArgumentParser(description="Measure what slow clients cost the others.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=3_000)
    parser.add_argument("--slow", type=int, default=200, help="clients that send one byte a second")
    options = parser.parse_args()
    with serving(OURS) as running:
        url = f"http://127.0.0.1:{running.port}"
        try:
            pairs = asyncio.run(rounds(url, options.rounds, options.requests, options.slow))
        except TimeoutError:
            sys.exit(f"Not done in {SECONDS_IN_ALL} seconds: ask for fewer --rounds or --requests.")
    console = Console()
    console.print(table(pairs, options.slow))
    ratio = median(with_slow.p99_ms / without.p99_ms for without, with_slow in pairs)
    console.print(
        f"p99 with {options.slow} slow clients : without, median of the rounds: {ratio:.2f} (goal: < {GOAL:g})"
    )
    sys.exit(ratio >= GOAL)


async def rounds(url: str, count: int, requests: int, slow: int) -> list[tuple[Turn, Turn]]:
    """Measure without and with slow clients, `count` times.

    Raises:
        TimeoutError: it takes too long.
    """
    pairs = []
    async with asyncio.timeout(SECONDS_IN_ALL):
        await load(url, requests)  # a first turn is slower than all others
        for _ in range(count):
            without = await load(url, requests)
            async with slow_clients(url, slow):
                pairs.append((without, await load(url, requests)))
    return pairs


async def load(url: str, requests: int) -> Turn:
    """One turn of the load generator, in a separate process."""
    amount = ("--requests", str(requests), "--connections", str(CONNECTIONS))
    generator = await asyncio.create_subprocess_exec(
        AUDIT_LOG, "load-test", "--json", "--url", url, *amount, stdout=asyncio.subprocess.PIPE
    )
    try:
        output, _ = await generator.communicate()
    finally:
        with suppress(ProcessLookupError):
            generator.kill()
        await generator.wait()
    report = json.loads(output)
    return Turn(**{name: report[name] for name in Turn.__dataclass_fields__})


@asynccontextmanager
async def slow_clients(url: str, count: int) -> AsyncIterator[None]:
    """Keep `count` slow connections open; half of them are stuck in the header, half in the body."""
    port = urlsplit(url).port
    clients = [
        asyncio.create_task(_be_slow(port, _HALF_A_BODY if number % 2 else _HALF_A_HEADER)) for number in range(count)
    ]
    await asyncio.sleep(1)
    try:
        yield
    finally:
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)


async def _be_slow(port: int | None, beginning: bytes) -> None:
    """A byte a second; whenever the server has had enough, again from the beginning."""
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(beginning)
                while not reader.at_eof():
                    await asyncio.sleep(1)
                    writer.write(b"x")
                    await writer.drain()
            finally:
                writer.close()


def table(pairs: list[tuple[Turn, Turn]], slow: int) -> Table:
    """Lay out every turn."""
    result = Table("round", "slow clients")
    for column in ("accepted/s", "p50 ms", "p99 ms", "p99 ratio", "missing"):
        result.add_column(column, justify="right")
    for number, (without, with_slow) in enumerate(pairs, 1):
        for count, turn in ((0, without), (slow, with_slow)):
            ratio = f"{turn.p99_ms / without.p99_ms:.2f}" if count else ""
            figures = (f"{turn.rate:,.0f}", f"{turn.p50_ms:.1f}", f"{turn.p99_ms:.1f}", ratio, str(turn.missing))
            result.add_row("" if count else str(number), str(count), *figures)
        result.add_section()
    return result


if __name__ == "__main__":
    main()

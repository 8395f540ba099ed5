"""Load by wrk (https://github.com/wg/wrk): real tokens and bodies in rotation, from a process that costs little."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SCRIPT = Path(__file__).with_name("load.lua")
TOKENS = 100
BODIES = 1_000
TYPES = ("login.succeeded", "login.failed", "invoice.paid", "role.granted", "export.started", "key.rotated")


@dataclass(frozen=True)
class Load:
    """What wrk reports: accepted requests, in all and a second, and the latencies of all answers."""

    accepted: int
    rate: float
    p50_ms: float
    p99_ms: float


def bodies(count: int = BODIES) -> list[str]:
    """The JSON of different events, about 300 bytes each, happening now for one of 200 customers."""
    chance = random.Random(1)  # noqa: S311 - no secret
    return [
        json.dumps(
            {
                "event_type": chance.choice(TYPES),
                "customer_id": chance.randrange(1, 200),
                "event_data": {
                    "user": {"name": f"user{number}", "roles": ["reader", "writer"]},
                    "ip": f"10.0.{number % 256}.{number // 256}",
                    "success": number % 2 == 0,
                    "amount": number * 1.25,
                    "note": "x" * chance.randrange(120),
                },
            }
        )
        for number in range(count)
    ]


def batches(size: int) -> list[str]:
    """Bodies of POST /events with `size` events each."""
    events = bodies()
    return [f'{{"events": [{", ".join(random.Random(seed).choices(events, k=size))}]}}' for seed in range(20)]  # noqa: S311 - no secret


def tokens(port: int, count: int = TOKENS) -> Iterator[str]:
    """Different tokens of the server at `port`."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    for _ in range(count):
        connection.request("GET", "/access-token")
        yield json.load(connection.getresponse())["token"]
    connection.close()


def load(port: int, connections: int, seconds: float, sent: Sequence[str]) -> Load:
    """Send the bodies to POST /event in turn for some seconds, each with the next token."""
    with requests_file(port, sent) as requests:
        return send(port, connections, seconds, requests)


@contextmanager
def requests_file(port: int, sent: Sequence[str], tokens_of: int = TOKENS) -> Iterator[Path]:
    """Write the file of requests that `send` takes: the bodies with `tokens_of` different tokens of the server."""
    given = list(tokens(port, tokens_of))
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as requests:
        for number in range(max(len(given), len(sent))):
            requests.write(f"{given[number % len(given)]}\t{sent[number % len(sent)]}\n")
        requests.flush()
        yield Path(requests.name)


def send(port: int, connections: int, seconds: float, requests: Path, path: str = "/event") -> Load:
    """Send the requests of a file in turn for some seconds."""
    if shutil.which("wrk") is None:
        sys.exit("The load comes from wrk: apt-get install wrk")
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds:.0f}s"]
    command += ["--timeout", "10s", "--script", str(SCRIPT), f"http://127.0.0.1:{port}", "--", path, str(requests)]
    output = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    report: dict[str, Any] = json.loads(output.rstrip().rpartition("\n")[2])
    if report["broken"]:
        sys.exit(f"{report['broken']} requests were not answered")
    accepted = report["requests"] - report["refused"]
    return Load(accepted, accepted / report["microseconds"] * 1e6, report["p50_ms"], report["p99_ms"])

"""`make bench`: this service, a plain FastAPI one and an app that does nothing, in turns within one run.

Each turn starts one server on an empty folder, loads it with `audit-log load-test --json`, and ends it, so that no two
servers ever share the machine. Turns alternate because a machine's speed drifts: only neighbours may be compared.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE = Path(__file__).resolve().parent
AUDIT_LOG = str(Path(sys.executable).with_name("audit-log"))  # of the same virtual environment as this script
START_SECONDS = 30
STOP_SECONDS = 30
READY = range(200, 300)


@dataclass(frozen=True)
class Contender:
    """A server to be measured; {port} and {data} in its command are filled in for each turn."""

    name: str
    command: tuple[str, ...]
    stores: bool = True


OURS = Contender("audit-log", (AUDIT_LOG, "serve", "--host", "127.0.0.1", "--port", "{port}"))
YARDSTICK = Contender(
    "FastAPI", (sys.executable, str(HERE / "fastapi_service.py"), "--port", "{port}", "--data-dir", "{data}")
)
GRANIAN = (sys.executable, "-m", "granian", "--interface", "wsgi", "--blocking-threads", "1")
EMPTY = Contender("empty app", (*GRANIAN, "--host", "127.0.0.1", "--port", "{port}", "empty_app:app"), stores=False)


@dataclass(frozen=True)
class Turn:
    """What the load generator reported of one contender in one round."""

    rate: float
    p50_ms: float
    p99_ms: float
    accepted: int
    missing: int


def main() -> None:
    """Take the turns, print the tables; exit with 1 if a contender that stores lost an accepted event."""
    parser = argparse.ArgumentParser(description="Measure this service beside a plain FastAPI one.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=5_000)
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    load = ("--requests", str(options.requests), "--connections", str(options.connections))
    turns: dict[Contender, list[Turn]] = {OURS: [], YARDSTICK: [], EMPTY: []}
    console = Console()
    for number in range(1, options.rounds + 1):
        for contender, taken in turns.items():
            with console.status(f"round {number} of {options.rounds}: {contender.name}"):
                taken.append(measure(contender, load))
    ratios = [ours.rate / theirs.rate for ours, theirs in zip(turns[OURS], turns[YARDSTICK], strict=True)]
    console.print(rounds_table(turns, ratios))
    console.print(medians_table(turns))
    console.print(reading(turns, ratios))
    if any(turn.missing for contender, taken in turns.items() if contender.stores for turn in taken):
        sys.exit("An accepted event was not found again: see the stored column.")


def measure(contender: Contender, load: Sequence[str]) -> Turn:
    """Start the contender, load it, end it."""
    with serving(contender) as url:
        command = [AUDIT_LOG, "load-test", "--json", "--url", url, *load]
        if not contender.stores:
            command += ["--patience", "0"]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False)  # ends with 1 if events are missing
    if not done.stdout:
        sys.exit(f"The load generator could not load {contender.name}.")
    report = json.loads(done.stdout)
    return Turn(**{name: report[name] for name in Turn.__dataclass_fields__})


@contextmanager
def serving(contender: Contender) -> Iterator[str]:
    """Run the contender on a free port and an empty folder; yield its address."""
    with tempfile.TemporaryDirectory(prefix="audit-log-bench-") as folder, (Path(folder) / "log").open("w+") as log:
        port = free_port()
        data = Path(folder) / "data"
        data.mkdir()
        command = [part.format(port=port, data=data) for part in contender.command]
        settings = {name: value for name, value in os.environ.items() if not name.startswith("AUDIT_LOG_")}
        settings["AUDIT_LOG_DATA_DIR"] = str(data)
        server = subprocess.Popen(
            command, cwd=HERE, env=settings, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            if not is_ready(server, port):
                log.seek(0)
                sys.exit(f"{contender.name} did not start:\n{log.read()}")
            yield f"http://127.0.0.1:{port}"
        finally:
            stop(server)


def free_port() -> int:
    """Let the operating system choose."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def is_ready(server: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until GET /health is answered well; False if the server ended or took too long."""
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        connection = HTTPConnection("127.0.0.1", port, timeout=1)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status in READY:
                return True
        except (OSError, HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.1)
    return False


def stop(server: subprocess.Popen[bytes]) -> None:
    """Ask the server to end; after a while, end it and the workers in its session by force."""
    server.terminate()
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def rounds_table(turns: dict[Contender, list[Turn]], ratios: list[float]) -> Table:
    """Lay out every turn, and beside ours the ratio of its rate to that of FastAPI in the same round."""
    table = Table("round", "server", title="Round by round")
    for column in ("accepted/s", "p50 ms", "p99 ms", "stored", "ratio"):
        table.add_column(column, justify="right")
    for index, ratio in enumerate(ratios):
        for contender, taken in turns.items():
            turn = taken[index]
            stored = f"all {turn.accepted:,}" if not turn.missing else f"{turn.missing:,} MISSING"
            figures = (
                f"{turn.rate:,.0f}",
                f"{turn.p50_ms:.1f}",
                f"{turn.p99_ms:.1f}",
                stored if contender.stores else "-",
            )
            first = contender is OURS
            table.add_row(str(index + 1) if first else "", contender.name, *figures, f"{ratio:.2f}" if first else "")
        table.add_section()
    return table


def medians_table(turns: dict[Contender, list[Turn]]) -> Table:
    """Lay out what each contender did over all rounds."""
    table = Table("server", title="Medians")
    for column in ("accepted/s", "min - max", "p50 ms", "p99 ms"):
        table.add_column(column, justify="right")
    for contender, taken in turns.items():
        rates = [turn.rate for turn in taken]
        table.add_row(
            contender.name,
            f"{median(rates):,.0f}",
            f"{min(rates):,.0f} - {max(rates):,.0f}",
            f"{median(turn.p50_ms for turn in taken):.1f}",
            f"{median(turn.p99_ms for turn in taken):.1f}",
        )
    return table


def reading(turns: dict[Contender, list[Turn]], ratios: list[float]) -> str:
    """Say what the tables do and do not show."""
    ours, ceiling = (median(turn.rate for turn in turns[contender]) for contender in (OURS, EMPTY))
    return (
        f"audit-log : FastAPI, pair by pair: {', '.join(f'{ratio:.2f}' for ratio in ratios)}; "
        f"median {median(ratios):.2f}.\n"
        f"The load generator (Python, aiohttp) shares {os.cpu_count()} cores with the server under load. "
        f"Against an app that does nothing it reaches {ceiling:,.0f}/s: no server can show more here. "
        f"audit-log stands at {ours / ceiling:.0%} of that, and the nearer a server comes to it, the more of what is "
        "measured is the generator, so that the ratio is a lower bound."
    )


if __name__ == "__main__":
    main()

"""`python -m benchmarks.streams`: measures the cost of idle streams for accepting and storing, in two minutes.

The service without and with ten streams whose filters select nothing, so that each looks at every event and sends none.
They are loaded over 64 connections in turn; ratios are taken within each round.
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.cpu import spent, thread_times, wait_until_idle
from tests.support.service import AUDIT_LOG, EXECUTED, Service, environment

STREAMS = (0, 10)
_DRAIN_SECONDS = 60.0
_SETTLING_SECONDS = 3.0  # events get their indices, and streams begin to look at them, within a second each
_MICROSECONDS = 1_000


def measure(streams: int, requests: int) -> tuple[float, float]:
    """Accepted events a second, and microseconds of CPU for an event until all are stored and looked at."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        data, out = Path(folder) / "data", Path(folder) / "out"
        out.mkdir()
        with Service.start(data, command=EXECUTED) as service:
            for number in range(streams):
                kind = ["--kind", "directory", "--set", f"path={out}", "--filter", "event_data.nothing=1"]
                command = [AUDIT_LOG, "stream", "create", "--name", f"idle {number}", *kind]
                subprocess.run(command, env=environment(data), capture_output=True, check=True)
            pid = service.process.pid
            wait_until_idle(pid, _DRAIN_SECONDS)
            before = thread_times(pid)
            command = [AUDIT_LOG, "load-test", "--json", "--connections", "64", "--url", service.url]
            result = subprocess.run([*command, "--requests", str(requests)], capture_output=True, check=True)
            time.sleep(_SETTLING_SECONDS)
            wait_until_idle(pid, _DRAIN_SECONDS)
            cpu = sum(spent(before, thread_times(pid)).values())
            return json.loads(result.stdout)["rate"], cpu / requests / _MICROSECONDS


def main() -> None:
    """Measure round by round, and print medians and ratios to a service without streams."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=5_000)
    options = parser.parse_args()
    rounds = [{streams: measure(streams, options.requests) for streams in STREAMS} for _ in range(options.rounds)]
    table = Table("idle streams", "accepted/s", "ratio, median", "CPU µs/event", "ratio, median", box=None)
    for streams in STREAMS:
        cells = []
        for figure, form in ((0, ",.0f"), (1, ".0f")):
            measured = [each[streams][figure] for each in rounds]
            ratios = [each[streams][figure] / each[0][figure] for each in rounds]
            cells += [f"{median(measured):{form}}", f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"]
        table.add_row(str(streams), *cells)
    Console().print(table)


if __name__ == "__main__":
    main()

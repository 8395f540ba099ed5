"""`python -m benchmarks.spool_http`: measures the cost of the spool for a whole request, in two minutes.

The service with each mode of the spool in turn, loaded over 64 connections; the ratio is taken within each round.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.support.service import AUDIT_LOG, EXECUTED, Service

MODES = ("off", "process", "disk")


def rate(mode: str, requests: int) -> float:
    """Accepted events a second; every one of them was stored, or the load test would fail."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        Service.start(Path(folder) / "data", command=EXECUTED, spool=mode) as service,
    ):
        command = [AUDIT_LOG, "load-test", "--json", "--connections", "64", "--url", service.url]
        result = subprocess.run([*command, "--requests", str(requests)], capture_output=True, check=True)
        accepted: float = json.loads(result.stdout)["rate"]
        return accepted


def main() -> None:
    """Measure the modes round by round, and print medians and the ratios to no spool at all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=5_000)
    options = parser.parse_args()
    rates = [{mode: rate(mode, options.requests) for mode in MODES} for _ in range(options.rounds)]
    table = Table("spool", "accepted/s, median", "min to max", "ratio to off, median", "min to max", box=None)
    for mode in MODES:
        measured = [each[mode] for each in rates]
        ratios = [each[mode] / each["off"] for each in rates]
        table.add_row(
            mode,
            f"{median(measured):,.0f}",
            f"{min(measured):,.0f} to {max(measured):,.0f}",
            f"{median(ratios):.2f}",
            f"{min(ratios):.2f} to {max(ratios):.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()

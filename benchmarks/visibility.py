"""How long it takes from a 202 until GET finds the event: `python -m benchmarks.visibility`, a minute.

wrk keeps the service at about half of its capacity, with as many connections as short turns before have shown to make
that of the rate at 64; at the same time one client posts an event, asks for it until it is found, and repeats.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from http.client import HTTPConnection
from statistics import median, quantiles

from rich.console import Console

from benchmarks.load import bodies, load, tokens
from benchmarks.serving import OURS, serving

PAUSE_SECONDS = 0.02


def main() -> None:
    """Print the rate at full load, that during the measurement, and median and p99 of the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    with serving(OURS) as running:
        full = load(running.port, 64, 5, bodies()).rate
        time.sleep(3)  # until all of it is stored
        connections = _connections_for(full / 2, running.port)
        during: list[float] = []
        background = threading.Thread(
            target=lambda: during.append(load(running.port, connections, options.seconds, bodies()).rate)
        )
        background.start()
        time.sleep(1)
        times = sorted(_times(running.port, options.seconds - 2))
        background.join()
    percent = quantiles(times, n=100)
    Console().print(
        f"full load {full:,.0f}/s; {len(times)} events at {during[0]:,.0f}/s ({during[0] / full:.0%}): "
        f"visible after {median(times) * 1000:.0f} ms (median), {percent[98] * 1000:.0f} ms (p99)"
    )


def _connections_for(rate: float, port: int) -> int:
    """The number of connections whose rate is nearest to this one."""
    rates = {}
    for connections in range(1, 9):
        rates[connections] = load(port, connections, 2, bodies()).rate
        time.sleep(1)
        if rates[connections] > rate:
            break
    return min(rates, key=lambda connections: abs(rates[connections] - rate))


def _times(port: int, seconds: float) -> list[float]:
    (token,) = tokens(port, 1)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    until, times = time.monotonic() + seconds, []
    (body,) = bodies(1)
    while time.monotonic() < until:
        connection.request("POST", "/event", body, headers)
        path = f"/event/{json.load(connection.getresponse())['event_id']}"
        accepted = time.monotonic()
        status = 404
        while status != 200:  # noqa: PLR2004 - found
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            status = answer.status
        times.append(time.monotonic() - accepted)
        time.sleep(PAUSE_SECONDS)
    return times


if __name__ == "__main__":
    main()

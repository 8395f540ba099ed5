"""`make bench`: this service, two of FastAPI and an application that does nothing, in turns within one run.

Each turn starts one server on an empty folder, warms it up, loads it by wrk, waits until it is idle and ends it, so
that no two servers ever share the machine. Turns alternate because a machine's speed drifts: only neighbours may be
compared, so ratios are taken within a round. The tables go into `docs/explanation/performance.md`, with the plots.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import urllib.request
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from benchmarks.cpu import spent, thread_times, wait_until_idle
from benchmarks.load import batches, bodies, requests_file, send
from benchmarks.report import plots, report
from benchmarks.serving import (
    EMPTY,
    OURS,
    OURS_IN_MEMORY,
    OURS_ON_DISK,
    SIMPLE,
    TUNED,
    Contender,
    other_checkout,
    serving,
)
from benchmarks.turns import Case, Turn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PAGE: Final = Path(__file__).parents[1] / "docs" / "explanation" / "performance.md"
PLOTS: Final = PAGE.with_suffix("")
BEGIN, END = "<!-- make bench writes from here -->", "<!-- to here -->"
MANY_TOKENS: Final = 12_000
"""More than a verifier remembers: each comes back only when it is forgotten."""
_WARM_UP_SECONDS: Final = 1.0
_DRAIN_SECONDS: Final = 60.0


_EVENTS: Final = tuple(bodies())
_OTHERS: Final = (SIMPLE, TUNED, EMPTY)
CASES: Final = (
    *(Case(f"POST /event, {count} connections", (OURS, OURS_IN_MEMORY, *_OTHERS), count, _EVENTS) for count in (1, 16)),
    Case("POST /event, 64 connections", (OURS, OURS_ON_DISK, OURS_IN_MEMORY, *_OTHERS), 64, _EVENTS),
    Case("POST /event, 64 connections, every token new", (OURS, SIMPLE, TUNED), 64, _EVENTS, tokens=MANY_TOKENS),
    Case("POST /events, batches of 100, 4 connections", (OURS,), 4, tuple(batches(100)), "/events", 100),
    Case("POST /events, batches of 1,000, 4 connections", (OURS,), 4, tuple(batches(1_000)), "/events", 1_000),
)


def main() -> None:
    """Take the turns and write the results; exit with 1 if a contender that stores lost an accepted event."""
    parser = argparse.ArgumentParser(description="Measure this service beside plain FastAPI ones.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument(
        "--case",
        default="",
        help="only the case of this name, or those with these words in their names; the page stays as it is",
    )
    parser.add_argument(
        "--before", type=Path, help="audit-log command of another checkout, to compare with; the page stays as it is"
    )
    options = parser.parse_args()
    turns: dict[Case, dict[Contender, list[Turn]]] = defaultdict(lambda: defaultdict(list))
    console = Console()
    names = {case.name for case in CASES}
    for number in range(1, options.rounds + 1):
        for case in CASES:
            if options.case != case.name and (options.case in names or options.case not in case.name):
                continue
            for contender in (*case.contenders, *([other_checkout(options.before)] if options.before else [])):
                with console.status(f"round {number} of {options.rounds}: {case.name}: {contender.name}"):
                    turns[case][contender].append(take(contender, case, options.seconds))
    text = report(turns, OURS, options.rounds, options.seconds)
    if not (options.case or options.before):
        _write_page(text, turns)
    console.print(text, markup=False, soft_wrap=True)
    if any(turn.missing for case in turns.values() for of_one in case.values() for turn in of_one):
        sys.exit("An accepted event was not stored: see the column missing.")


def take(contender: Contender, case: Case, seconds: float) -> Turn:
    """Start the contender, load it, end it, and look how many of the accepted events it has stored."""
    machine = os.getloadavg()[0]
    with serving(contender) as running, requests_file(running.port, case.bodies, case.tokens) as requests:
        first = send(running.port, case.connections, _WARM_UP_SECONDS, requests, case.path)
        wait_until_idle(running.pid, _DRAIN_SECONDS)
        before = thread_times(running.pid)
        measured = send(running.port, case.connections, seconds, requests, case.path)
        waiting = _waiting(running.port) if contender in {OURS, OURS_IN_MEMORY, OURS_ON_DISK} else None
        drained = wait_until_idle(running.pid, _DRAIN_SECONDS)
        cpu = spent(before, thread_times(running.pid))
    events = measured.accepted * case.per_request
    accepted = events + first.accepted * case.per_request
    return Turn(
        measured,
        measured.rate * case.per_request,
        tuple(time / 1e3 / events for time in cpu.values()),
        max(0, accepted - running.stored) if contender.stores else 0,
        waiting,
        drained,
        machine,
    )


def _waiting(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=30) as answer:
        queue = json.load(answer)["checks"]["queue"]
    return int(queue["waiting"]) + int(queue["in_flight"])


def _write_page(text: str, turns: Mapping[Case, Mapping[Contender, Sequence[Turn]]]) -> None:
    page = PAGE.read_text()
    PAGE.write_text(f"{page.partition(BEGIN)[0]}{BEGIN}\n{text}{END}{page.partition(END)[2]}")
    PLOTS.mkdir(exist_ok=True)
    for name, plot in plots({case: of_case for case, of_case in turns.items() if EMPTY in case.contenders}, EMPTY):
        (PLOTS / name).write_text(plot)


if __name__ == "__main__":
    main()

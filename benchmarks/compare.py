"""`make bench`: this service, a FastAPI one and an application that does nothing, in turns within one run.

Each turn starts one server on an empty folder, loads it by wrk and ends it, so that no two servers ever share the
machine. Turns alternate because a machine's speed drifts: only neighbours may be compared, so ratios are taken within a
round. The tables go into `docs/explanation/performance.md`, the plots next to it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import urllib.request
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from rich.console import Console

from benchmarks.load import Load, batches, bodies, load
from benchmarks.plot import bars
from benchmarks.serving import EMPTY, OURS, OURS_IN_MEMORY, YARDSTICK, YARDSTICK_WAL, Contender, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

PAGE: Final = Path(__file__).parents[1] / "docs" / "explanation" / "performance.md"
PLOTS: Final = PAGE.with_suffix("")
BEGIN, END = "<!-- make bench writes from here -->", "<!-- to here -->"
MANY_TOKENS: Final = 12_000
"""More than a verifier remembers: each comes back only when it is forgotten."""


@dataclass(frozen=True)
class Case:
    """One kind of load; `per_request` is how many events a request has."""

    name: str
    contenders: tuple[Contender, ...]
    connections: int
    bodies: tuple[str, ...]
    path: str = "/event"
    per_request: int = 1
    tokens: int = 100


@dataclass(frozen=True)
class Turn:
    """Result of one contender in one round; `waiting` counts the events accepted and not stored when the load ended."""

    load: Load
    rate: float
    missing: int
    waiting: int | None


_ALL: Final = (OURS, OURS_IN_MEMORY, YARDSTICK, YARDSTICK_WAL, EMPTY)
_EVENTS: Final = tuple(bodies())
CASES: Final = (
    *(Case(f"POST /event, {count} connections", _ALL, count, _EVENTS) for count in (1, 16, 64)),
    Case("POST /event, 64 connections, every token new", (OURS, YARDSTICK_WAL), 64, _EVENTS, tokens=MANY_TOKENS),
    Case("POST /events, batches of 100, 4 connections", (OURS,), 4, tuple(batches(100)), "/events", 100),
    Case("POST /events, batches of 1,000, 4 connections", (OURS,), 4, tuple(batches(1_000)), "/events", 1_000),
)


def main() -> None:
    """Take the turns and write the results; exit with 1 if a contender that stores lost an accepted event."""
    parser = argparse.ArgumentParser(description="Measure this service beside a plain FastAPI one.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    options = parser.parse_args()
    turns: dict[Case, dict[Contender, list[Turn]]] = defaultdict(lambda: defaultdict(list))
    console = Console()
    for number in range(1, options.rounds + 1):
        for case in CASES:
            for contender in case.contenders:
                with console.status(f"round {number} of {options.rounds}: {case.name}: {contender.name}"):
                    turns[case][contender].append(take(contender, case, options.seconds))
    text = report(turns, options.rounds, options.seconds)
    page = PAGE.read_text()
    PAGE.write_text(f"{page.partition(BEGIN)[0]}{BEGIN}\n{text}{END}{page.partition(END)[2]}")
    PLOTS.mkdir(exist_ok=True)
    for name, plot in plots(turns):
        (PLOTS / name).write_text(plot)
    console.print(text, markup=False)
    if any(turn.missing for case in turns.values() for of_one in case.values() for turn in of_one):
        sys.exit("An accepted event was not stored: see the column missing.")


def take(contender: Contender, case: Case, seconds: float) -> Turn:
    """Start the contender, load it, end it, and look how many of the accepted events it has stored."""
    with serving(contender) as running:
        measured = load(running.port, case.connections, seconds, case.bodies, tokens_of=case.tokens, path=case.path)
        waiting = _waiting(running.port) if contender in {OURS, OURS_IN_MEMORY} else None
    accepted = measured.accepted * case.per_request
    missing = max(0, accepted - running.stored) if contender.stores else 0
    return Turn(measured, measured.rate * case.per_request, missing, waiting)


def _waiting(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=30) as answer:
        queue = json.load(answer)["checks"]["queue"]
    return int(queue["waiting"]) + int(queue["in_flight"])


def report(turns: Mapping[Case, Mapping[Contender, Sequence[Turn]]], rounds: int, seconds: float) -> str:
    """All tables, in Markdown."""
    when = datetime.now(UTC).date()
    machine = f"{os.cpu_count()} cores of a shared virtual machine, Python {platform.python_version()}"
    lines = [
        f"`make bench`, {when}, {machine}, {rounds} rounds of {seconds:.0f} s for each server.",
        "Medians (lowest to highest); ratios are taken within a round.",
        "",
    ]
    for case, of_case in turns.items():
        lines += [
            f"### {case.name}",
            "",
            "| server | events/s | p50 ms | p99 ms | this service to it: rate | p99 | waiting at the end | missing |",
        ]
        lines += ["|---|---|---|---|---|---|---|---|"]
        lines += [_row(contender, taken, of_case[OURS]) for contender, taken in of_case.items()]
        lines += [""]
    return "\n".join(lines)


def _row(contender: Contender, taken: Sequence[Turn], ours: Sequence[Turn]) -> str:
    rates = [mine.rate / theirs.rate for mine, theirs in zip(ours, taken, strict=True)]
    p99s = [mine.load.p99_ms / theirs.load.p99_ms for mine, theirs in zip(ours, taken, strict=True)]
    waiting = [turn.waiting for turn in taken if turn.waiting is not None]
    cells = [
        contender.name,
        _spread([turn.rate for turn in taken], ",.0f"),
        f"{median(turn.load.p50_ms for turn in taken):.1f}",
        _spread([turn.load.p99_ms for turn in taken], ".1f"),
        "" if contender is OURS else _spread(rates, ".2f"),
        "" if contender is OURS else _spread(p99s, ".2f"),
        f"{max(waiting):,}" if waiting else "",
        f"{sum(turn.missing for turn in taken):,}" if contender.stores else "",
    ]
    return f"| {' | '.join(cells)} |"


def _spread(values: Sequence[float], form: str) -> str:
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def plots(turns: Mapping[Case, Mapping[Contender, Sequence[Turn]]]) -> Iterable[tuple[str, str]]:
    """File names and SVG of accepted events a second, and of p99, by connections."""
    posts = {case: of_case for case, of_case in turns.items() if case.contenders == _ALL}
    shown: tuple[tuple[str, str, Callable[[Turn], float]], ...] = (
        ("rate.svg", "POST /event: accepted a second", lambda turn: turn.rate),
        ("p99.svg", "POST /event: p99, milliseconds", lambda turn: turn.load.p99_ms),
    )
    for name, title, value in shown:
        groups = {
            f"{case.connections} connections": {
                contender.name: [value(turn) for turn in taken]
                for contender, taken in of_case.items()
                if contender is not EMPTY
            }
            for case, of_case in posts.items()
        }
        yield name, bars(title, groups)


if __name__ == "__main__":
    main()

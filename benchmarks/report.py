"""Tables and plots of `make bench`."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.plot import bars

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from benchmarks.serving import Contender
    from benchmarks.turns import Case, Turn

_BUSY: Final = 3.0
"""Load average before a turn from which the machine counts as busy."""

_HEAD: Final = (
    "| server | CPU µs for an event | by process | events/s | p50 ms | p99 ms | this service to it: CPU | rate | p99 "
    "| waiting at the end | s to store it | missing |"
)


def report(
    turns: Mapping[Case, Mapping[Contender, Sequence[Turn]]], ours: Contender, rounds: int, seconds: float
) -> str:
    """All tables, in Markdown; each ratio compares `ours` with another contender of the same round."""
    taken = [turn for of_case in turns.values() for of_one in of_case.values() for turn in of_one]
    loads = [turn.machine for turn in taken]
    machine = f"{os.cpu_count()} cores of a shared virtual machine, Python {platform.python_version()}"
    busy = sum(load > _BUSY for load in loads)
    lines = [
        f"`make bench`, {datetime.now(UTC).date()}, {machine}, {rounds} rounds of {seconds:.0f} s for each server.",
        "Medians (lowest to highest); ratios are taken within a round. The load average before a turn was",
        f"{min(loads):.1f} to {max(loads):.1f}, and above {_BUSY:.0f} before {busy} of {len(loads)} turns.",
        "",
    ]
    for case, of_case in turns.items():
        lines += [f"### {case.name}", "", _HEAD, "|---" * (_HEAD.count("|") - 1) + "|"]
        lines += [_row(contender, of_one, of_case[ours], ours) for contender, of_one in of_case.items()]
        lines += [""]
    return "\n".join(lines)


def _row(contender: Contender, taken: Sequence[Turn], ours: Sequence[Turn], us: Contender) -> str:
    def ratios(value: Callable[[Turn], float]) -> str:
        if contender is us:
            return ""
        return _spread([value(mine) / value(theirs) for mine, theirs in zip(ours, taken, strict=True)], ".2f")

    waiting = [turn.waiting for turn in taken if turn.waiting is not None]
    cells = [
        contender.name,
        _spread([sum(turn.cpu) for turn in taken], ".0f"),
        " + ".join(f"{median(times):.0f}" for times in zip(*(turn.cpu for turn in taken), strict=False)),
        _spread([turn.rate for turn in taken], ",.0f"),
        f"{median(turn.load.p50_ms for turn in taken):.1f}",
        _spread([turn.load.p99_ms for turn in taken], ".1f"),
        ratios(lambda turn: sum(turn.cpu)),
        ratios(lambda turn: turn.rate),
        ratios(lambda turn: turn.load.p99_ms),
        f"{max(waiting):,}" if waiting else "",
        f"{median(turn.drained for turn in taken):.1f}" if contender.stores else "",
        f"{sum(turn.missing for turn in taken):,}" if contender.stores else "",
    ]
    return f"| {' | '.join(cells)} |"


def _spread(values: Sequence[float], form: str) -> str:
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def plots(turns: Mapping[Case, Mapping[Contender, Sequence[Turn]]], without: Contender) -> Iterable[tuple[str, str]]:
    """File names and SVG of accepted events a second, of p99 and of CPU time, by connections."""
    shown: tuple[tuple[str, str, Callable[[Turn], float]], ...] = (
        ("rate.svg", "POST /event: accepted a second", lambda turn: turn.rate),
        ("p99.svg", "POST /event: p99, milliseconds", lambda turn: turn.load.p99_ms),
        ("cpu.svg", "POST /event: CPU microseconds for an accepted and stored event", lambda turn: sum(turn.cpu)),
    )
    for name, title, value in shown:
        groups = {
            f"{case.connections} connections": {
                contender.name: [value(turn) for turn in of_one]
                for contender, of_one in of_case.items()
                if contender is not without
            }
            for case, of_case in turns.items()
        }
        yield name, bars(title, groups)

"""Times of calls in milliseconds, taken in turns, and their form in a table."""

import time
from collections.abc import Callable, Sequence
from statistics import median


def milliseconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def in_turns(rounds: int, *works: Callable[[], object]) -> list[list[float]]:
    """The milliseconds of each, round by round; a first round that warms up does not count."""
    measured = [[milliseconds(work) for work in works] for _ in range(rounds + 1)]
    return [list(times) for times in zip(*measured[1:], strict=True)]


def shown(measured: Sequence[float], digits: int = 2) -> str:
    """Median, and least to most."""
    middle, least, most = (f"{value:,.{digits}f}" for value in (median(measured), min(measured), max(measured)))
    return f"{middle} ({least} to {most})"


def ratio(one: Sequence[float], other: Sequence[float]) -> float:
    """The median of the ratios of neighbours."""
    return median(there / here for here, there in zip(one, other, strict=True))

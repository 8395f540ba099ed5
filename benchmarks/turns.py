"""Cases and turns of `make bench`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.load import Load
    from benchmarks.serving import Contender


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
    """Result of one contender in one round.

    `rate` is in accepted events a second, `cpu` in microseconds for each of them, by process, the first one first, from
    the begin of the load until everything is stored. `waiting` counts the events accepted and not stored at its end,
    and `drained` the seconds until it was. `machine` is the load average before the turn.
    """

    load: Load
    rate: float
    cpu: tuple[float, ...]
    missing: int
    waiting: int | None
    drained: float
    machine: float

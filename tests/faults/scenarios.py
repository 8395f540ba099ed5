"""All fault runs: what each does, how often in full and how often in the suite."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.faults import brokers
from tests.faults.load import Verdict


@dataclass(frozen=True)
class Scenario:
    """A fault, `rounds` times when all is run and `short` times in the suite."""

    name: str
    run: Callable[[int], Verdict]
    rounds: int
    short: int


SCENARIOS: Final = (
    Scenario("kill -9 of a worker in mid-batch", brokers.killed_workers, 50, 2),
    Scenario("restart of PostgreSQL and of RabbitMQ under load", brokers.restarted_servers, 10, 1),
    Scenario("redelivery storm, each message 1 to 5 times", brokers.redelivery_storm, 50, 5),
)

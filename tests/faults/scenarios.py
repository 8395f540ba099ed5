"""All fault runs: what each does, how often in full and how often in the suite."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from local_runner.spool.disk_spool import SYNC_SECONDS
from tests.faults import (
    alert_rules,
    brokers,
    erasure,
    feed,
    inside,
    ledger,
    ledger_steps,
    ledger_workers,
    purging,
    runner,
    streams,
    tail,
)
from tests.faults.load import Verdict
from tests.faults.servers import Kafka
from tests.support import databases


@dataclass(frozen=True)
class Scenario:
    """A fault, `rounds` times when all is run and `short` times in the suite."""

    name: str
    run: Callable[[int], Verdict]
    rounds: int
    short: int


# What a power cut can take in the mode `process`: up to the next sync, and as long as that takes on a busy machine.
_UNSYNCED_SECONDS: Final = SYNC_SECONDS + 0.8

SCENARIOS: Final = (
    Scenario("kill -9 of the runner under load", runner.killed_under_load, 200, 2),
    Scenario("kill -9 of the storing process", runner.killed_storing_process, 200, 2),
    Scenario("kill -9 of the accepting process alone", runner.killed_accepting_process, 200, 2),
    Scenario("kill -9 of both processes, in either order", runner.restarted_in_any_order, 200, 2),
    Scenario("SIGSTOP and SIGCONT of the storing process", runner.stopped_storing_process, 200, 2),
    Scenario("kill -9 between spool and store", runner.killed_between_spool_and_store, 200, 2),
    Scenario("SIGTERM at 500 events/s", runner.stopped_under_load, 50, 1),
    Scenario("disk full", runner.full_disk, 10, 1),
    Scenario("power cut, spool in mode disk", partial(runner.power_cut, spool="disk", bound=0), 30, 1),
    Scenario(
        "power cut, spool in mode process", partial(runner.power_cut, spool="process", bound=_UNSYNCED_SECONDS), 30, 1
    ),
    Scenario("clock a day ahead and a day back", runner.jumping_clock, 5, 1),
    Scenario("database locked, seconds", runner.locked_database, 30, 2),
    Scenario("database hangs, seconds, and clients are checked", runner.frozen_database, 60, 12),
    Scenario("consumer thread killed", inside.killed_consumer, 100, 2),
    Scenario("bit flipped in the spool", inside.flipped_bits, 1000, 50),
    Scenario("kill -9 at each step of the ledger", ledger_steps.killed_at_each_place, 200, 6),
    *(
        Scenario(
            f"kill -9 at each step of the ledger, {name}",
            partial(ledger_steps.killed_at_each_place, server=server),
            60,
            6,
        )
        for name, server in {"PostgreSQL": databases.POSTGRESQL, "MariaDB": databases.MARIADB}.items()
    ),
    Scenario("two workers integrate at once, seconds", ledger_workers.two_integrators, 60, 3),
    Scenario("kill -9 of a worker in mid-batch", brokers.killed_workers, 50, 1),
    Scenario("restart of PostgreSQL and of RabbitMQ under load", brokers.restarted_servers, 10, 1),
    Scenario("kill -9 of a worker in mid-batch, Kafka", partial(brokers.killed_workers, kind=Kafka), 50, 1),
    Scenario("restart of PostgreSQL and of Kafka under load", partial(brokers.restarted_servers, kind=Kafka), 10, 1),
    Scenario("kill -9 of one of three Kafka nodes, which loses its log", brokers.killed_nodes, 10, 1),
    *(
        Scenario(
            f"kill -9 while storing and integrating, {database}",
            partial(ledger.killed_at_any_statement, database=database),
            200,
            2,
        )
        for database in ("SQLite", "PostgreSQL", "MariaDB")
    ),
    *(
        Scenario(
            f"stops and kills while the feed is read, {database}",
            partial(feed.read_in_a_race, database=database),
            60,
            8,
        )
        for database in ("SQLite", "PostgreSQL", "MariaDB")
    ),
    *(
        Scenario(
            f"stops and kills of stream senders, flapping destination, {database}",
            partial(streams.sent_by_two, database=database),
            60,
            8,
        )
        for database in ("SQLite", "PostgreSQL", "MariaDB")
    ),
    *(
        Scenario(
            f"stops and kills of evaluators of alert rules, {database}",
            partial(alert_rules.evaluated_by_two, database=database),
            60,
            8,
        )
        for database in ("SQLite", "PostgreSQL", "MariaDB")
    ),
    Scenario("kill -9 of a tail with a state", tail.killed_tail, 100, 3),
    Scenario("kill -9 in mid-erase, SQLite", erasure.killed_while_erasing, 100, 2),
    Scenario("kill -9 in mid-purge, SQLite", purging.killed_while_purging, 100, 2),
    *(
        Scenario(f"kill -9 in {act}, {name}", partial(killed, server=server), 100, 2)
        for act, killed in {
            "mid-erase": erasure.killed_while_erasing,
            "mid-purge": purging.killed_while_purging,
        }.items()
        for name, server in {"PostgreSQL": databases.POSTGRESQL, "MariaDB": databases.MARIADB}.items()
    ),
    Scenario("redelivery storm, each message 1 to 5 times", brokers.redelivery_storm, 50, 2),
)

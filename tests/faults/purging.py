"""Faults of retention: a process that purges dies before any of its statements, and another one continues.

As a program: `python -m tests.faults.purging URL STEP` applies the retention rules, and kills itself by SIGKILL before
its STEP-th statement or commit; 0: never. It prints the number of statements.
"""

import random
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from sqlalchemy import Engine, func, select

from core.domain.models import Event
from core.domain.retention import RetentionRule
from core.stores import event_counters, partitions, purging
from core.stores.engine import open_engine
from core.stores.holds import Hold, place
from core.stores.ledger.integration import Ledger
from core.stores.ledger.stored_tree import StoredTree
from core.stores.migrations.upgrade import migrate
from core.stores.purging import purge
from core.stores.retention_rules import set_rule
from core.stores.schema import event_counters as counters
from core.stores.schema import events
from core.stores.sql import SqlEventStore
from tests.faults.killing import is_whole, kill_at, run
from tests.faults.load import Verdict
from tests.support import databases
from tests.support.builders import event

_PURGED: Final = 300
"""Events that are due in a round: several batches."""
_BATCH: Final = 90
_HELD: Final = 10
_KEPT: Final = 20
_HELD_CUSTOMER: Final = 44
_OLD: Final = datetime(2026, 1, 15, tzinfo=UTC)
_NOW: Final = datetime(2026, 6, 1, tzinfo=UTC)


def killed_while_purging(rounds: int, server: str | None = None) -> Verdict:
    """Kill a process that applies a retention rule, at a random statement, then run it to its end.

    After each kill and at the end the ledger must be whole. An event that is kept, by a rule or by a legal hold, and is
    gone counts as lost. As unexpected count a due event that is left, and a difference between the deleted events, the
    records and the counters.
    """
    with ExitStack() as opened:
        folder = Path(opened.enter_context(TemporaryDirectory(prefix="audit-log-purge-")))
        url = opened.enter_context(databases.throwaway(server)) if server else f"sqlite:///{folder}/audit-log.db"
        engine = opened.enter_context(databases.opened(url))
        migrate(engine)
        set_rule(engine, RetentionRule("due", None, 30), at=_NOW)
        place(engine, Hold(customer_id=_HELD_CUSTOMER), by="faults", at=_NOW)
        store, ledger = SqlEventStore(engine), Ledger(engine, StoredTree())
        given: list[Event] = []
        unexpected, steps = 0, 60
        for _ in range(rounds):
            if engine.dialect.name == "postgresql":
                partitions.create(engine, 0, now=_OLD)
            new = _events(len(given))
            store.add(new)
            given += new
            ledger.integrate()
            run(__spec__.name, url, random.randint(1, steps))  # noqa: S311 - no secret
            ledger.integrate()
            unexpected += not is_whole(engine)
            steps = run(__spec__.name, url, 0) or steps
        ledger.integrate()
        unexpected += not is_whole(engine)
        left = _left(engine)
        due = {each.event_id for each in given if _is_due(each)}
        lost = sum(each.event_id not in left for each in given if each.event_id not in due)
        unexpected += len(due & left) + sum(number != len(due) for number in _recorded(engine))
        return Verdict(len(given), len(given), len(left), lost, 0, unexpected)


def _events(first: int) -> list[Event]:
    month = int(_OLD.timestamp())
    kept_time = month if random.random() < 0.5 else int(_NOW.timestamp())  # noqa: S311 - in some rounds the month goes as a partition
    made = []
    for number in range(first, first + _PURGED + _HELD + _KEPT):
        place_in_round = number - first
        fields: dict[str, Any] = {"event_type": "due", "customer_id": 42, "timestamp_utc": month + place_in_round}
        if place_in_round >= _PURGED:
            fields["customer_id"] = _HELD_CUSTOMER
        if place_in_round >= _PURGED + _HELD:
            fields = {"event_type": "kept", "customer_id": 43, "timestamp_utc": kept_time}
        made.append(event(number, event_data={"n": number}, **fields))
    return made


def _is_due(each: Event) -> bool:
    return each.event_type == "due" and each.customer_id != _HELD_CUSTOMER


def _left(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return set(connection.scalars(select(events.c.event_id).where(events.c.customer_id > 0)))


def _recorded(engine: Engine) -> tuple[int, int]:
    """Return the number of deleted events by the log, and by the counters."""
    with engine.connect() as connection:
        of_kind = events.c.event_type == "audit-log.events.dropped"
        records = sum(data["events"] for data in connection.scalars(select(events.c.event_data).where(of_kind)))
        dropped = counters.c.outcome == event_counters.DROPPED
        counted = connection.scalar(select(func.sum(counters.c.count)).where(dropped)) or 0
        return records, int(counted)


def main(url: str, step: int) -> None:
    """Apply the rules, and kill this process at a statement."""
    engine = open_engine(url)
    done = kill_at(engine, step)
    purging.BATCH_EVENTS = _BATCH  # type: ignore[misc]
    purge(engine, now=_NOW, pause=lambda _: False)
    sys.stdout.write(str(done()))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

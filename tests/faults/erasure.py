"""Faults of erasure: a process that erases dies before any of its statements, and another one continues.

As a program: `python -m tests.faults.erasure URL EXTENT STEP` erases the events of a customer, their data or the whole,
and kills itself by SIGKILL before its STEP-th statement or commit; 0: never. It prints the number of statements.
"""

import random
import re
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from sqlalchemy import Engine, select

from core.domain.models import Event
from core.ports.store import Outcome
from core.stores.engine import open_engine
from core.stores.erasing import Eraser, Request, Selection
from core.stores.ledger.integration import Ledger
from core.stores.ledger.stored_tree import StoredTree
from core.stores.migrations.upgrade import migrate
from core.stores.schema import events
from core.stores.sql import SqlEventStore
from tests.faults.killing import is_whole, kill_at, run
from tests.faults.load import Verdict
from tests.support import databases
from tests.support.builders import event

_SECRET: Final = re.compile(rb"secret-[0-9]{9}")
_CUSTOMER: Final = 42
_ERASED: Final = 300
"""Events that are erased in a round: more than one transaction takes."""
_KEPT: Final = 20
_NOW: Final = datetime(2026, 2, 1, tzinfo=UTC)


def killed_while_erasing(rounds: int, server: str | None = None) -> Verdict:
    """Kill a process that erases the events of a customer, at a random statement, then run it to its end.

    After each kill and at the end the ledger must be whole. A kept event that is changed or gone counts as lost, an
    erased one with data as unexpected, and a repeat that is stored again as duplicated.
    """
    with ExitStack() as opened:
        folder = Path(opened.enter_context(TemporaryDirectory(prefix="audit-log-erasure-")))
        url = opened.enter_context(databases.throwaway(server)) if server else f"sqlite:///{folder}/audit-log.db"
        engine = opened.enter_context(databases.opened(url))
        migrate(engine)
        store, ledger = SqlEventStore(engine), Ledger(engine, StoredTree())
        given: list[Event] = []
        unexpected, steps = 0, 40
        for _ in range(rounds):
            new = _events(len(given))
            store.add(new)
            given += new
            ledger.integrate()
            whole = random.random() < 0.5  # noqa: S311 - no secret, and a coin
            _run(url, whole, random.randint(1, steps))  # noqa: S311 - the same
            ledger.integrate()
            unexpected += not is_whole(engine)
            steps = _run(url, whole, 0) or steps
        ledger.integrate()
        unexpected += not is_whole(engine)
        duplicated = sum(outcome is not Outcome.DUPLICATE for outcome in store.add(given))
        data = _data(engine)
        lost = sum(data.get(each.event_id) != each.event_data for each in given if each.customer_id != _CUSTOMER)
        erased = [each for each in given if each.customer_id == _CUSTOMER]
        unexpected += sum(data.get(each.event_id) != {} for each in erased)
        engine.dispose()
        if not server:
            content = b"".join(file.read_bytes() for file in folder.iterdir())
            unexpected += len({*_SECRET.findall(content)} & {each.event_data["secret"].encode() for each in erased})
        return Verdict(len(given), len(given), len(data), lost, duplicated, unexpected)


def _events(first: int) -> list[Event]:
    return [
        event(
            first + number,
            customer_id=_CUSTOMER if number < _ERASED else 43,
            event_data={"secret": f"secret-{first + number:09}", "more": "x" * random.randint(0, 3_000)},  # noqa: S311 - no secret
        )
        for number in range(_ERASED + _KEPT)
    ]


def _data(engine: Engine) -> dict[str, Any]:
    with engine.connect() as connection:
        rows = connection.execute(select(events.c.event_id, events.c.event_data, events.c.customer_id))
        return {row.event_id: row.event_data for row in rows}


def _run(url: str, whole: bool, step: int) -> int:  # noqa: FBT001 - a parameter of the program
    return run(__spec__.name, url, "whole" if whole else "data", step)


def main(url: str, extent: str, step: int) -> None:
    """Erase the events of the customer, and kill this process at a statement."""
    engine = open_engine(url)
    done = kill_at(engine, step)
    request = Request(
        Selection(customer_id=_CUSTOMER, before=int(_NOW.timestamp())), extent == "whole", "a fault run", "faults"
    )
    eraser = Eraser(engine)
    eraser.erase(request, at=_NOW, progress=lambda _: None)
    eraser.scrub()
    sys.stdout.write(str(done()))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))

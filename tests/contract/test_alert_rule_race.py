"""Two processes that evaluate the same rules at the same time count each event once, on every database."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from threading import Barrier, BrokenBarrierError
from typing import Any

from sqlalchemy import Engine

from core.alerts.evaluation import Evaluation
from core.alerts.evaluator import Evaluator
from core.domain.alert_rules import AlertRule
from core.domain.queries import EventFilter
from core.errors import StoreUnavailableError
from core.ports.alert_rules import RuleStep
from core.ports.feed import FeedRequest
from core.stores.alert_memory import SqlAlertMemory
from core.stores.alert_rules import SqlAlertRules
from core.stores.feed import SqlFeed
from core.stores.ledger.integration import Ledger
from core.stores.sql import SqlEventStore
from tests.support.alert_rules import NOW, happened, make_rule
from tests.support.fakes import FakeClock
from tests.support.streams import record
from tests.support.waiting import SECONDS

BATCHES = 5


class MeetingMemory:
    """Lets two processes that have evaluated something wait for each other before they store it."""

    def __init__(self, memory: SqlAlertMemory, meeting: Barrier) -> None:
        self._memory = memory
        self._meeting = meeting

    def commit(self, steps: Sequence[RuleStep], holder: str) -> dict[str, AlertRule]:
        with suppress(BrokenBarrierError):  # the other one has nothing to store
            self._meeting.wait(timeout=0.5)
        return self._memory.commit(steps, holder)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._memory, name)


def evaluate(engine: Engine, rounds: int, meeting: Barrier) -> None:
    """Evaluate like a process that takes the living for dead, because it was frozen for long."""
    clock = FakeClock(NOW.timestamp())
    memory: Any = MeetingMemory(SqlAlertMemory(engine), meeting)
    evaluator = Evaluator(SqlFeed(engine), memory, clock, lease_seconds=0, clock=clock)
    for _ in range(rounds):
        try:
            evaluator.round()
        except StoreUnavailableError:  # a deadlock or a lock that was waited for
            continue


def integrate(engine: Engine) -> None:
    while Ledger(engine).integrate():
        pass


def test_each_event_counts_once_although_two_hold_the_rules(engine: Engine, sql_store: SqlEventStore) -> None:
    rules = [
        make_rule(1, threshold=10, group_by=["event_data.ip"]),
        make_rule(2, kind="first_seen"),
        make_rule(3, threshold=70, window_seconds=45),
    ]
    for rule in rules:
        SqlAlertRules(engine).add_rule(rule, record())
    numbers = count(1)
    stored = []
    with ThreadPoolExecutor(2) as threads:
        for batch in range(BATCHES):
            part = [
                happened(n, batch * 40 + n % 30, event_data={"ip": str(n % 7 + batch)})
                for n in (next(numbers) for _ in range(50))
            ]
            sql_store.add(part)
            integrate(engine)
            stored += part
            meeting = Barrier(2)
            for running in [threads.submit(evaluate, engine, 3, meeting) for _ in range(2)]:
                running.result(timeout=SECONDS)
    evaluate(engine, 3, Barrier(1))
    integrate(engine)
    secret = SqlFeed(engine).cursor_key()
    expected = [
        alert.event_id
        for rule in rules
        for evaluation in [Evaluation(rule, secret)]
        for alert in evaluation.count(evaluation.candidates(enumerate(stored)), {}, NOW).alerts
    ]
    wanted = FeedRequest(EventFilter(event_types=("audit-log.alert",)), limit=1000)
    found = [event.event_id for _, event in SqlFeed(engine).read(wanted).entries]
    assert len(expected) > 2 * BATCHES, "some alerts need events of two batches"
    assert sorted(found) == sorted(expected)

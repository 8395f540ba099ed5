"""Faults of alert rules: two processes that evaluate them are killed and stopped while events are stored.

As a program, `python -m tests.faults.alert_rules URL` evaluates the rules of a database until it is killed. Now and
then it stops itself where that is worst: between reading events and the transaction that counts them, and inside of it.
"""

import logging
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from functools import partial
from typing import Any, Final

from core.alerts.evaluator import Evaluator
from core.alerts.steps import match_of
from core.domain.alert_rules import ALERT_TYPE, AlertRule
from core.domain.models import Event
from core.domain.queries import EventFilter
from core.ports.alert_rules import AlertMemory, Memory, Result, RuleStep
from core.ports.feed import FeedReader, FeedRequest
from core.settings import Settings
from core.stores.database import Database
from core.stores.ledger.integration import Ledger
from core.stores.migrations.upgrade import migrate
from core.wiring import Services
from tests.faults.ledger import database_of
from tests.faults.load import Verdict
from tests.faults.workers import Workers, storing, until_stored, work_for_ever
from tests.support.alert_rules import counted_afresh, happened, make_rule
from tests.support.streams import record
from tests.support.waiting import until

_JOB_EVENTS: Final = 50
_JOBS: Final = 20
"""Jobs at the same time: one that takes longer than a takeover."""
_RULES: Final = (
    make_rule(1, threshold=4, window_seconds=30, group_by=["event_data.actor"]),
    make_rule(2, threshold=_JOB_EVENTS, window_seconds=24 * 3600, group_by=["event_data.job"]),
    make_rule(3, kind="first_seen", path="event_data.ip", group_by=["customer_id"]),
)
"""The second one fires at the last event of each job: too early if one is counted twice, never if one is left out."""

_ACTORS: Final = 20
_SECONDS_A_BATCH: Final = (2, 8)
"""How far the time of the events advances with each batch, so that windows begin and end all the time."""
_UNORDERED_SECONDS: Final = 10
_LEASE_SECONDS: Final = 0.4
"""So short that also a process that is only slow is taken for dead, and that a minute has many takeovers."""
_STOPS_BEFORE: Final = 1 / 10
_STOPS_INSIDE: Final = 1 / 300
"""Probabilities that a process stops itself before a transaction, and in it while one rule is evaluated."""

_dice: Final = random.Random()  # noqa: S311 - no secret

Alert = tuple[object, ...]
"""Rule and values of the key; of a threshold also the event that fires, the number of events, and the first and the
last second of the window."""


def evaluated_by_two(seconds: int, database: str) -> Verdict:
    """Evaluate rules while events are stored; in each second perhaps kill or stop one that evaluates.

    `acknowledged` are the alerts that counting all events afresh gives, `stored` those in the log.
    """
    with database_of(database) as url:
        services = _services(url)
        migrate(services.database.engine)
        for rule in _RULES:
            services.database.alert_rules.add_rule(rule, record())
        with closing(services):
            with Workers("tests.faults.alert_rules", url) as workers:
                with storing(services.database, _Batches().make) as stored:
                    workers.disturb(seconds)
                size = services.feed.size()

                def has_ended() -> bool:
                    workers.wake_some()
                    return _least_position(services.database) >= size

                until(has_ended, "the last event", seconds=120)
            until_stored(Ledger(services.database.engine).integrate)
            found = Counter(map(_alert, _alerts(services.feed)))
    return _judge(stored, found)


def _judge(stored: Sequence[Event], found: Counter[Alert]) -> Verdict:
    expected = Counter(each for rule in _RULES for each in _counted_afresh(rule, stored))
    lost = (expected - found).total()
    duplicated = sum(count - expected[alert] for alert, count in found.items() if 0 < expected[alert] < count)
    unexpected = sum(count for alert, count in found.items() if alert not in expected)
    return Verdict(len(stored), expected.total(), found.total(), lost, duplicated, unexpected)


def _counted_afresh(rule: AlertRule, stored: Sequence[Event]) -> Iterator[Alert]:
    if rule.kind == "first_seen":
        yield from dict.fromkeys((rule.rule_id, each.customer_id, each.event_data["ip"]) for each in stored)
        return
    by_key: dict[object, list[Event]] = {}
    for each in stored:
        (field,) = rule.group_by
        by_key.setdefault(each.event_data[field.removeprefix("event_data.")], []).append(each)
    for key, events in by_key.items():
        history = [match_of(each, rule.window) for each in events]
        for facts in counted_afresh(history, rule.threshold or 0, rule.window):
            yield (rule.rule_id, key, *facts)


def _alert(event: Event) -> Alert:
    data = event.event_data
    alert = (data["subject"], *data["key"].values())
    if data["kind"] == "first_seen":
        return alert
    return (*alert, data["event_ids"][-1], data["count"], _second(data["first"]), _second(data["last"]))


def _second(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def _alerts(feed: FeedReader) -> Iterator[Event]:
    position, has_more = 0, True
    while has_more:
        page = feed.read(FeedRequest(EventFilter(event_types=(ALERT_TYPE,)), position, 1_000))
        yield from (event for _, event in page.entries)
        position, has_more = page.position, page.more


def _least_position(database: Database) -> int:
    return min(rule.position for rule in database.alert_rules.rules())


class _Batches:
    """Makes events whose times are not in order, and whose values are new now and then."""

    def __init__(self) -> None:
        self._second = _UNORDERED_SECONDS

    def make(self, first: int) -> list[Event]:
        self._second += _dice.randint(*_SECONDS_A_BATCH)
        return [self._event(first + number) for number in range(_dice.randint(1, 30))]

    def _event(self, number: int) -> Event:
        before = _dice.randint(0, _UNORDERED_SECONDS)
        data = {
            "actor": f"u-{_dice.randrange(_ACTORS)}",
            "ip": f"192.0.2.{_dice.randrange(1 + number // 20)}",
            "job": f"{number // (_JOBS * _JOB_EVENTS)}.{number % _JOBS}",
        }
        fields = {"customer_id": _dice.choice((1, 2)), "event_data": data}
        return happened(number, self._second - before, delay=before, **fields)


class _Stopping:
    """An `AlertMemory` in a process that stops itself."""

    def __init__(self, memory: AlertMemory) -> None:
        self._memory = memory

    def commit(self, steps: Sequence[RuleStep], holder: str) -> dict[str, AlertRule]:
        _stop(_STOPS_BEFORE)
        return self._memory.commit([step._replace(evaluate=partial(_stopped, step)) for step in steps], holder)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._memory, name)


def _stopped(step: RuleStep, memories: Mapping[str, Memory]) -> Result:
    result = step.evaluate(memories)
    _stop(_STOPS_INSIDE)
    return result


def _stop(probability: float) -> None:
    if _dice.random() < probability:
        os.kill(os.getpid(), signal.SIGSTOP)


def _services(url: str) -> Services:
    return Services(Settings.from_environ({"AUDIT_LOG_DATABASE_URL": url, "AUDIT_LOG_LEDGER": "off"}))


def main() -> None:
    """Evaluate until the process is killed."""
    logging.disable(logging.CRITICAL)  # each takeover is logged, as it should be; here they are many
    services = _services(sys.argv[1])
    memory: Any = _Stopping(services.database.alert_memory)
    work_for_ever(Evaluator(services.feed, memory, services.clock, lease_seconds=_LEASE_SECONDS).round)


if __name__ == "__main__":
    main()

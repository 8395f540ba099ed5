"""The thread that integrates: it continues after failures, and says so in the log once."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import enumerate as threads

import pytest

from core.errors import StoreUnavailableError
from core.settings import Settings
from local_runner.background.integrator import Integrator
from tests.support.builders import event
from tests.support.pipelines import start_pipeline
from tests.support.waiting import until


class Ledger:
    """Fails as often as it is asked to, then has `pending` transactions to do."""

    def __init__(self, *failures: Exception, pending: int = 0) -> None:
        self.failures = list(failures)
        self.pending = pending
        self.rounds = 0

    def integrate(self) -> int:
        self.rounds += 1
        if self.failures:
            raise self.failures.pop(0)
        self.pending -= self.pending > 0
        return self.pending


@contextmanager
def integrating(ledger: Ledger) -> Iterator[Integrator]:
    integrator = Integrator(ledger, pause=0.001)
    integrator.rounds.start()
    try:
        yield integrator
    finally:
        integrator.rounds.close()


def keys(caplog: pytest.LogCaptureFixture) -> list[str]:
    loggers = {"local_runner.background.integrator", "local_runner.background.rounds"}
    return [record.message for record in caplog.records if record.name in loggers]


def test_a_round_integrates_until_nothing_is_pending() -> None:
    ledger = Ledger(pending=5)
    with integrating(ledger):
        until(lambda: ledger.rounds >= 6)
    assert ledger.pending == 0


@pytest.mark.parametrize(
    ("error", "key"),
    [(StoreUnavailableError("away"), "integration_unavailable"), (ZeroDivisionError(), "round_failed")],
)
def test_it_continues_after_failures_and_logs_the_first(
    caplog: pytest.LogCaptureFixture, error: Exception, key: str
) -> None:
    caplog.set_level(logging.INFO)
    ledger = Ledger(error, error, error)
    with integrating(ledger):
        until(lambda: ledger.rounds >= 5)
    assert keys(caplog) == [key, "integration_resumed"]
    assert caplog.records[-1].after_failures == 3  # type: ignore[attr-defined]  # a field of this record


def test_events_of_a_pipeline_get_their_indices_within_seconds(settings: Settings) -> None:
    others = set(threads())  # of pipelines that tests share
    pipeline = start_pipeline(settings)
    try:
        pipeline.services.acceptance.publish([event(number) for number in range(1, 11)])
        check = pipeline.services.checks["ledger"]
        until(lambda: check() == {"size": 10, "oldest_pending_seconds": 0.0})
    finally:
        pipeline.close()
    assert "integrator" not in {thread.name for thread in set(threads()) - others}

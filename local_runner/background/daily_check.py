"""The daily check: a thread that has another process check the ledger once a day, where its checkpoints are signed."""

import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from core.errors import AuditLogError
from core.stores.engine import open_engine
from core.stores.ledger.checking.check import check_ledger
from core.stores.ledger.checking.findings import Report
from core.stores.ledger.file_guard import FileGuard
from local_runner.background.rounds import Rounds

FIRST_SECONDS: Final = 600.0
"""Time from the start of a service to its first check: a restart forgets the result of the last one."""
DAY_SECONDS: Final = 86_400.0

_NAMED: Final = 5
_NICENESS: Final = 15
_LOOK_SECONDS: Final = 0.5

_log = logging.getLogger(__name__)


class DailyCheck:
    """Checks in `rounds`. No failure ends them."""

    def __init__(
        self, url: str, guard: Path, *, first: float = FIRST_SECONDS, clock: Callable[[], float] = time.time
    ) -> None:
        """`url` is that of the event store, `guard` the directory of the guard; `first` seconds pass before a check."""
        self._url = url
        self._guard = guard
        self._clock = clock
        self._findings = 0
        self._checked_at = clock()
        pauses = chain([first], repeat(DAY_SECONDS))
        self.rounds: Final = Rounds("daily-check", lambda: next(pauses), self._round)

    def check(self) -> dict[str, object]:
        """Implement `Check`: return the findings of the last check, and its time in Unix seconds or that of the start.

        It never fails, since the service works all the same: an alert reports findings.
        """
        return {"findings": self._findings, "checked_at": round(self._checked_at)}

    def _round(self) -> None:
        try:
            report = self._check_in_process()
        except (AuditLogError, BrokenProcessPool) as exc:
            if not self.rounds.stop.is_set():
                action = "Nothing, if the next one succeeds; `audit-log ledger check` checks at once."
                _log.warning("ledger_check_failed", extra={"reason": str(exc), "action": action})
        else:
            self._report(report)

    def _check_in_process(self) -> Report:
        # A process for this check alone: its work would hold up requests, and its memory goes with it.
        with ProcessPoolExecutor(1, get_context("spawn"), os.nice, (_NICENESS,)) as pool:
            report = pool.submit(check_at, self._url, self._guard)
            while not report.done():
                if self.rounds.stop.wait(_LOOK_SECONDS):
                    _kill(pool)
                    break
            return report.result()

    def _report(self, report: Report) -> None:
        self._findings, self._checked_at = sum(report.findings.counts.values()), self._clock()
        facts: dict[str, object] = {
            "entries": report.size,
            "events": report.events,
            "erased": report.erased,
            "dropped": report.dropped,
        }
        if report.is_whole:
            _log.info("ledger_checked", extra=facts)
            return
        first = [f"{each.kind} {each.event_id or ''} {each.detail}" for each in report.findings.named[:_NAMED]]
        facts |= {"counts": dict(report.findings.counts), "first": first}
        action = "Keep a copy of the database, and run `audit-log ledger check`."
        _log.error("ledger_not_whole", extra={**facts, "action": action})


def _kill(pool: ProcessPoolExecutor) -> None:
    for process in list((pool._processes or {}).values()):  # noqa: SLF001 - public as kill_workers from Python 3.14 on
        process.kill()


def check_at(url: str, guard: Path) -> Report:
    """Check the ledger of a database, see `check_ledger`."""
    engine = open_engine(url)
    try:
        return check_ledger(engine, last_note=FileGuard(guard).latest())
    finally:
        engine.dispose()

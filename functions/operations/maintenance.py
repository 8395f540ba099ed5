"""Database maintenance of an AWS stage, run on deployment and on a schedule."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from core.aws.cloudwatch import accepted_between
from core.aws.metrics import LEDGER_FINDINGS, UNACCOUNTED, LoggedMetrics
from core.domain.reconciliation import Window
from core.wiring import Services

MONTHS_AHEAD: Final = 3
SETTLING: Final = timedelta(minutes=15)
"""Younger events may not have reached CloudWatch yet, and SQS counts its messages a minute late."""

PURGE_SECONDS: Final = 600
"""A function of Lambda ends after 15 minutes at the latest. The next run continues."""

AcceptedBetween = Callable[[str, int, int], int]


def migrate(services: Services) -> dict[str, Any]:
    """Bring the database to the current schema and list its revoked tokens; return the revisions before and after.

    Raises:
        StoreUnavailableError: the database cannot be reached.
        SecretUnavailableError: the list cannot be written.
        InvalidSettingsError: it was made by a newer version of this service.
    """
    before, after = services.database.migrate()
    services.database.clients.publish_revocations()
    return {"before": before, "after": after}


def create_partitions(services: Services) -> dict[str, Any]:
    """Create the partitions of this month and of the next ones; return the names of the new ones.

    Raises:
        StoreUnavailableError: another session holds the table; partitions created so far stay.
    """
    from core.stores.partitions import create  # noqa: PLC0415 - the other functions need not import it

    return {"created": create(services.database.engine, MONTHS_AHEAD, now=_now(services))}


def check_ledger(services: Services, stage: str) -> dict[str, Any]:
    """Check the ledger against the stored events; publish the number of findings as a metric and return the report.

    Raises:
        StoreUnavailableError: the database cannot be reached.
    """
    from core.stores.ledger.checking.check import check_ledger as check  # noqa: PLC0415 - as above

    report = check(services.database.engine)
    LoggedMetrics(stage, services.clock).put(LEDGER_FINDINGS, sum(report.findings.counts.values()))
    return report.facts()


def apply_retention(services: Services) -> dict[str, Any]:
    """Delete the events that are due by the retention rules, for at most ten minutes; return their number.

    `kept_by_holds` has the numbers of due events that legal holds keep, by the id of the hold.

    Raises:
        StoreUnavailableError: the database cannot be reached; deletions so far are recorded.
        PurgeRefusedError: no event of a client would be left.
    """
    end = services.clock() + PURGE_SECONDS
    purged = services.database.retention.purge(now=_now(services), pause=lambda _: services.clock() > end)
    return {"deleted": purged.deleted.total(), "kept_by_holds": purged.kept}


def reconcile(services: Services, stage: str, accepted: AcceptedBetween = accepted_between) -> dict[str, Any]:
    """Compare the events of a day with what became of them; publish the difference as a metric and return the figures.

    All dead letters count, whatever their day, since reading them would hide them from others meanwhile.

    Raises:
        StoreUnavailableError: the database cannot be reached.
        QueueUnavailableError: SQS cannot be reached.
        MetricsUnavailableError: CloudWatch cannot be reached.
    """
    from core.stores.reconciliation import reconcile as gather  # noqa: PLC0415 - as above

    result = gather(
        Window.day_before(_now(services) - SETTLING),
        services.database.event_counters,
        services.queue_statistics,
        accepted=lambda window: accepted(stage, window.start, window.end),
        stored=services.database.rows_received,
    )
    LoggedMetrics(stage, services.clock).put(UNACCOUNTED, result.unaccounted)
    return dict(result.figures())


def _now(services: Services) -> datetime:
    return datetime.fromtimestamp(services.clock(), UTC)

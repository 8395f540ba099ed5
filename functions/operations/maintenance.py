"""What a stage in AWS has done to its database: at each deployment, and by the clock."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from core.aws.cloudwatch import accepted_between
from core.aws.metrics import UNACCOUNTED, LoggedMetrics
from core.domain.reconciliation import Reconciliation
from core.wiring import Services

MONTHS_AHEAD: Final = 3
WINDOW: Final = timedelta(days=1)
SETTLED: Final = timedelta(minutes=15)
"""What is younger may be on its way into CloudWatch, and SQS counts its messages a minute late."""

AcceptedBetween = Callable[[str, int, int], int]


def migrate(services: Services) -> dict[str, Any]:
    """Bring the database to the current schema; the revisions around that.

    Raises:
        StoreUnavailableError: the database cannot be reached.
        InvalidSettingsError: it was made by a newer version of this service.
    """
    from core.stores.migrations.upgrade import migrate as apply  # noqa: PLC0415 - the other functions need not import Alembic

    before, after = apply(services.engine)
    return {"before": before, "after": after}


def create_partitions(services: Services) -> dict[str, Any]:
    """Make the partitions of this month and the next ones; the names of the new ones.

    Raises:
        StoreUnavailableError: someone else holds the table; what was made stays.
    """
    from core.stores.partitions import create  # noqa: PLC0415 - as above

    return {"created": create(services.engine, MONTHS_AHEAD, now=_now(services))}


def reconcile(services: Services, stage: str, accepted: AcceptedBetween = accepted_between) -> dict[str, Any]:
    """Compare what was accepted in a day with what became of it, and show the difference as a metric.

    All dead letters count, of this day or not, since looking at each would hide it from others meanwhile.

    Raises:
        StoreUnavailableError: the database cannot be reached.
        QueueUnavailableError: SQS cannot be reached.
        MetricsUnavailableError: CloudWatch cannot be reached.
    """
    from core.stores.event_counters import minute_of  # noqa: PLC0415 - as above

    until = _now(services) - SETTLED
    start, end = minute_of(until - WINDOW), minute_of(until)
    # In the order in which events move: what moves on meanwhile is counted twice, and never missed.
    received = accepted(stage, start, end)
    queue = services.checks["queue"]()
    sums = services.event_counters.sums(start, end)
    waiting, dead_letters = (int(str(queue[name])) for name in ("waiting", "dead_letters"))
    result = Reconciliation(received, sums["stored"], sums["repeated"], dead_letters, waiting)
    LoggedMetrics(stage, services.clock).put(UNACCOUNTED, max(0, result.difference))
    return {**vars(result), "difference": result.difference}


def _now(services: Services) -> datetime:
    return datetime.fromtimestamp(services.clock(), UTC)

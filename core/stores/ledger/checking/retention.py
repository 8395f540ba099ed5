"""Explains missing events: the log itself says how many events of a month retention has deleted."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, select

from core.domain.models import RESERVED_PREFIX, SYSTEM_CUSTOMER
from core.ledger.entries import month_text
from core.stores.ledger.checking.findings import Finding, Findings, MonthGap
from core.stores.retention import detached_months
from core.stores.schema import dropped_months, events

_RECORDS: Final = select(events.c.event_data).where(
    events.c.customer_id == SYSTEM_CUSTOMER, events.c.event_type == f"{RESERVED_PREFIX}events.dropped"
)
_MONTHS: Final = select(dropped_months.c.month, dropped_months.c.at)

INTERRUPTED: Final = (
    "; a purge of this month is under way or was interrupted: run `audit-log retention apply`, and check again"
)


def explain(connection: Connection, gaps: Mapping[int, MonthGap], totals: Mapping[int, int], found: Findings) -> int:
    """Add a finding for each missing event that retention does not explain; return the number of those that it does.

    A month is explained by the events that record its deletions, if they add up to at least as many. Such a record is
    deleted in its turn: then a month is explained if no event of it is left, `dropped_months` says that it was deleted
    in a later month, and that month is explained.

    `totals` has the number of entries of each month of `gaps`.
    """
    recorded: Counter[str] = Counter()
    for row in connection.execute(_RECORDS):
        recorded[row.event_data["month"]] += row.event_data["events"]
    dropped_in = {row.month: f"{row.at:%Y-%m}" for row in connection.execute(_MONTHS)}
    detached = detached_months(connection)
    explained: dict[str, bool] = {}
    total = 0
    for month in sorted(gaps, reverse=True):
        gap, name = gaps[month], month_text(month)
        by_successor = gap.count == totals[month] and explained.get(dropped_in.get(name, ""), False)
        explained[name] = gap.count <= recorded[name] or by_successor
        if explained[name]:
            total += gap.count
            continue
        detail = f"of {name} {gap.count:,} events are missing, and the log records {recorded[name]:,} deletions"
        if name in detached:
            detail += INTERRUPTED
        for absent in gap.first:
            found.add(Finding("missing", detail, absent.event_id, absent.index))
        found.counts["missing"] += gap.count - len(gap.first)
    return total

"""The report of a load test as a table for a terminal."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from local_runner.cli.load_test.results import LoadReport


def render(report: LoadReport) -> Table:
    """Lay out rate, latencies, statuses, and the verdict on the accepted events."""
    table = Table(show_header=False)
    table.add_column(style="bold")
    table.add_column()
    table.add_row(
        "rate", f"{report.rate:,.0f} accepted events/s ({report.requests:,} requests, {report.seconds:.2f} s)"
    )
    table.add_row(
        "latency",
        f"p50 {report.p50_ms:.1f} ms, p95 {report.p95_ms:.1f} ms, p99 {report.p99_ms:.1f} ms, "
        f"max {report.max_ms:.1f} ms",
    )
    table.add_section()
    for status, count in sorted(report.statuses.items()):
        table.add_row(_status_name(status), f"{count:,}")
    for name, count in sorted(report.transport_errors.items()):
        table.add_row(name, f"{count:,}", style="red")
    table.add_section()
    table.add_row("verdict", _verdict(report), style="green" if all_stored(report) else "red")
    return table


def all_stored(report: LoadReport) -> bool:
    """Whether events were accepted, and all of them were found."""
    return report.accepted > 0 and not report.missing and not report.unverified


def _verdict(report: LoadReport) -> str:
    if report.accepted == 0:
        return "no event was accepted"
    if report.missing:
        return f"{report.missing:,} accepted events were NOT found"
    if report.unverified:
        return f"{report.unverified:,} accepted events could not be looked for: the service does not answer"
    after = "" if report.seconds_until_visible is None else f" ({report.seconds_until_visible:.2f} s after the last)"
    return f"every accepted event was stored{after}"


def _status_name(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)

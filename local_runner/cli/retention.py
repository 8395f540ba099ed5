"""`audit-log retention ...`: how long events are kept, and their deletion afterwards."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated

import typer

from local_runner.cli import formatting
from local_runner.cli.event_fields import customer_option, type_option
from local_runner.cli.typer_app import App

if TYPE_CHECKING:
    from core.ports.retention import Archive, Due

app = App(help="How long events are kept, and their deletion afterwards.", no_args_is_help=True)

_MAX_DAYS = 36_500

EventType = Annotated[str | None, type_option(help="Event type. Default: all but those of the service.")]
Customer = Annotated[int | None, customer_option(help="Customer. Default: all.")]


@app.command("list")
def list_rules(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """List the rules. Events that no rule is about are kept."""
    from local_runner.cli.offline import existing_store

    with existing_store() as services:
        rules = services.database.retention.rules()
    for rule in rules:
        if as_json:
            facts = {"type": rule.event_type, "customer": rule.customer_id, "keep_days": rule.keep_days}
            typer.echo(formatting.to_json(facts))
        else:
            typer.echo(f"{formatting.counted(rule.keep_days, 'day')}: {formatting.visible(rule.name)}")
    if not rules and not as_json:
        typer.echo("There is no rule: all events are kept.")


@app.command("set")
def set_rule(  # noqa: PLR0913 - one parameter per option
    *,
    keep_days: Annotated[
        int | None,
        typer.Option(metavar="DAYS", min=1, max=_MAX_DAYS, help="Days to keep events after their timestamp_utc."),
    ] = None,
    event_type: EventType = None,
    customer: Customer = None,
    file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File to replace all rules by, with lines as `list --json` prints them."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show due events, and change nothing.")] = False,
    everything: Annotated[
        bool, typer.Option("--everything", help="Set the rules even if no event of a client would be left.")
    ] = False,
) -> None:
    """Set how long events of a type, of a customer, or all events are kept. The rule with more conditions applies.

    Nothing is deleted now: the running service does so once an hour, and `audit-log retention apply` at once.
    """
    from core.domain.retention import RetentionRule, with_rule
    from core.errors import PurgeRefusedError
    from local_runner.cli.offline import existing_store
    from local_runner.cli.retention_file import read_file

    if (file is None) == (keep_days is None) or (file and (event_type is not None or customer is not None)):
        raise typer.BadParameter(
            "give either a file or a period, and with a file nothing else", param_hint="--keep-days"
        )
    now = datetime.now(UTC)
    given = read_file(file) if file else [RetentionRule(event_type, customer, keep_days or _MAX_DAYS)]
    with existing_store() as services:
        retention = services.database.retention
        rules = given if file else with_rule(retention.rules(), given[0])
        if not everything and retention.leaves_nothing(rules, now=now):
            raise PurgeRefusedError(
                "These rules would delete every event now, such as with a wrong period: no rule was changed. Correct "
                "them, or add --everything."
            )
        if not dry_run and file:
            retention.replace_rules(rules, at=now)
        elif not dry_run:
            retention.set_rule(given[0], at=now)
        due = retention.plan(now=now, proposed=rules)
    _print(due)


@app.command()
def remove(*, event_type: EventType = None, customer: Customer = None) -> None:
    """Remove a rule."""
    from core.domain.retention import RetentionRule
    from local_runner.cli.offline import existing_store

    rule = RetentionRule(event_type, customer, 1)
    with existing_store() as services:
        services.database.retention.remove_rule(rule, at=datetime.now(UTC))
    typer.echo(f"removed the rule about {formatting.visible(rule.name)}")


@app.command()
def apply(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show due events, and delete nothing.")] = False,
    archive: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Directory, or s3://BUCKET/PREFIX, to write the events and their proofs to before."
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--everything", help="Delete even if no event of a client would be left.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Delete the events that are due by the rules permanently. An interrupted run is continued by the next one."""
    from core.stores.purging import sleep
    from local_runner.cli.offline import existing_store

    now = datetime.now(UTC)
    with existing_store() as services:
        keep: Archive | None = None
        if archive:
            from local_runner.background.archive import EventArchive, open_archive

            keep = EventArchive(open_archive(archive), services.database.proofs).add
        due = services.database.retention.plan(now=now)
        _print(due)
        if dry_run:
            _print_kept(services.database.retention.kept_by_holds(now=now))
            return
        if any(each.events for each in due) and not yes:
            formatting.confirm("Delete these events permanently?")
        purged = services.database.retention.purge(now=now, pause=sleep, everything=everything, archive=keep)
    for month, count in sorted(purged.deleted.items()):
        typer.echo(f"deleted {month}: {formatting.events(count)}")
    _print_kept(purged.kept)


def _print_kept(kept: dict[str, int]) -> None:
    for hold, count in kept.items():
        typer.echo(f"kept by the legal hold {hold}: {formatting.counted(count, 'due event')}")


def _print(due: list[Due]) -> None:
    for each in due:
        day = f"{datetime.fromtimestamp(each.before, UTC):%Y-%m-%d %H:%M} UTC"
        name = formatting.visible(each.rule.name)
        period = formatting.counted(each.rule.keep_days, "day")
        typer.echo(f"{period}: {name}: {formatting.events(each.events)} before {day} to delete")
    if not due:
        typer.echo("There is no rule: all events are kept.")

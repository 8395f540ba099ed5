"""`audit-log alert-rule ...`: alert rules, which record alerts. Each change is an event of the audit log."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.errors import AlertRuleNotFoundError, as_sentence
from local_runner.cli import formatting
from local_runner.cli.event_fields import customer_option
from local_runner.cli.operator_name import operator_name
from local_runner.cli.typer_app import App

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.domain.actors import Actor
    from core.domain.alert_rules import AlertRule, AlertRuleDefinition
    from core.wiring.alert_rules import AlertRuleServices

app = App(help="Alert rules, which record an alert as an event of the log.", no_args_is_help=True)

_RuleId = Annotated[str, typer.Argument(metavar="RULE_ID", help="Id as `audit-log alert-rule list` shows it.")]
_JSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_Name = Annotated[
    str, typer.Option(metavar="NAME", help="Name for people; two rules of the same customers cannot have the same.")
]
_Kind = Annotated[str, typer.Option(metavar="KIND", help="threshold, first_seen or absence.")]
_Filter = Annotated[
    str, typer.Option("--filter", metavar="QUERY", help="Query string of GET /event. Default: all events.")
]
_GroupBy = Annotated[
    list[str] | None,
    typer.Option(metavar="FIELD", help="Field by whose values events are counted apart; up to 3 times."),
]
_Threshold = Annotated[int | None, typer.Option(metavar="COUNT", help="threshold: number of events that fires.")]
_Window = Annotated[int | None, typer.Option(metavar="SECONDS", help="threshold and absence: the window.")]
_Path = Annotated[str | None, typer.Option(metavar="FIELD", help="first_seen: field whose new values fire.")]
_ForgetDays = Annotated[
    int | None, typer.Option(metavar="DAYS", help="first_seen: days after which a value is new again. Default: never.")
]
_Customer = Annotated[
    list[int] | None,
    customer_option(help="Customer to limit the rule to; repeatable. Default: all customers."),
]


@app.command()
def create(  # noqa: PLR0913 - one parameter per option
    *,
    name: _Name,
    kind: _Kind,
    event_filter: _Filter = "",
    group_by: _GroupBy = None,
    threshold: _Threshold = None,
    window: _Window = None,
    path: _Path = None,
    forget_days: _ForgetDays = None,
    customer: _Customer = None,
) -> None:
    """Create a rule, which counts events from now on, and print its id."""
    definition = _definition(name, kind, event_filter, group_by, threshold, window, path, forget_days, customer)
    with _alert_rules() as (services, me):
        typer.echo(f"rule_id: {services.registry.create(definition, me).rule_id}")


@app.command()
def preview(  # noqa: PLR0913 - one parameter per option
    *,
    kind: _Kind,
    name: _Name = "preview",
    event_filter: _Filter = "",
    group_by: _GroupBy = None,
    threshold: _Threshold = None,
    window: _Window = None,
    path: _Path = None,
    forget_days: _ForgetDays = None,
    customer: _Customer = None,
    as_json: _JSON = False,
) -> None:
    """Show when a rule would have fired over the newest 10,000 entries of the log. Nothing is stored."""
    definition = _definition(name, kind, event_filter, group_by, threshold, window, path, forget_days, customer)
    with _alert_rules() as (services, me):
        shown = services.preview(definition, me)
    if as_json:
        typer.echo(formatting.to_json(shown._asdict()))
        return
    for alert in shown.alerts:
        typer.echo(f"{alert['last']}  {alert['count']} events  {json.dumps(alert['key'], ensure_ascii=True)}")
    typer.echo(f"{shown.alert_count} alerts in {shown.entries} entries, of which {shown.matched} counted", err=True)


@app.command("list")
def list_rules(*, as_json: _JSON = False) -> None:
    """List all rules, the oldest first."""
    with _alert_rules() as (services, me):
        rows = [rule.model_dump(mode="json") for rule in services.registry.rules(me)]
    if as_json:
        for facts in rows:
            typer.echo(formatting.to_json(facts))
        return
    if not rows:
        typer.echo("There are no alert rules.", err=True)
        return
    from rich.table import Column

    names = ("rule_id", "name", "kind", "state", "last_alert_at")
    columns = [Column(name.replace("_", " "), no_wrap=name == "rule_id", overflow="fold") for name in names]
    cells = ([str(facts[name] or "") for name in names] for facts in rows)
    formatting.print_table(formatting.table(columns, cells))


@app.command()
def show(rule_id: _RuleId, *, as_json: _JSON = False) -> None:
    """Show a rule."""
    with _alert_rules() as (services, me):
        facts = services.registry.get(rule_id, me).model_dump(mode="json")
    formatting.print_facts(facts, as_json=as_json)


@app.command()
def pause(rule_id: _RuleId) -> None:
    """Stop the evaluation. The rule keeps its place and its memory."""
    with _alert_rules() as (services, me):
        _print_state(services.registry.pause(rule_id, me))


@app.command()
def resume(rule_id: _RuleId) -> None:
    """Evaluate again, from the place where a rule was paused."""
    with _alert_rules() as (services, me):
        _print_state(services.registry.resume(rule_id, me))


@app.command()
def delete(rule_id: _RuleId) -> None:
    """Delete a rule and its memory. Its alerts stay in the log."""
    with _alert_rules() as (services, me):
        services.registry.delete(rule_id, me)
    typer.echo(f"{formatting.visible(rule_id)} is deleted")


@contextmanager
def _alert_rules() -> Iterator[tuple[AlertRuleServices, Actor]]:
    """Yield the rules of an event store that exists; create and migrate nothing."""
    from core.domain.actors import Actor
    from local_runner.cli.offline import existing_store

    with existing_store() as services:
        try:
            yield services.alert_rules, Actor(f"cli:{operator_name()}", is_operator=True)
        except AlertRuleNotFoundError as exc:
            raise AlertRuleNotFoundError(f"{exc} See `audit-log alert-rule list`.") from None


def _definition(*values: Any) -> AlertRuleDefinition:
    """Build a definition of values in the order of the options."""
    from pydantic import ValidationError

    from core.domain.alert_rules import AlertRuleDefinition
    from core.domain.field_errors import field_errors

    names = "name", "kind", "filter", "group_by", "threshold", "window_seconds", "path", "forget_days", "customers"
    fields = {name: value for name, value in zip(names, values, strict=True) if value is not None}
    try:
        return AlertRuleDefinition.model_validate(fields)
    except ValidationError as exc:
        raise typer.BadParameter(as_sentence(field_errors(exc))) from None


def _print_state(rule: AlertRule) -> None:
    typer.echo(f"{rule.rule_id} is {rule.state} at index {rule.position}")

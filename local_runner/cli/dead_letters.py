"""`audit-log dead-letters ...`: lists, shows and redrives the events that the queue gave up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from core.errors import AuditLogError
from local_runner.cli import formatting
from local_runner.cli.typer_app import App

if TYPE_CHECKING:
    from core.ports.queue import DeadLetter

app = App(help="Dead letters: events that the queue gave up.", no_args_is_help=True)

ALL: Final = 1_000_000
"""A limit beyond the number of dead letters that a service is left with."""

_Ids = Annotated[
    list[str] | None, typer.Argument(metavar="ID", help="Ids as `list` shows them. Default: all dead letters.")
]


class DeadLetterNotFoundError(AuditLogError):
    """No dead letter has this id. See `audit-log dead-letters list`."""


@app.command("list")
def list_dead_letters(
    *,
    limit: Annotated[
        int, typer.Option(metavar="COUNT", min=1, help="Number of dead letters to show, oldest first.")
    ] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """List dead letters without removing them, oldest first."""
    from rich.table import Column

    from local_runner.cli.offline import existing_queue

    with existing_queue(with_store=False) as services:
        letters = services.dead_letters.dead_letters(limit + 1)
    shown = letters[:limit]
    if as_json:
        for letter in shown:
            typer.echo(formatting.to_json(_facts(letter)))
    else:
        columns = (Column("id", no_wrap=True), "event id", "type", "customer", "received", "tries")
        if shown:
            formatting.print_table(formatting.table(columns, map(_cells, shown)))
        else:
            typer.echo("There are no dead letters.")
    if len(letters) > limit:
        typer.echo(f"There are more: use --limit {limit * 10}.", err=True)


@app.command()
def show(
    message_id: Annotated[str, typer.Argument(metavar="ID", help="Id as `list` shows it, or the id of the event.")],
) -> None:
    """Print a dead letter as JSON, with the event that is stored under the same id, if there is one."""
    from local_runner.cli.offline import existing_queue

    with existing_queue(with_store=True) as services:
        letters = services.dead_letters.dead_letters(ALL)
        letter = next((one for one in letters if message_id in (one.message_id, _event_of(one).get("event_id"))), None)
        if letter is None:
            raise DeadLetterNotFoundError(f"There is no dead letter {message_id!r}. See `audit-log dead-letters list`.")
        stored = services.reader.get(str(_event_of(letter).get("event_id")))
    facts = {**_facts(letter), "stored": stored and stored.model_dump(mode="json")}
    typer.echo(formatting.to_json(facts, indent=2))


@app.command()
def redrive(message_ids: _Ids = None) -> None:
    """Put dead letters back as if never tried, once the cause of their failure is fixed."""
    from local_runner.cli.offline import existing_queue

    with existing_queue(with_store=True) as services:
        count = services.dead_letters.redrive(message_ids or None)
    given = len(set(message_ids or ()))
    if count < given:
        formatting.print_error(
            f"{count} of {formatting.counted(given, 'id')} put back: see `audit-log dead-letters list`."
        )
        raise typer.Exit(1)
    typer.echo(f"{count} put back" if count else "There was nothing to put back.")


def _event_of(letter: DeadLetter) -> dict[str, Any]:
    """The JSON object of the event in a dead letter; empty if its body is no JSON object."""
    try:
        event = json.loads(letter.body)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def _cells(letter: DeadLetter) -> list[str]:
    event = _event_of(letter)
    fields = (event.get(name, "?") for name in ("event_id", "event_type", "customer_id", "received_at"))
    return [letter.message_id, *map(str, fields), str(letter.receive_count)]


def _facts(letter: DeadLetter) -> dict[str, Any]:
    return {"id": letter.message_id, "tries": letter.receive_count, "event": _event_of(letter) or letter.body}

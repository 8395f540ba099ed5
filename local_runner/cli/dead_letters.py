"""`audit-log dead-letters ...`: the events that were given up, to look at and to put back."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final

import orjson
import typer
from rich.console import Console
from rich.table import Column, Table

from core.errors import AuditLogError
from core.ports.queue import DeadLetter
from core.settings import Settings
from core.wiring import Services
from local_runner.runtime import offline_services
from local_runner.telemetry import logging_config

app = typer.Typer(help="Events that were given up.", no_args_is_help=True)

ALL: Final = 1_000_000
"""More dead letters than anybody should have."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_out = Console(highlight=False, markup=False)  # what a dead letter holds is no markup
_Ids = Annotated[list[str] | None, typer.Argument(help="Ids as `list` shows them; none means all.")]


class NoSuchDeadLetterError(AuditLogError):
    """There is no dead letter with this id. See `audit-log dead-letters list`."""


@app.command("list")
def list_dead_letters(
    *,
    limit: Annotated[int, typer.Option(min=1, help="How many to show, the oldest first.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on each line.")] = False,
) -> None:
    """Show what was given up; it stays where it is."""
    with opened() as services:
        letters = services.dead_letters.dead_letters(limit + 1)
    for letter in letters[:limit] if as_json else ():
        sys.stdout.buffer.write(orjson.dumps(_facts(letter), option=orjson.OPT_APPEND_NEWLINE))
    if not as_json:
        table = Table(Column("id", no_wrap=True), "event id", "type", "customer", "received", "tries", box=None)
        for letter in letters[:limit]:
            event = event_of(letter)
            cells = (event.get(name, "?") for name in ("event_id", "event_type", "customer_id", "received_at"))
            # A broker's messages can be anybody's, and a terminal obeys control characters.
            table.add_row(*(_CONTROL.sub("?", str(cell)) for cell in (letter.message_id, *cells, letter.receive_count)))
        _out.print(table if letters else "There are no dead letters.")
    if len(letters) > limit:
        typer.echo(f"There are more: see the first of them by --limit {limit * 10}.", err=True)


@app.command()
def show(
    message_id: Annotated[str, typer.Argument(help="Its id, as `list` shows it, or the id of its event.")],
) -> None:
    """Print a dead letter as JSON, beside the event that is stored under its id, if there is one."""
    with opened() as services:
        letters = services.dead_letters.dead_letters(ALL)
        letter = next((one for one in letters if message_id in (one.message_id, event_of(one).get("event_id"))), None)
        if letter is None:
            raise NoSuchDeadLetterError(f"There is no dead letter {message_id!r}: see `audit-log dead-letters list`.")
        stored = services.reader.get(str(event_of(letter).get("event_id")))
    shown = {**_facts(letter), "stored": stored and stored.model_dump(mode="json")}
    typer.echo(orjson.dumps(shown, option=orjson.OPT_INDENT_2))


@app.command()
def redrive(message_ids: _Ids = None) -> None:
    """Put dead letters back, as if never tried, once what was wrong with them or with the store is mended."""
    with opened() as services:
        count = services.dead_letters.redrive(message_ids or None)
    _out.print(f"{count} put back" if count else "There was nothing to put back.")


@contextmanager
def opened() -> Iterator[Services]:
    """The parts that the environment describes, for one command."""
    settings = Settings.from_environ()
    logging_config.configure(settings.log_format)
    services = offline_services(settings)
    try:
        yield services
    finally:
        services.close()


def event_of(letter: DeadLetter) -> dict[str, Any]:
    """The JSON object of the event that it carries; empty if it carries none."""
    try:
        event = orjson.loads(letter.body)
    except orjson.JSONDecodeError:
        return {}
    return event if isinstance(event, dict) else {}


def _facts(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.message_id,
        "tries": letter.receive_count,
        "event": event_of(letter) or letter.body,
    }

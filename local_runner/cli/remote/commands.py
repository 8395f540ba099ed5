"""`audit-log query`, `tail`, `send` and `export`: options in, what they are about is in the modules beside this one.

Those are imported when they are needed: an HTTP client is a tenth of a second that the other commands need not wait.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

import typer
from rich.progress import BarColumn, DownloadColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from core.errors import InvalidFieldsError
from local_runner.cli import formatting
from local_runner.cli.remote.options import (
    ClientId,
    Customers,
    EventTypes,
    Since,
    Until,
    Url,
    Where,
    connected,
    filters,
)

_DEFAULT_URL = "http://127.0.0.1:8000"
_ON_A_PAGE = 100
_INTERRUPTED = 130
"""As a shell has it for a command that Ctrl-C ended: 128 and the number of SIGINT."""

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


def query(  # noqa: PLR0913 - one parameter per option, here and below
    *,
    event_type: EventTypes = None,
    customer: Customers = None,
    since: Since = None,
    until: Until = None,
    where: Where = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    every: Annotated[bool, typer.Option("--all", help="All that match, however many.")] = False,
    oldest_first: Annotated[bool, typer.Option("--oldest-first", help="Instead of the newest.")] = False,
    as_json: AsJson = False,
    url: Url = _DEFAULT_URL,
    client_id: ClientId = None,
) -> None:
    """Show events of a running service, the newest first."""
    from local_runner.cli.remote import event_display  # noqa: PLC0415 - see above

    wanted = filters(event_type, customer, since, until, where)
    with connected(url, client_id) as api:
        matching = api.events(wanted, order="asc" if oldest_first else "desc")
        found = matching if every else islice(matching, limit)
        if as_json:
            for event in found:
                typer.echo(formatting.to_json(event))
        else:
            formatting.console().print(event_display.as_table(found))


def tail(  # noqa: PLR0913
    *,
    event_type: EventTypes = None,
    customer: Customers = None,
    where: Where = None,
    last: Annotated[int, typer.Option("--last", "-n", min=0, max=_ON_A_PAGE, help="Show so many to begin with.")] = 10,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 1.0,
    as_json: AsJson = False,
    url: Url = _DEFAULT_URL,
    client_id: ClientId = None,
) -> None:
    """Show events as they are stored, until Ctrl-C. A service that is restarted meanwhile is waited for."""
    from local_runner.cli.remote import event_display  # noqa: PLC0415
    from local_runner.cli.remote.tail import Follower, follow  # noqa: PLC0415

    wanted = filters(event_type, customer, None, None, where)
    with connected(url, client_id, patience=0) as api, contextlib.suppress(KeyboardInterrupt):
        for event in follow(Follower(api, wanted), last, interval, _on_outage):
            typer.echo(formatting.to_json(event) if as_json else event_display.as_line(event))
    raise typer.Exit(_INTERRUPTED)


def send(  # noqa: PLR0913
    *,
    file: Annotated[
        typer.FileBinaryRead | None, typer.Argument(help="One event as JSON on each line; - is standard input.")
    ] = None,
    event_type: Annotated[str | None, typer.Option(help="Send one event of this type instead.")] = None,
    customer: Annotated[int | None, typer.Option(help="Its customer.")] = None,
    data: Annotated[str | None, typer.Option(help='Its event_data: {"username": "admin"}.')] = None,
    timestamp: Annotated[int | None, typer.Option(help="When it happened, in Unix seconds. Default: now.")] = None,
    name: Annotated[
        str | None, typer.Option(help="What FILE was called when it was first sent, if it was moved.")
    ] = None,
    url: Url = _DEFAULT_URL,
    client_id: ClientId = None,
) -> None:
    """Send events to a running service.

    A FILE may be sent again, after an interruption or with lines corrected or added: what was accepted before is stored
    once. Ends with status 1 if a line was not accepted.
    """
    from local_runner.cli.remote.send import one_event, send_lines  # noqa: PLC0415

    if file is None:
        if event_type is None or customer is None or data is None:
            raise typer.BadParameter("name a file of events, or --event-type, --customer and --data of one")
        event = one_event(event_type, customer, data, timestamp)
        with connected(url, client_id) as api:
            receipt = api.send([event])
        if receipt.rejected:
            raise InvalidFieldsError("The event was not accepted.", [{"loc": [], "msg": receipt.rejected[0]}])
        typer.echo(formatting.visible(receipt.accepted[0]))
        return
    if any(option is not None for option in (event_type, customer, data, timestamp)):
        raise typer.BadParameter("the events of a file say themselves what they are: leave the other options out")
    path = Path(getattr(file, "name", "-"))  # standard input need not have one
    is_file = path.is_file()
    known_as = name or (str(path.resolve()) if is_file else None)
    with connected(url, client_id) as api, _bar("sending", path.stat().st_size if is_file else None) as (advance, say):
        sent = send_lines(api, file, known_as, lambda number, why: say(f"line {number}: {why}"), advance)
    typer.echo(f"{sent.accepted:,} accepted, {sent.rejected:,} not", err=True)
    if sent.rejected:
        raise typer.Exit(1)


def export(  # noqa: PLR0913
    *,
    kind: Annotated[
        Literal["ndjson", "csv"], typer.Option("--format", help="JSON lines, or for spreadsheets.")
    ] = "ndjson",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Default: standard output.", dir_okay=False)
    ] = None,
    event_type: EventTypes = None,
    customer: Customers = None,
    since: Since = None,
    until: Until = None,
    where: Where = None,
    url: Url = _DEFAULT_URL,
    client_id: ClientId = None,
) -> None:
    """Write all events of a running service that match, oldest first."""
    from local_runner.cli.remote.export import export as write  # noqa: PLC0415

    wanted = filters(event_type, customer, since, until, where)
    with connected(url, client_id) as api, _output(output) as stream, _bar("exporting", 1) as (advance, _):
        events = write(api, wanted, kind, stream, advance)
    typer.echo(f"{events:,} events", err=True)


def _on_outage(message: str) -> None:
    typer.echo(f"{formatting.visible(message)} Waiting for it.", err=True)


@contextlib.contextmanager
def _output(file: Path | None) -> Iterator[BinaryIO]:
    """Where to write to. A file gets its name when it is whole, so that a part of an export never passes for it."""
    if file is None:
        yield sys.stdout.buffer
        return
    part = file.with_name(f"{file.name}.part")
    try:
        stream = part.open("wb")
    except OSError as exc:
        raise typer.BadParameter(f"cannot be written: {exc.strerror}", param_hint="--output") from None
    with stream:
        yield stream
    part.replace(file)


@contextlib.contextmanager
def _bar(what: str, total: float | None) -> Iterator[tuple[Callable[[float], None], Callable[[str], None]]]:
    """A bar on standard error, if that is a terminal: what moves it, and what writes a line above it."""
    size = DownloadColumn() if total != 1 else TaskProgressColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), size, TimeElapsedColumn())
    with formatting.progress(*columns) as bar:
        task = bar.add_task(what, total=total)

        def print_line(line: str) -> None:
            bar.console.print(formatting.visible(line), soft_wrap=True)

        yield lambda done: bar.update(task, completed=done), print_line

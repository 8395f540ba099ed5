"""`audit-log query`, `tail`, `send` and `export`: options and output.

Modules that need an HTTP client are imported at use, so that other commands start faster.
"""

import contextlib
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

import typer

from local_runner.cli import formatting
from local_runner.cli.remote.options import (
    ClientId,
    Customers,
    EventTypes,
    Fields,
    Since,
    Until,
    Url,
    Where,
    connected,
    filters,
)
from local_runner.cli.remote.output_file import STANDARD_STREAM, output_file
from local_runner.cli.times import time_option

_DEFAULT_URL = "http://127.0.0.1:8000"
_DEFAULT_LIMIT = 20
_PAGE_SIZE = 100
_INTERRUPTED = 130
"""Exit status that shells use for a command ended by Ctrl-C: 128 and the number of SIGINT."""

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]


def query(  # noqa: PLR0913 - one parameter per option, here and below
    *,
    event_type: EventTypes = None,
    customer: Customers = None,
    since: Since = None,
    until: Until = None,
    where: Where = None,
    field: Fields = None,
    limit: Annotated[
        int | None,
        typer.Option(metavar="COUNT", min=1, help="Number of events to show.", show_default=str(_DEFAULT_LIMIT)),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Show all matching events, without a limit.")] = False,
    oldest_first: Annotated[
        bool, typer.Option("--oldest-first", help="Begin with the oldest event instead of the newest.")
    ] = False,
    as_json: AsJson = False,
    url: Url = _DEFAULT_URL,
    client_id: ClientId = None,
) -> None:
    """Show events of a running service, newest first."""
    from local_runner.cli.remote import event_display

    if every and limit is not None:
        raise typer.BadParameter("cannot be combined with --all", param_hint="--limit")
    selected = filters(event_type, customer, since, until, where, field)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    shown = 0
    with connected(url, client_id) as api:
        matching = api.events(selected, order="asc" if oldest_first else "desc")
        for event in matching if every else islice(matching, limit or _DEFAULT_LIMIT):
            typer.echo(formatting.to_json(event) if as_json else event_display.as_block(event, width))
            shown += 1
        rest = api.page(selected, limit=1) if next(matching, None) else None
    if rest:
        typer.echo(f"{event_display.as_share(shown, rest)}; --all shows all of them.", err=True)
    elif not shown and not as_json:
        typer.echo("No event matches.", err=True)


def show(
    event_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the event, as `query` and `send` print it.")],
    url: Url = _DEFAULT_URL,
    client_id: ClientId = None,
) -> None:
    """Print one event of a running service as JSON."""
    with connected(url, client_id) as api:
        typer.echo(formatting.to_json(api.event(event_id), indent=2))


def tail(  # noqa: PLR0913
    *,
    event_type: EventTypes = None,
    customer: Customers = None,
    where: Where = None,
    field: Fields = None,
    last: Annotated[
        int,
        typer.Option(
            "--last",
            "-n",
            metavar="COUNT",
            min=0,
            max=_PAGE_SIZE,
            help="Number of past events to begin with, without --from-start and a FILE to continue from.",
        ),
    ] = 10,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Begin with the oldest event, unless FILE says where to continue.")
    ] = False,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Keep the place in this file, and continue from it: after an interruption some events may be shown "
            "again, and none is lost.",
            dir_okay=False,
        ),
    ] = None,
    interval: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="Seconds from one request to the next at least.")
    ] = 1.0,
    as_json: AsJson = False,
    url: Url = _DEFAULT_URL,
    client_id: ClientId = None,
) -> None:
    """Follow events in the order in which they are stored, until Ctrl-C. Waits for a service that restarts."""
    from audit_log_client import RefusedError
    from local_runner.cli.remote import event_display
    from local_runner.cli.remote.tail import StateFile, ends_within_line, explain, follow, follow_newest

    selected = filters(event_type, customer, None, None, where, field)
    place = StateFile(state) if state else None
    after = place.read() if place else None
    as_text = formatting.to_json if as_json else event_display.as_line
    with connected(url, client_id, patience=0) as api, contextlib.suppress(KeyboardInterrupt):
        if after and ends_within_line(sys.stdout):
            typer.echo()  # the event of that line follows again
        if after or from_start:
            pages = follow(api, selected, after=after, interval=interval, on_message=_print_message)
        else:
            pages = follow_newest(api, selected, last, interval=interval, on_message=_print_message)
        try:
            for events, cursor in pages:
                if events:
                    typer.echo("\n".join(map(as_text, events)))  # flushed before the place moves
                if place:
                    place.write(cursor)
        except RefusedError as exc:
            raise explain(exc, state) from None
    raise typer.Exit(_INTERRUPTED)


def send(  # noqa: PLR0913
    *,
    file: Annotated[
        typer.FileBinaryRead | None,
        typer.Argument(
            metavar="FILE", help="One JSON event per line, or an export, also in gzip; - reads standard input."
        ),
    ] = None,
    event_type: Annotated[
        str | None, typer.Option(metavar="TYPE", help="Send one event of this type instead of a file.")
    ] = None,
    customer: Annotated[int | None, typer.Option(metavar="ID", help="Customer of that event.")] = None,
    data: Annotated[
        str | None, typer.Option(metavar="JSON", help='event_data of that event, such as {"username": "admin"}.')
    ] = None,
    timestamp: Annotated[datetime | None, time_option("Time of that event. Default: now.")] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Path of FILE when it was first sent, if it has moved since.")
    ] = None,
    url: Url = _DEFAULT_URL,
    client_id: ClientId = None,
) -> None:
    """Send events to a running service. What `export` wrote as NDJSON is imported, with its ids and times.

    A FILE can be sent again, after an interruption or with lines corrected or added: events that were accepted before
    are stored once. Ends with status 1 if a line was not accepted.
    """
    from local_runner.cli.remote.send import one_event, send_lines, send_one

    if file is None:
        if event_type is None or customer is None or data is None:
            raise typer.BadParameter("name a FILE of events, or --event-type, --customer and --data of one")
        if name is not None:
            raise typer.BadParameter("goes with a FILE, and not with one event", param_hint="--name")
        event = one_event(event_type, customer, data, timestamp)
        with connected(url, client_id) as api:
            typer.echo(formatting.visible(send_one(api, event)))
        return
    if any(option is not None for option in (event_type, customer, data, timestamp)):
        raise typer.BadParameter("--event-type, --customer, --data and --timestamp cannot be combined with a FILE")
    from local_runner.cli.remote.rejections import Rejections

    path = Path(getattr(file, "name", "-"))  # standard input need not have a name
    is_file = path.is_file()
    known_as = name or (str(path.resolve()) if is_file else None)
    size = path.stat().st_size if is_file else None
    with connected(url, client_id) as api, _bar("sending", size) as (advance, print_line):
        rejections = Rejections(print_line)
        sent = send_lines(api, file, known_as, rejections.add, lambda: advance(file.tell()) if is_file else None)
        for line in rejections.summary():
            print_line(line)
    typer.echo(str(sent), err=True)
    if sent.rejected:
        raise typer.Exit(1)


def export(  # noqa: PLR0913
    *,
    kind: Annotated[
        Literal["ndjson", "csv"] | None,
        typer.Option(
            "--format",
            metavar="ndjson|csv",
            help="ndjson: one JSON object per line; csv: for spreadsheets. Default: csv for a FILE that ends with .csv "
            "or .csv.gz, otherwise ndjson.",
        ),
    ] = None,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File to write, compressed if it ends with .gz. Default: -, standard output.",
            dir_okay=False,
            allow_dash=True,
        ),
    ] = STANDARD_STREAM,
    event_type: EventTypes = None,
    customer: Customers = None,
    since: Since = None,
    until: Until = None,
    where: Where = None,
    field: Fields = None,
    url: Url = _DEFAULT_URL,
    client_id: ClientId = None,
) -> None:
    """Write all matching events of a running service to a file, oldest first."""
    from local_runner.cli.remote.export import export as write
    from local_runner.cli.remote.export import format_of

    selected = filters(event_type, customer, since, until, where, field)
    with connected(url, client_id) as api, output_file(output) as stream, _bar("exporting", 1) as (advance, _):
        exported = write(api, selected, kind or format_of(output), stream, advance)
    typer.echo(formatting.events(exported), err=True)


def _print_message(message: str) -> None:
    typer.echo(formatting.visible(message), err=True)


@contextlib.contextmanager
def _bar(what: str, total: float | None) -> Iterator[tuple[Callable[[float], None], Callable[[str], None]]]:
    """Show a progress bar. Yields a function that sets the progress and one that prints a line above the bar."""
    from rich.progress import BarColumn, DownloadColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

    size = DownloadColumn() if total != 1 else TaskProgressColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), size, TimeElapsedColumn())
    with formatting.progress(*columns) as bar:
        task = bar.add_task(what, total=total)

        def print_line(line: str) -> None:
            bar.console.print(formatting.visible(line), soft_wrap=True)

        yield lambda done: bar.update(task, completed=done), print_line

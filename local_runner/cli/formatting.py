"""Terminal output: tables, JSON, errors and progress bars, with every character escaped that could deceive a reader.

What events, dead letters and clients hold was sent by others. Shown as it is, it could command the terminal, turn the
direction of text, or look like another text.
"""

from __future__ import annotations

import codecs
import io
import json
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rich.console import Console
    from rich.progress import Progress, ProgressColumn
    from rich.table import Column, Table

# Characters that Python counts as printable and that are shown as nothing: those of Unicode's property
# Default_Ignorable_Code_Point (https://www.unicode.org/reports/tr44/) outside the category Cf.
_BLANK: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)

_WIDTH_WITHOUT_TERMINAL: Final = 1_000_000
_LEAST_WIDTH: Final = 10
"""Width below which a column of longer values is not broken further."""

_PADDING: Final = 2
_JSON_ESCAPE: Final = "audit_log_json_escape"
"""Name of the error handler that writes what an encoding lacks as JSON does, like other escapes of this module."""


def visible(text: str) -> str:
    r"""Escape a text for a terminal, on one line: `\u202e` for an invisible character, `\\` for a backslash."""
    return _escape(text.replace("\\", "\\\\"))


def counted(number: int, noun: str) -> str:
    """Write a number and a noun: `1 day`, `1,200 days`."""
    return f"1 {noun}" if number == 1 else f"{number:,} {noun}s"


def events(number: int) -> str:
    """Write a number of events: `1 event`, `1,200 events`."""
    return counted(number, "event")


def escape_what_cannot_be_encoded() -> None:
    """Let standard output take every character, also where its encoding is not UTF-8, as in a locale of ISO 8859-1."""
    out = sys.stdout
    if isinstance(out, io.TextIOWrapper) and out.errors == "strict":
        codecs.register_error(_JSON_ESCAPE, _as_json_escape)
        out.reconfigure(errors=_JSON_ESCAPE)


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Encode JSON for a terminal, on one line unless `indent` is given. It is read back as the same value."""
    separators = (",", ":") if indent is None else None
    text = json.dumps(value, ensure_ascii=False, separators=separators, indent=indent)
    # json escapes line breaks inside strings, so that those of an indented text are its own.
    return "\n".join(map(_escape, text.split("\n")))


def table(columns: Sequence[Column | str], rows: Iterable[Sequence[str]]) -> Table:
    """Lay out rows below headings, with every text made visible."""
    from rich.table import Column, Table

    own = (
        column.copy() if isinstance(column, Column) else Column(column, overflow="fold") for column in columns
    )  # a column keeps its cells, so it is copied
    laid_out = Table(*own, box=None)
    for row in rows:
        laid_out.add_row(*map(visible, row))
    return laid_out


def properties(rows: Iterable[tuple[str, str]]) -> Table:
    """Lay out names and values, with every value made visible."""
    from rich.table import Column, Table

    laid_out = Table(Column(no_wrap=True), Column(overflow="fold"), show_header=False, box=None)
    for name, value in rows:
        laid_out.add_row(name, visible(value))
    return laid_out


def print_facts(facts: Mapping[str, Any], *, as_json: bool) -> None:
    """Print names and JSON values for people, or as one JSON object."""
    if as_json:
        typer.echo(to_json(facts))
        return
    shown = {name: value if isinstance(value, str) else json.dumps(value) for name, value in facts.items()}
    print_table(properties(shown.items()))


def print_table(laid_out: Table) -> None:
    """Print a table. In a terminal that is too narrow its rows continue in the next line: Rich would drop columns."""
    out = console()
    out.width = max(out.width, sum(_least_width(column) + _PADDING for column in laid_out.columns))
    out.print(laid_out)


def console(*, stderr: bool = False) -> Console:
    """A console that prints text as it is: no markup, no names of emoji, no highlighting.

    A pipe or a file has no width: there a row of a table is one line, with every value whole, for grep and awk.
    """
    from rich.console import Console

    is_terminal = (sys.stderr if stderr else sys.stdout).isatty()
    width = None if is_terminal else _WIDTH_WITHOUT_TERMINAL
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=width)


def progress(*columns: ProgressColumn) -> Progress:
    """A progress bar on standard error that disappears at its end; without a terminal there is none."""
    from rich.progress import Progress

    out = console(stderr=True)
    return Progress(*columns, console=out, transient=True, disable=not out.is_terminal)


def print_error(message: str) -> None:
    """Print the error that ends the command, on one line of standard error."""
    typer.secho(f"audit-log: {_escape(message)}", fg="red", err=True)


def confirm(question: str) -> None:
    """Ask for confirmation.

    Raises:
        typer.Abort: the answer is no, or there is none, as without a terminal.
    """
    try:
        with _interruptible():
            typer.confirm(question, abort=True)
    except typer.Abort:
        typer.echo("\nNothing was changed: answer y, or give --yes.", err=True)
        raise


def ask_secret(question: str) -> str:
    """Ask for a text that is not shown.

    Raises:
        typer.Abort: the input has ended.
    """
    with _interruptible():
        answer: str = typer.prompt(question, hide_input=True, err=True)
    return answer


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C at a question end the command as elsewhere: Typer takes it for an answer that is missing."""
    try:
        yield
    except typer.Abort as exc:
        if isinstance(exc.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise


def _least_width(column: Column) -> int:
    from rich.cells import cell_len

    heading = cell_len(str(column.header))
    widest = max([heading, *(cell_len(str(cell)) for cell in column.cells)])
    return widest if column.no_wrap else max(column.min_width or 0, min(widest, max(heading, _LEAST_WIDTH)))


def _as_json_escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


def _escape(text: str) -> str:
    if text.isprintable() and not _BLANK.search(text):
        return text
    return "".join(
        character if character.isprintable() and not _BLANK.match(character) else json.dumps(character)[1:-1]
        for character in text
    )

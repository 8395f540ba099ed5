"""Follows the feed of a service, and keeps the place of its reader in a file."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from audit_log_client import Api, Filters, RefusedError, StoredEvent, UnavailableError
from core.domain.byte_order_mark import without_mark
from core.errors import AuditLogError
from core.ports.durable_files import PUBLIC, replace


class StateFileError(AuditLogError):
    """The file with the place of a reader cannot be used. The message says why."""


class StateFile:
    """File with the cursor of the last page that its reader has dealt with."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> str | None:
        """Return the cursor; None if there is no file yet.

        Raises:
            StateFileError: it cannot be read, or has no cursor.
        """
        try:
            cursor = without_mark(self._path.read_bytes()).decode("ascii").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as exc:
            raise StateFileError(f"The file of --state cannot be read ({_reason(exc)}): name another one.") from exc
        if not cursor:
            raise StateFileError("The file of --state is empty: delete it to start over, or name another one.")
        return cursor

    def write(self, cursor: str) -> None:
        """Replace the cursor at once: after a crash the file has the former one or this one.

        Raises:
            StateFileError: it cannot be written, and has the former cursor.
        """
        try:
            replace(self._path, f"{cursor}\n".encode("ascii"), PUBLIC)
        except OSError as exc:
            raise StateFileError(
                f"The file of --state cannot be written ({_reason(exc)}): check its directory, then start again."
            ) from exc


def explain(error: RefusedError, path: Path | None) -> Exception:
    """Return an error that names the file of `--state` if the service refuses the place that was read from it."""
    if path and str(error).partition(": ")[2].startswith("after "):
        return StateFileError(
            f"{path} has no place of this log: name another file for --state, or delete it to start over."
        )
    return error


def follow(
    api: Api, filters: Filters, *, after: str | None, interval: float, on_message: Callable[[str], None]
) -> Iterator[tuple[list[StoredEvent], str]]:
    """Yield pages of events in the order in which they are stored, without end, each with the cursor behind it.

    Pages without events are left out, unless more follow. `on_message` is called once for each outage of the service,
    and where events are missing.
    """

    def on_outage(reason: UnavailableError) -> None:
        on_message(f"{reason} Waiting for it.")

    for page in api.follow(filters, after=after, interval=interval, on_outage=on_outage):
        if page["skipped"]:
            on_message(f"{page['skipped']:,} events are missing here: they were deleted before they could be followed.")
        if page["events"] or page["more"]:
            yield page["events"], page["next_cursor"]


def follow_newest(
    api: Api, filters: Filters, last: int, *, interval: float, on_message: Callable[[str], None]
) -> Iterator[tuple[list[StoredEvent], str]]:
    """Yield the newest `last` events by their own time, then those that are stored from now on, each event once."""
    now = api.feed(filters, after="now", limit=1)["next_cursor"]
    newest = api.page(filters, limit=last)["events"][::-1] if last else []
    yield newest, now
    shown = {event["event_id"] for event in newest}
    for events, cursor in follow(api, filters, after=now, interval=interval, on_message=on_message):
        yield [event for event in events if event["event_id"] not in shown], cursor


def ends_within_line(output: TextIO) -> bool:
    """Return whether output is appended to a file that ends within a line, as a kill can leave it."""
    try:
        descriptor = output.fileno()
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return False
        with Path(f"/dev/fd/{descriptor}").open("rb") as file:  # the descriptor itself may be write-only
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except OSError:
        return False  # an empty file


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__

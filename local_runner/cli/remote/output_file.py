"""Output file of a command: complete under its name, or not there."""

import gzip
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

import typer

from core.ports.durable_files import sync

STANDARD_STREAM: Final = Path("-")


@contextmanager
def output_file(file: Path) -> Iterator[BinaryIO]:
    """Open the file to write to. It gets its name once it is complete and on the disk: a part passes for no whole.

    Until then its name is its own, so that commands that write the same file at the same time do not mix: the last one
    to end replaces the file. A device, a pipe and `/dev/stdout` are written to as they are: a rename would put a file
    in their place.

    Raises:
        BadParameter: the file cannot be written.
    """
    if file == STANDARD_STREAM:
        yield sys.stdout.buffer
        return
    is_special = file.exists() and not file.is_file()
    target = file if is_special else file.resolve()  # a link stays, and leads to the export
    part = target if is_special else target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    try:
        stream = part.open("wb")
    except OSError as exc:
        raise typer.BadParameter(f"cannot be written: {exc.strerror}", param_hint="--output") from None
    try:
        with stream:
            if file.suffix == ".gz":
                with gzip.open(stream, "wb") as compressed:
                    yield cast("BinaryIO", compressed)
            else:
                yield stream
        if not is_special:
            sync(part)
            part.replace(target)
    finally:
        if not is_special:
            part.unlink(missing_ok=True)

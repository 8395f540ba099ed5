"""Destination `directory`: compressed files of JSON lines below a directory of this machine.

A file is written aside, flushed to the disk and renamed, so that a program that reads the directory never meets a part
of one. A batch that is sent again replaces its file.
"""

import errno
import gzip
from pathlib import Path
from typing import Final, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, field_validator

from core.errors import DeliveryDelayedError, MisconfiguredError
from core.ports.durable_files import replace, sync
from core.ports.streams import Batch, Limits, Receipt

_PASSING: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EINTR, errno.EAGAIN, errno.ESTALE})

_GROUP_READABLE: Final = 0o640


class Config(BaseModel):
    """Settings of the destination."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: Literal["directory"] = "directory"
    path: Path = Field(description="Absolute path of a directory that exists.")
    every: int = Field(
        default=300, ge=0, le=86400, description="Most seconds until a file is written that is not full."
    )

    @field_validator("path")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        if not value.is_absolute() or ".." in value.parts:
            raise ValueError("must be an absolute path without ..")
        return value


class Secrets(BaseModel):
    """A directory has no secrets."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class DirectoryDestination:
    """Implements `Destination`."""

    def __init__(self, root: Path, seconds: float) -> None:
        """`root` must exist: a directory in the place of a disk that is not mounted would hide its files."""
        self.limits = Limits(events=5_000, bytes=8_000_000, seconds=seconds)
        self._root = root

    def send(self, batch: Batch) -> Receipt:
        """See `Destination.send`."""
        body = gzip.compress(b"".join(orjson.dumps(entry.record) + b"\n" for entry in batch.entries), mtime=0)
        first = batch.entries[0].event
        hour = self._root / first.received_at.strftime("%Y/%m/%d/%H")
        try:
            if not self._root.is_dir():
                raise MisconfiguredError("The directory does not exist: create it, or mount its disk.")
            hour.mkdir(parents=True, exist_ok=True)
            path = hour / f"{first.event_id}-{len(batch.entries)}.ndjson.gz"
            replace(path, body, _GROUP_READABLE)
            for folder in list(path.parents)[1:5]:  # where directories of the path were created
                sync(folder)
            if batch.is_test:
                path.unlink()
        except OSError as exc:
            message = f"The directory cannot be written ({exc.strerror})."
            raise (DeliveryDelayedError if exc.errno in _PASSING else MisconfiguredError)(message) from None
        return Receipt()

    def close(self) -> None:
        """There is nothing to close."""


def open_destination(_stream_id: str, config: Config, _secrets: Secrets, _egress: object) -> DirectoryDestination:
    """See `core.ports.streams`."""
    return DirectoryDestination(config.path, config.every)


def operator_only(_config: Config, _secrets: Secrets) -> str | None:
    """See `core.ports.streams`."""
    return "must be of another kind: only `audit-log stream create` may write files on the machine of the service"

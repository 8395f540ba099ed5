"""Reads the segments of a slot at a start: intact records are counted, damage is set aside, nothing is guessed."""

import logging
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Final

from core.errors import InvalidSettingsError
from local_runner.spool.files import DRAFT_SUFFIX, FileSystem
from local_runner.spool.records import (
    RECORD_OVERHEAD,
    VERSION,
    Damage,
    Record,
    decode_acks,
    decode_records,
    version_of,
)
from local_runner.spool.segment import ACKS_SUFFIX, SUFFIX, Segment

CORRUPT_NAME: Final = "corrupt"

_log = logging.getLogger(__name__)


@dataclass
class RecoveredSlot:
    """The segments that earlier processes left, in order, and the sequence number to continue with.

    `written_at` is the time of the last write in Unix seconds, `damages` the number of stretches that were set aside.
    """

    next_number: int
    segments: list[Segment] = field(default_factory=list)
    written_at: float = 0.0
    damages: int = 0


def recover(directory: Path, first_number: int, disk: FileSystem) -> RecoveredSlot:
    """Read the segments of a slot; `first_number` is the number to begin with in an empty one.

    Raises:
        InvalidSettingsError: a segment has an unknown version; no file was changed.
        OSError: the directory cannot be read or written.
    """
    recovered = RecoveredSlot(first_number)
    paths = sorted(path for path in directory.glob(f"*{SUFFIX}") if path.stem.isdecimal())
    for path in paths:
        _require_known_version(path)
    for path, following in zip_longest(paths, paths[1:]):
        _add_segment(recovered, path, int(following.stem) if following else None, disk)
    for path in directory.glob(f"*{DRAFT_SUFFIX}"):
        path.unlink()  # its process died before it named the file, and so before anything relied on it
    for path in directory.glob(f"*{ACKS_SUFFIX}"):
        if not path.with_suffix(SUFFIX).exists():
            path.unlink()  # its process died between the removal of the two files
    return recovered


def count_pending(directory: Path) -> int:
    """Count the pending events in all slots of a spool, without a lock: other processes may be writing to it."""
    pending: set[int] = set()
    for path in directory.glob(f"*/*{SUFFIX}"):
        with suppress(FileNotFoundError):  # removed meanwhile, since all of it was acknowledged
            numbers = {item.number for item in decode_records(path.read_bytes()) if isinstance(item, Record)}
            for ack in decode_acks(Segment(path, int(path.stem)).read_acks()):
                if not isinstance(ack, Damage):
                    numbers.difference_update(range(ack[0], ack[1] + 1))
            pending |= numbers
    return len(pending)


def _add_segment(recovered: RecoveredSlot, path: Path, following: int | None, disk: FileSystem) -> None:
    """Count the records of one segment. Those from `following` on, the first number of the next one, do not count."""
    segment = Segment(path, int(path.stem))
    content = path.read_bytes()
    segment.size = len(content)
    recovered.written_at = max(recovered.written_at, path.stat().st_mtime)
    most = len(content) // RECORD_OVERHEAD if following is None else following - segment.first
    flags = bytearray()  # 1 for a number whose record is lost: there is nothing to replay
    for item in decode_records(content):
        if isinstance(item, Damage):
            _set_aside(recovered, path, item, disk)
        elif 0 <= (index := item.number - segment.first) < most:
            flags += b"\1" * (index + 1 - len(flags))
            flags[index] = 0
    segment.add_records(bytes(flags))
    recovered.next_number = max(recovered.next_number, segment.end)
    for ack in decode_acks(segment.read_acks()):
        if isinstance(ack, Damage):
            _set_aside(recovered, segment.acks_path, ack, disk)
        else:
            segment.mark_acknowledged(*ack)
            # A power cut may take a record and leave its acknowledgement: no other event may get its number.
            recovered.next_number = max(recovered.next_number, ack[1] + 1)
    if segment.pending:
        disk.sync_path(path)  # a killed process may not have done it
        segment.synced = segment.size
    recovered.segments.append(segment)


def _set_aside(recovered: RecoveredSlot, path: Path, damage: Damage, disk: FileSystem) -> None:
    """Copy damaged bytes into the spool's directory `corrupt`, and report them."""
    recovered.damages += 1
    corrupt = path.parent.parent / CORRUPT_NAME
    corrupt.mkdir(mode=0o700, exist_ok=True)
    copy = corrupt / f"{path.parent.name}-{path.stem}-{path.suffix[1:]}-at-{damage.position:010d}"
    disk.write_durably(copy, damage.content)
    _log.error(
        "spool_damaged",
        extra={
            "file": str(path),
            "at": damage.position,
            "bytes": len(damage.content),
            "kept_in": str(copy),
            "action": "Look for events in the copy: they are not stored. The records around the damage are.",
        },
    )


def _require_known_version(path: Path) -> None:
    with path.open("rb") as file:
        version = version_of(file.readline(64))
    if version not in {None, VERSION}:
        raise InvalidSettingsError(
            f"AUDIT_LOG_DATA_DIR: {path} has version {version} of the spool's format, and this program reads version "
            f"{VERSION}: start the program that wrote it and let it store its events; the file was not changed"
        )

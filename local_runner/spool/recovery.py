"""What a start finds in a slot: whole records are counted, everything else is set aside, nothing is guessed."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice, zip_longest
from pathlib import Path
from typing import Final

from core.errors import InvalidSettingsError
from local_runner.spool.files import DRAFT_SUFFIX, FileSystem
from local_runner.spool.records import RECORD_OVERHEAD, VERSION, Damage, Record, noted, scan, version_of
from local_runner.spool.segment import NOTES_SUFFIX, SUFFIX, Segment

CORRUPT_NAME: Final = "corrupt"

_log = logging.getLogger(__name__)


class Recovery:
    """The segments of a slot, the oldest first, the number to go on with, and how many places were damaged.

    Raises:
        InvalidSettingsError: a segment is of another version. Nothing was changed.
        OSError: the directory cannot be read or written.
    """

    def __init__(self, directory: Path, first_number: int, disk: FileSystem) -> None:
        self.segments: list[Segment] = []
        self.next_number = first_number
        self.damages = 0
        self.written_at = 0.0
        """When the newest segment was last written to, in Unix seconds."""
        self._aside = directory.parent / CORRUPT_NAME
        self._disk = disk
        paths = sorted(path for path in directory.glob(f"*{SUFFIX}") if path.stem.isdecimal())
        for path in paths:
            _require_known(path)
        for path, following in zip_longest(paths, paths[1:]):
            self._take_stock(path, int(path.stem), int(following.stem) if following else None)
        for path in directory.glob(f"*{DRAFT_SUFFIX}"):
            path.unlink()  # of a process that died before the file had its name, and so before anything relied on it
        for path in directory.glob(f"*{NOTES_SUFFIX}"):
            if not path.with_suffix(SUFFIX).exists():
                path.unlink()  # of a process that died between the two

    def _take_stock(self, path: Path, first: int, following: int | None) -> None:
        """Count the records of a segment. Those from number `following` on were written again in the next one."""
        segment = Segment(path, first)
        content = path.read_bytes()
        segment.size = len(content)
        self.written_at = max(self.written_at, path.stat().st_mtime)
        most = len(content) // RECORD_OVERHEAD if following is None else following - first
        flags = bytearray()
        for found in scan(content):
            if isinstance(found, Damage):
                self._set_aside(path, found)
            elif 0 <= (index := found.number - first) < most:
                flags += b"\1" * (index + 1 - len(flags))
                flags[index] = 0
        segment.extend(bytes(flags))
        self.next_number = max(self.next_number, segment.end)
        notes = segment.notes()
        for found_note in noted(notes):
            if isinstance(found_note, Damage):
                self._set_aside(segment.notes_path, found_note)
            else:
                segment.mark(*found_note)
                # A record that a power cut took may have its note: its number must not be given to another event.
                self.next_number = max(self.next_number, found_note[1] + 1)
        if segment.left:
            self._disk.sync_file(path)  # its process may have been killed before it did that itself
            segment.synced = segment.size
        self.segments.append(segment)

    def _set_aside(self, path: Path, damage: Damage) -> None:
        self.damages += 1
        self._aside.mkdir(mode=0o700, exist_ok=True)
        kept_in = self._aside / f"{path.parent.name}-{path.stem}-{path.suffix[1:]}-at-{damage.position:010d}"
        self._disk.keep(kept_in, damage.content)
        _log.error(
            "a part of the spool is torn or corrupt; it is set aside, and the records around it are kept",
            extra={"file": str(path), "at": damage.position, "bytes": len(damage.content), "kept_in": str(kept_in)},
        )


def count_pending(directory: Path) -> int:
    """How many events the slots below `directory` hold, seen from beside the process that may be writing there."""
    numbers: set[int] = set()
    for path in directory.glob(f"*/*{SUFFIX}"):
        with suppress(FileNotFoundError):  # settled meanwhile
            found = {each.number for each in scan(path.read_bytes()) if isinstance(each, Record)}
            for each in noted(Segment(path, int(path.stem)).notes()):
                if not isinstance(each, Damage):
                    found.difference_update(range(each[0], each[1] + 1))
            numbers |= found
    return len(numbers)


class Replay:
    """Reads what recovered segments have left, one segment in memory at a time."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = [segment for segment in segments if segment.left]
        self._records: Iterator[Record] = iter(())
        self.left = sum(segment.left for segment in self._segments)

    def take(self, at_most: int) -> list[Record]:
        """The next of them; none: that was all."""
        while not (records := list(islice(self._records, at_most))) and self._segments:
            segment = self._segments.pop(0)
            self._records = self._unsettled(segment)
        self.left = max(0, self.left - len(records)) if records else 0
        return records

    @staticmethod
    def _unsettled(segment: Segment) -> Iterator[Record]:
        try:
            content = segment.path.read_bytes()
        except OSError:
            _log.exception("a part of the spool cannot be read any more; it waits for the next start")
            return
        for found in scan(content):
            if isinstance(found, Record) and segment.is_unsettled(found.number):
                yield found


def _require_known(path: Path) -> None:
    with path.open("rb") as file:
        version = version_of(file.readline(64))
    if version not in {None, VERSION}:
        raise InvalidSettingsError(
            f"AUDIT_LOG_DATA_DIR: {path} is of version {version} of the spool, this program knows version {VERSION}: "
            "start the program that wrote it and let it store what is there; the file is left as it is"
        )

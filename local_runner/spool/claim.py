"""Claims the slots of a process that starts, so that several processes can share a data directory."""

import itertools
from contextlib import ExitStack
from pathlib import Path

from core.errors import InvalidSettingsError, QueueUnavailableError
from local_runner.spool.files import FileSystem, LockedError
from local_runner.spool.slot import Slot, SpoolLimits


def claim_slots(directory: Path, limits: SpoolLimits, disk: FileSystem, *, durable: bool) -> tuple[Slot, list[Slot]]:
    """Return the slot to append to, and the adopted ones: other free slots with pending events.

    The slot to append to is the lowest that no live process holds, or a new one if all are held. Free slots without
    pending events are left to the next process.

    Raises:
        InvalidSettingsError: the directory cannot be used, or a segment in it has an unknown version.
    """
    free: list[Slot] = []
    with ExitStack() as undo:
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
            existing = sorted(int(path.name) for path in directory.iterdir() if path.name.isdecimal())
            for number in itertools.chain(existing, itertools.count(existing[-1] + 1 if existing else 0)):
                if free and number not in existing:
                    break
                try:
                    slot = Slot(directory / str(number), limits, disk, durable=durable)
                except LockedError:
                    continue
                if free and not slot.pending:
                    slot.close()
                    continue
                undo.callback(slot.close)
                free.append(slot)
        except (OSError, QueueUnavailableError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else exc
            raise InvalidSettingsError(
                f"AUDIT_LOG_DATA_DIR: the spool in {directory} cannot be used ({reason}); "
                "name a directory that can be written, or make room on its disk"
            ) from exc
        undo.pop_all()
    own, *adopted = free
    return own, adopted

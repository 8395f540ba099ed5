"""What the queue sees of its spool, on disk or without one."""

import itertools
import logging
import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Final, Literal, Protocol

from core.errors import InvalidSettingsError, QueueUnavailableError
from local_runner.spool.files import FileSystem, LockedError
from local_runner.spool.records import Record
from local_runner.spool.slot import SLOT_SHIFT, Slot, SlotHistory, SpoolLimits

SPOOL_NAME: Final = "spool"
"""Of its directory in the data directory."""

SYNC_SECONDS: Final = 0.2
"""How often the mode `process` puts on disk what was written: so much, and one sync's time, a power cut can take."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SpoolState:
    """What is on disk: bytes, their bound, events that are not settled, and places found damaged at the start.

    `trouble` says why not all of it is on disk, None: it is.
    """

    mode: Literal["process", "disk", "off"]
    bytes: int = 0
    max_bytes: int = 0
    events: int = 0
    corrupt: int = 0
    trouble: str | None = None


class Spool(Protocol):
    """Where the queue keeps what it accepted, in case its process dies. Safe to use from several threads."""

    @property
    def to_replay(self) -> int:
        """How many events of earlier processes were not yet given out by `replay`."""

    def append(self, payloads: Sequence[bytes], sent_at: float) -> Sequence[int]:
        """Keep all of `payloads`, as safely as the mode says, when this returns; their numbers, which are rising.

        Raises:
            QueueFullError: there is no room; nothing was accepted.
            QueueUnavailableError: the disk does not take it; nothing was accepted.
        """

    def settle(self, numbers: Collection[int]) -> None:
        """Forget events that are stored or in the durable dead letters. This may be lost, and they come once more."""

    def replay(self, at_most: int) -> list[Record]:
        """The next events that earlier processes left; none: that was all."""

    def recovered_slots(self) -> list[SlotHistory]:
        """What it found at its start, first of the slot that it appends to."""

    def state(self) -> SpoolState:
        """Its facts at this moment."""

    def close(self) -> None:
        """Leave what is there to the next process."""


class NoSpool:
    """Keeps nothing: what was accepted is lost with its process."""

    to_replay = 0

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def append(self, payloads: Sequence[bytes], _sent_at: float) -> list[int]:
        """See `Spool.append`."""
        return list(itertools.islice(self._numbers, len(payloads)))

    def settle(self, numbers: Collection[int]) -> None:
        """See `Spool.settle`."""

    def replay(self, _at_most: int) -> list[Record]:
        """See `Spool.replay`."""
        return []

    def recovered_slots(self) -> list[SlotHistory]:
        """See `Spool.recovered_slots`."""
        return []

    def state(self) -> SpoolState:
        """See `Spool.state`."""
        return SpoolState("off")

    def close(self) -> None:
        """See `Spool.close`."""


class DiskSpool:
    """A slot of this process's own, those that dead processes left, and a thread that keeps them tidy."""

    def __init__(
        self,
        directory: Path,
        mode: Literal["process", "disk"],
        limits: SpoolLimits | None = None,
        disk: FileSystem | None = None,
    ) -> None:
        """Take the first slot below `directory` that nobody holds, and adopt all the others.

        Raises:
            InvalidSettingsError: the directory cannot be used, or a file in it is of another version.
        """
        self._mode: Final = mode
        started = time.perf_counter()
        limits = limits or SpoolLimits()
        self._max_bytes: Final = limits.max_bytes
        self._own, self._adopted = _claimed(directory, limits, disk or FileSystem(), durable=mode == "disk")
        self._to_replay = [slot for slot in (self._own, *self._adopted) if slot.to_replay.left]
        self._slots = {slot.number: slot for slot in (self._own, *self._adopted)}
        if self.to_replay:
            _log.info(
                "the spool has events of an earlier process; they are stored now",
                extra={"events": self.to_replay, "seconds": round(time.perf_counter() - started, 3)},
            )
        self._trouble: str | None = None
        self._stop = Flag()
        self._tidying = Thread(target=self._keep_tidy, name="spool", daemon=True)
        self._tidying.start()

    @property
    def to_replay(self) -> int:
        """See `Spool.to_replay`."""
        return sum(slot.to_replay.left for slot in self._to_replay)

    def append(self, payloads: Sequence[bytes], sent_at: float) -> range:
        """See `Spool.append`."""
        numbers, segment, size = self._own.append(payloads, sent_at)
        if self._mode == "disk":
            self._own.commit(segment, size)
        return numbers

    def settle(self, numbers: Collection[int]) -> None:
        """See `Spool.settle`."""
        by_slot = defaultdict(list)
        for number in numbers:
            by_slot[number >> SLOT_SHIFT].append(number)
        for slot, its_numbers in by_slot.items():
            self._slots[slot].settle(its_numbers)

    def replay(self, at_most: int) -> list[Record]:
        """See `Spool.replay`."""
        while self._to_replay:
            if records := self._to_replay[0].to_replay.take(at_most):
                return records
            self._to_replay = self._to_replay[1:]
        return []

    def recovered_slots(self) -> list[SlotHistory]:
        """See `Spool.recovered_slots`."""
        return [slot.past for slot in self._slots.values()]

    def state(self) -> SpoolState:
        """See `Spool.state`."""
        slots = self._slots.values()
        return SpoolState(
            self._mode,
            bytes=sum(slot.bytes for slot in slots),
            max_bytes=self._max_bytes,
            events=sum(slot.left for slot in slots),
            corrupt=sum(slot.damages for slot in slots),
            trouble=self._trouble,
        )

    def close(self) -> None:
        """See `Spool.close`."""
        self._stop.set()
        self._tidying.join()
        for slot in self._slots.values():
            try:
                slot.close()
            except (QueueUnavailableError, OSError):
                _log.exception("the spool could not be put on disk as a whole")

    def _keep_tidy(self) -> None:
        while not self._stop.wait(SYNC_SECONDS):
            try:
                for slot in self._slots.values():
                    slot.maintain()
            except (QueueUnavailableError, OSError) as exc:
                if self._trouble is None:
                    reason = repr(exc.__cause__ or exc)
                    _log.error(
                        "the spool cannot be put on disk; what is in doubt is written again", extra={"reason": reason}
                    )
                self._trouble = exc.strerror or type(exc).__name__ if isinstance(exc, OSError) else str(exc)
            else:
                self._trouble = None


def open_spool(directory: Path, mode: Literal["process", "disk", "off"]) -> Spool:
    """The spool below `directory`, or none.

    Raises:
        InvalidSettingsError: the directory cannot be used, or a file in it is of another version.
    """
    return NoSpool() if mode == "off" else DiskSpool(directory, mode)


def check_spool(spool: Spool) -> dict[str, object]:
    """Implements `Check`.

    Raises:
        QueueUnavailableError: what was written does not get on the disk, so that a power cut may take it.
    """
    facts = asdict(spool.state())
    if trouble := facts.pop("trouble"):
        raise QueueUnavailableError(f"What is accepted may not outlive a power cut: {trouble}.")
    return facts


def _claimed(directory: Path, limits: SpoolLimits, disk: FileSystem, *, durable: bool) -> tuple[Slot, list[Slot]]:
    """A slot for this process, and those that nobody holds any more and that have events left."""
    own: Slot | None = None
    adopted: list[Slot] = []
    with ExitStack() as undo:
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
            there = sorted(int(path.name) for path in directory.iterdir() if path.name.isdecimal())
            for number in itertools.chain(there, itertools.count(there[-1] + 1 if there else 0)):
                if own and number not in there:
                    break
                try:
                    slot = Slot(directory / str(number), limits, disk, durable=durable)
                except LockedError:
                    continue
                if own and not slot.left:
                    slot.close()  # for the next process
                    continue
                undo.callback(slot.close)
                own, adopted = (own, [*adopted, slot]) if own else (slot, [])
        except (OSError, QueueUnavailableError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else exc
            raise InvalidSettingsError(
                f"AUDIT_LOG_DATA_DIR: the spool in {directory} cannot be used ({reason}); "
                "name a directory that can be written, or make room on its disk"
            ) from exc
        undo.pop_all()
    assert own is not None  # noqa: S101 - there is always a next number
    return own, adopted

"""The spool on disk: the slots of this process, and the thread that syncs and removes their segments."""

import logging
import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Final, Literal

from core.errors import QueueUnavailableError
from local_runner.spool.claim import claim_slots
from local_runner.spool.extents import Extent, read_extent, slot_directory
from local_runner.spool.files import FileSystem
from local_runner.spool.records import RECORD_OVERHEAD, SLOT_SHIFT, Record
from local_runner.spool.slot import SlotHistory, SpoolLimits
from local_runner.spool.spool import NoSpool, Spool, SpoolStats

SYNC_SECONDS: Final = 0.2
"""Pause between two syncs in the mode `process`. A power cut can take the events of a pause and of one sync."""

_log = logging.getLogger(__name__)


class DiskSpool:
    """Implements `Spool`: appends to one slot, replays that and the slots that dead processes left."""

    def __init__(
        self,
        directory: Path,
        mode: Literal["process", "disk"],
        limits: SpoolLimits | None = None,
        disk: FileSystem | None = None,
    ) -> None:
        """Claim slots below `directory` and recover their events.

        Raises:
            InvalidSettingsError: the directory cannot be used, or a segment in it has an unknown version.
        """
        self._mode: Final = mode
        self._directory: Final = directory
        started = time.perf_counter()
        limits = limits or SpoolLimits()
        self._max_bytes: Final = limits.max_bytes
        self._own, adopted = claim_slots(directory, limits, disk or FileSystem(), durable=mode == "disk")
        self._slots = {slot.number: slot for slot in (self._own, *adopted)}
        self._replays = [slot.replay for slot in self._slots.values() if slot.replay.remaining]
        if self.replay_remaining:
            seconds = round(time.perf_counter() - started, 3)
            _log.info("spool_replay_started", extra={"events": self.replay_remaining, "seconds": seconds})
        self._sync_error: str | None = None
        self._stop = Flag()
        self._maintenance = Thread(target=self._maintain, name="spool", daemon=True)
        self._maintenance.start()

    @property
    def replay_remaining(self) -> int:
        """See `Spool.replay_remaining`."""
        return sum(replay.remaining for replay in self._replays)

    def append(self, payloads: Sequence[bytes], sent_at: float) -> range:
        """See `Spool.append`."""
        extent = self.append_extent(payloads, sent_at)
        return range(extent.first, extent.last + 1)

    def append_extent(self, payloads: Sequence[bytes], sent_at: float) -> Extent:
        """Do as `append`, and return where the records are."""
        numbers, segment, end = self._own.append(payloads, sent_at)
        if self._mode == "disk":
            self._own.commit(segment, end)
        size = sum(map(len, payloads)) + RECORD_OVERHEAD * len(payloads)
        return Extent(numbers.start, numbers.stop - 1, segment.first, end - size, size)

    def acknowledge(self, numbers: Collection[int]) -> None:
        """See `Spool.acknowledge`."""
        by_slot = defaultdict(list)
        for number in numbers:
            by_slot[number >> SLOT_SHIFT].append(number)
        for slot, its_numbers in by_slot.items():
            self._slots[slot].acknowledge(its_numbers)

    def replay(self, at_most: int) -> list[Record]:
        """See `Spool.replay`."""
        while self._replays:
            if records := self._replays[0].take(at_most):
                return records
            self._replays = self._replays[1:]
        return []

    def replay_extents(self, at_most: int) -> list[tuple[Extent, float]]:
        """Return where the next events are that earlier processes left pending, see `Replay.take_extents`."""
        while self._replays:
            if extents := self._replays[0].take_extents(at_most):
                return extents
            self._replays = self._replays[1:]
        return []

    def read(self, extent: Extent) -> list[Record]:
        """Read the records of an extent, see `read_extent`."""
        return read_extent(slot_directory(self._directory, extent), extent)

    def recovered_slots(self) -> list[SlotHistory]:
        """See `Spool.recovered_slots`."""
        return [slot.history for slot in self._slots.values()]

    def stats(self) -> SpoolStats:
        """See `Spool.stats`."""
        slots = self._slots.values()
        return SpoolStats(
            self._mode,
            bytes=sum(slot.size for slot in slots),
            max_bytes=self._max_bytes,
            events=sum(slot.pending for slot in slots),
            corrupt=sum(slot.damages for slot in slots),
            sync_error=self._sync_error,
        )

    def close(self) -> None:
        """See `Spool.close`."""
        self._stop.set()
        self._maintenance.join()
        for slot in self._slots.values():
            try:
                slot.close()
            except (QueueUnavailableError, OSError):
                _log.exception(
                    "spool_close_failed",
                    extra={
                        "slot": slot.number,
                        "action": "Check the disk of the data directory: a power cut may lose accepted events.",
                    },
                )

    def _maintain(self) -> None:
        while not self._stop.wait(SYNC_SECONDS):
            try:
                for slot in self._slots.values():
                    slot.maintain()
            except (QueueUnavailableError, OSError) as exc:
                if self._sync_error is None:
                    _log.error(
                        "spool_sync_failed",
                        extra={
                            "reason": repr(exc.__cause__ or exc),
                            "action": "Check the disk of the data directory, and make room on it.",
                        },
                    )
                self._sync_error = exc.strerror or type(exc).__name__ if isinstance(exc, OSError) else str(exc)
            else:
                self._sync_error = None


def open_spool(directory: Path, mode: Literal["process", "disk", "off"]) -> Spool:
    """Open the spool below `directory`, or none in the mode `off`.

    Raises:
        InvalidSettingsError: the directory cannot be used, or a segment in it has an unknown version.
    """
    return NoSpool() if mode == "off" else DiskSpool(directory, mode)

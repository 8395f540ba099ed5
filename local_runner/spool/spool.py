"""The interface between the queue and its spool, and the implementation without a disk."""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal, Protocol

from core.errors import QueueUnavailableError
from local_runner.spool.records import Record
from local_runner.spool.slot import SlotHistory

SPOOL_NAME: Final = "spool"
"""Name of the spool's directory in the data directory."""


@dataclass(frozen=True, slots=True)
class SpoolStats:
    """Figures of a spool at one moment.

    `bytes` is its size on disk, and `max_bytes` the bound of the slot that is appended to. `events` counts the pending
    ones, `corrupt` the damaged stretches found at the start. `sync_error` says why syncs fail; None if they do not.
    """

    mode: Literal["process", "disk", "off"]
    bytes: int = 0
    max_bytes: int = 0
    events: int = 0
    corrupt: int = 0
    sync_error: str | None = None


class Spool(Protocol):
    """Keeps accepted events in case the process dies. Thread-safe, but only one thread at a time may call `replay`."""

    @property
    def replay_remaining(self) -> int:
        """How many events of earlier processes `replay` has not returned."""

    def append(self, payloads: Sequence[bytes], sent_at: float) -> Sequence[int]:
        """Keep all of `payloads` as safely as the mode promises, and return their sequence numbers, ascending.

        Raises:
            QueueFullError: the spool is at its bound; nothing was accepted.
            QueueUnavailableError: the disk did not take the events; nothing was accepted.
        """

    def acknowledge(self, numbers: Collection[int]) -> None:
        """Forget events that are stored or dead-lettered. After a crash some of them may be replayed all the same."""

    def replay(self, at_most: int) -> list[Record]:
        """Return the next events that earlier processes left pending; none if that was all."""

    def recovered_slots(self) -> list[SlotHistory]:
        """Return the history of each slot that this process holds; the one it appends to comes first."""

    def stats(self) -> SpoolStats:
        """Return the figures of this moment."""

    def close(self) -> None:
        """Sync everything, and leave the pending events to the next process."""


class NoSpool:
    """Implements `Spool` for the mode `off`: events that are not stored are lost with the process."""

    replay_remaining = 0

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def append(self, payloads: Sequence[bytes], _sent_at: float) -> list[int]:
        """See `Spool.append`."""
        return list(itertools.islice(self._numbers, len(payloads)))

    def acknowledge(self, numbers: Collection[int]) -> None:
        """See `Spool.acknowledge`."""

    def replay(self, _at_most: int) -> list[Record]:
        """See `Spool.replay`."""
        return []

    def recovered_slots(self) -> list[SlotHistory]:
        """See `Spool.recovered_slots`."""
        return []

    def stats(self) -> SpoolStats:
        """See `Spool.stats`."""
        return SpoolStats("off")

    def close(self) -> None:
        """See `Spool.close`."""


def check_spool(spool: Spool) -> dict[str, object]:
    """Implements `Check`.

    Raises:
        QueueUnavailableError: accepted events are not on disk, so that a power cut may lose them.
    """
    facts = asdict(spool.stats())
    if sync_error := facts.pop("sync_error"):
        raise QueueUnavailableError(f"Accepted events may not outlast a power cut: {sync_error}.")
    return facts

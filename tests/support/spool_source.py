"""The queue in the spool as a source of messages, so that the contract suites of queues hold for it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from core.domain.models import Event
from core.ports.queue import Message
from local_runner.queue.spooled import Run, SpoolQueue
from local_runner.queue.stats import QueueStats
from local_runner.queue.visibility import DeadLetters, QueueLimits
from local_runner.spool.disk_spool import DiskSpool
from local_runner.spool.extents import Extent, slot_directory
from local_runner.spool.records import Record, decode_records
from local_runner.spool.segment import path_of


class SpoolSource:
    """Receives runs of one event, and reads each as the storing process does."""

    def __init__(
        self,
        directory: Path,
        dead_letters: DeadLetters,
        limits: QueueLimits,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.spool = DiskSpool(directory, "process")
        clocks = {"clock": clock, "wall_clock": clock} if clock else {}
        self.queue = SpoolQueue(dead_letters, limits, self.spool, **clocks)
        self._directory = directory
        self._runs: dict[str, Run] = {}
        self._records: dict[int, Record] = {}  # of the segment that was read last

    def publish(self, events: Sequence[Event], traceparent: str | None = None) -> None:
        self.queue.publish(events, traceparent)

    def receive(self, max_messages: int, *, wait: float, window: float = 0.0) -> list[Message]:
        messages: list[Message] = []
        if window:
            self.queue.give_back(self.queue.receive(max_messages, wait=wait, window=window), 0.0)
        while len(messages) < max_messages and (runs := self.queue.receive(1, wait=wait)):
            wait = 0.0
            (run,) = runs
            self._runs[run.receipt_handle] = replace(run)  # as it is now: the queue changes its own at a later receive
            (message,) = run.messages([self._record(run.extent)])
            messages.append(message._replace(receipt_handle=run.receipt_handle))
        return messages

    def delete(self, receipt_handles: Iterable[str]) -> None:
        self.queue.complete(self._known(receipt_handles), ())

    def retry_after(self, receipt_handles: Sequence[str], delay: float, *, counted: bool = True) -> None:
        runs = self._known(receipt_handles)
        if counted:
            self.queue.complete(runs, {run.number for run in runs}, lambda _: delay)
        else:
            self.queue.give_back(runs, delay)

    @property
    def depth(self) -> int:
        return self.queue.depth

    def stats(self) -> QueueStats:
        return self.queue.stats()

    def close(self) -> None:
        self.queue.close()

    def _record(self, extent: Extent) -> Record:
        if extent.first not in self._records:
            path = path_of(slot_directory(self._directory, extent), extent.segment)
            found = decode_records(path.read_bytes())
            self._records = {record.number: record for record in found if isinstance(record, Record)}
        return self._records[extent.first]

    def _known(self, receipt_handles: Iterable[str]) -> list[Run]:
        return [self._runs.pop(handle) for handle in [*receipt_handles] if handle in self._runs]

"""A state machine that appends, acknowledges, syncs, stops, kills and cuts the power in any order."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from local_runner.spool.slot import Slot
from tests.support.spooling import numbers_and_payloads, open_slot, segments

PAYLOADS = st.lists(st.binary(max_size=60), min_size=1, max_size=5)


class SpooledEvents(RuleBasedStateMachine):
    """A slot, and a model of it: payloads by number, and which numbers are synced and acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="spool-"))
        self.generation = 0
        self.written: dict[int, bytes] = {}
        self.synced: set[int] = set()
        self.acknowledged: set[int] = set()
        self.highest_kept = 0
        self.slot = self.open()

    @property
    def directory(self) -> Path:
        return self.folder / str(self.generation) / "0"

    def open(self) -> Slot:
        return open_slot(self.directory, segment_bytes=300)

    @rule(payloads=PAYLOADS)
    def append(self, payloads: list[bytes]) -> None:
        numbers, _, _ = self.slot.append(payloads, 1.0)
        assert numbers[0] > self.highest_kept
        self.written.update(zip(numbers, payloads, strict=True))

    @rule()
    def sync(self) -> None:
        self.slot.maintain()
        self.synced = set(self.written)

    @precondition(lambda self: self.written)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        numbers = data.draw(st.sets(st.sampled_from(sorted(self.written)), min_size=1, max_size=10))
        self.slot.acknowledge(numbers)
        self.acknowledged |= numbers

    @rule()
    def stop(self) -> None:
        self.slot.close()
        self.slot = self.open()
        self.check(promised=set(self.written))

    @rule()
    def kill(self) -> None:
        self.crash()
        self.check(promised=set(self.written))

    @rule(share=st.floats(0, 1), zeros=st.integers(0, 50))
    def cut_power(self, share: float, zeros: int) -> None:
        """Lose the bytes not synced but for a share of them, and gain zeros in their place."""
        sizes = {segment.path.name: (segment.synced, segment.size) for segment in self.slot._segments}  # noqa: SLF001 - what only a disk knows
        self.crash(reopen=False)
        for path in segments(self.directory):
            synced, size = sizes[path.name]
            if size > synced:
                content = path.read_bytes()[: synced + int(share * (size - synced))]
                path.write_bytes(content + bytes(zeros))
        self.slot = self.open()
        self.check(promised=self.synced)

    @invariant()
    def what_is_left_is_counted(self) -> None:
        assert self.slot.pending == len(self.written.keys() - self.acknowledged)

    def crash(self, *, reopen: bool = True) -> None:
        """Continue in a copy of the files as they are at this moment."""
        before = self.directory
        self.generation += 1
        shutil.copytree(before, self.directory)
        self.slot.close()
        shutil.rmtree(before.parent)
        if reopen:
            self.slot = self.open()

    def check(self, promised: set[int]) -> None:
        found = dict(numbers_and_payloads(self.slot, at_most=3))
        assert promised - self.acknowledged <= found.keys()
        assert all(self.written[number] == payload for number, payload in found.items())
        self.acknowledged -= found.keys()  # an acknowledgement may be lost
        self.written = {number: self.written[number] for number in found}
        self.synced = set(self.written)
        self.acknowledged &= self.written.keys()
        self.highest_kept = max(self.written, default=0)

    def teardown(self) -> None:
        self.slot.close()
        shutil.rmtree(self.folder)


SpooledEvents.TestCase.settings = settings(max_examples=40, stateful_step_count=20)
TestSpooledEvents = SpooledEvents.TestCase

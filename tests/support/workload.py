"""Work that continues in threads while a test, or a fault run, does something to a server."""

from collections.abc import Callable
from threading import Event as Flag
from threading import Thread
from typing import Final, Self

from tests.support.waiting import SECONDS


class Workload:
    """Does each work in a thread until the block ends. Each returns soon after `stop` is set."""

    def __init__(self, *work: Callable[[], object]) -> None:
        self.stop: Final = Flag()
        self._threads = [Thread(target=each, daemon=True) for each in work]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join(SECONDS)
            assert not thread.is_alive(), "a thread of the workload does not end"

"""Threads with a bounded queue in front."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


class BoundedThreads(ThreadPoolExecutor):
    """An executor with `threads` threads, for callers that look at `is_full` before they submit another call."""

    def __init__(self, threads: int, waiting: int, name: str) -> None:
        super().__init__(threads, thread_name_prefix=name)
        self._most = threads + waiting
        self._at_hand = 0
        self._lock = Lock()

    @property
    def is_full(self) -> bool:
        """Whether every thread is busy and `waiting` calls wait."""
        return self._at_hand >= self._most

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """See `Executor.submit`."""
        with self._lock:
            self._at_hand += 1
        future = super().submit(fn, *args, **kwargs)
        future.add_done_callback(self._done)
        return future

    def _done(self, _future: object) -> None:
        with self._lock:
            self._at_hand -= 1

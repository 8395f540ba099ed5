"""Time limits of a connection, over an event loop whose time the test sets."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from local_runner.http.connection_limits import ConnectionLimits
from local_runner.http.deadlines import BODY_SECONDS, HEAD_SECONDS, STOP_SECONDS, Deadlines, Wait
from local_runner.http.known_heads import KnownHeads
from local_runner.http.protocol import HTTPProtocol

TICK_SECONDS = 0.125


class Loop:
    """An event loop with one timer, for `Deadlines`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._due = 0.0
        self._callback: Callable[[], None] = lambda: None

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, callback: Callable[[], None]) -> "Loop":
        self._due, self._callback = self.now + seconds, callback
        return self

    def cancel(self) -> None:
        self._due = float("inf")

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.stand_still(TICK_SECONDS)

    def stand_still(self, seconds: float) -> None:
        """Let time pass in which no timer is called; those that were due are called after it."""
        self.now += seconds
        if self.now >= self._due:
            self._callback()


class Connection:
    """Waits for one thing; `late` are the waits that took too long."""

    def __init__(self, wait: Wait) -> None:
        self.loop = Loop()
        self.late: list[Wait] = []
        loop: Any = self.loop
        self.deadlines = Deadlines(loop, lambda: wait, self.late.append)


WAITS = {Wait.FIRST_REQUEST: HEAD_SECONDS, Wait.HEAD: HEAD_SECONDS, Wait.BODY: BODY_SECONDS, Wait.LINGER: 2.0}


@pytest.mark.parametrize(("wait", "seconds"), WAITS.items(), ids=lambda value: getattr(value, "name", None))
def test_a_wait_is_late_after_its_seconds(wait: Wait, seconds: float) -> None:
    connection = Connection(wait)
    connection.loop.run(seconds - 1)
    assert connection.late == []
    connection.loop.run(1.5)
    assert set(connection.late) == {wait}


def test_a_restart_begins_a_new_wait() -> None:
    connection = Connection(Wait.HEAD)
    connection.loop.run(HEAD_SECONDS - 1)
    connection.deadlines.restart()
    connection.loop.run(HEAD_SECONDS - 1)
    assert connection.late == []


def test_nothing_is_late_once_it_is_cancelled() -> None:
    connection = Connection(Wait.HEAD)
    connection.deadlines.cancel()
    connection.loop.run(3 * HEAD_SECONDS)
    assert connection.late == []


def test_a_stop_leaves_two_seconds() -> None:
    connection = Connection(Wait.BODY)
    connection.deadlines.stop()
    connection.loop.run(STOP_SECONDS + 0.5)
    assert connection.late


@pytest.mark.parametrize("before", [0.0, 4.0, HEAD_SECONDS - 1])
def test_time_in_which_the_event_loop_stood_still_does_not_count(before: float) -> None:
    connection = Connection(Wait.HEAD)
    connection.loop.run(before)
    connection.loop.stand_still(3600)
    connection.loop.run(HEAD_SECONDS - before - 1)
    assert connection.late == []
    connection.loop.run(2)
    assert connection.late


def test_a_wait_that_began_before_the_event_loop_went_on_is_not_moved_into_the_future() -> None:
    connection = Connection(Wait.HEAD)
    connection.loop.now += 3600
    connection.deadlines.restart()
    connection.loop.run(HEAD_SECONDS - 1)
    assert connection.late == []
    connection.loop.run(1.5)
    assert connection.late


class Transport(asyncio.Transport):
    """The connection of a client that sends nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False

    def close(self) -> None:
        self.closed = True


def test_the_time_of_a_connection_begins_when_it_is_made_however_late_the_event_loop_comes_to_it() -> None:
    loop: Any = Loop()
    config: Any = SimpleNamespace(loaded_app=SimpleNamespace(limits=ConnectionLimits(), known_heads=KnownHeads()))
    state: Any = SimpleNamespace(connections=set(), default_headers=[])
    protocol, transport = HTTPProtocol(config, state, {}, loop), Transport()
    loop.run(HEAD_SECONDS)
    protocol.connection_made(transport)
    loop.run(HEAD_SECONDS - 1)
    assert not transport.closed
    loop.run(1)
    assert transport.closed

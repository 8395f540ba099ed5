"""Server of uvicorn that sleeps while there is nothing to do: uvicorn's wakes ten times a second."""

import asyncio
from contextlib import suppress
from types import FrameType
from typing import Final

from uvicorn import Server

_TICKS_A_SECOND: Final = 10  # of uvicorn's counter


class QuietServer(Server):
    """Wakes once a second for the Date header, and at once for a stop."""

    tick_seconds = 1.0
    """How often the Date header is renewed."""

    _loop: asyncio.AbstractEventLoop | None = None
    _woken: asyncio.Event

    async def main_loop(self) -> None:
        """Run until a stop is asked for."""
        self._woken = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(_TICKS_A_SECOND):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), self.tick_seconds)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop because of a signal."""
        super().handle_exit(sig, frame)
        self._wake()

    def stop(self) -> None:
        """Stop, from any thread."""
        self.should_exit = True
        self._wake()

    def _wake(self) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has just been closed
                self._loop.call_soon_threadsafe(self._woken.set)

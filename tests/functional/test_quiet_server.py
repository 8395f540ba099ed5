"""The server sleeps between two renewals of the Date header, and wakes for a stop."""

import asyncio
import signal
import threading

import pytest
from uvicorn import Config

from local_runner.http.quiet_server import QuietServer
from tests.support.waiting import SECONDS


class SleepingServer(QuietServer):
    """Wakes for a stop only."""

    tick_seconds = 3600.0


@pytest.mark.parametrize("by", ["another thread", "a signal"])
def test_a_stop_wakes_it(by: str) -> None:
    server = SleepingServer(Config("none"))

    def stop() -> None:
        if by == "a signal":
            server.handle_exit(signal.SIGTERM, None)
        else:
            server.stop()

    async def serve() -> None:
        serving = asyncio.create_task(server.main_loop())
        await asyncio.sleep(0)  # until it sleeps
        threading.Thread(target=stop).start()
        await asyncio.wait_for(serving, SECONDS)

    asyncio.run(serve())
    assert server.should_exit


def test_a_stop_before_the_start_ends_it() -> None:
    server = SleepingServer(Config("none"))
    server.stop()
    asyncio.run(asyncio.wait_for(server.main_loop(), SECONDS))

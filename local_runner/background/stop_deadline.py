"""The deadline of a stop: a part that hangs does not keep the process, which its manager would kill later."""

import logging
import os
import time
from threading import Thread
from typing import Final

STOP_SECONDS: Final = 9.5
"""Longest time from a signal to the end of the process. Process managers kill a process after 10 seconds."""

_log = logging.getLogger(__name__)


def end_process_within(seconds: float = STOP_SECONDS) -> None:
    """End this process with status 0 in `seconds`, unless it has ended by then.

    Python waits for the threads of executors, and drivers for their servers, for as long as they hang. Whatever is
    accepted is in the spool or the broker, which a process that is killed loses neither.
    """
    Thread(target=_end, args=(seconds,), name="stop-deadline", daemon=True).start()


def _end(seconds: float) -> None:
    time.sleep(seconds)
    action = "Check the database and the broker; the events that are left are stored after the next start."
    _log.warning("stop_cut_short", extra={"action": action})
    os._exit(0)

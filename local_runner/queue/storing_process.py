"""Storing in a child process, so that it does not contend with accepting for one interpreter lock.

The process holds no state: it gets a batch, or where it is in the spool, stores it in one transaction, and returns the
result. Between batches it gives stored events their indices in the ledger, when the integrator asks for that. The queue
with its retries and its dead letters stays in the accepting process, where a batch counts as done when the result has
arrived. So a batch whose storing process dies is received again, like after any other failure of the store:
docs/decisions/0030-events-are-stored-by-a-process-without-state.md
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from threading import Event as Flag
from threading import Lock, Thread
from typing import Any, Final

from core.errors import StoreUnavailableError
from core.ports.telemetry import CounterName, HistogramName, Meter, NoTelemetry
from core.settings import PREFIX, Settings
from local_runner.queue import heartbeat
from local_runner.queue.spooled import Run
from local_runner.queue.storing_channel import (
    ChannelClosedError,
    Document,
    receive,
    send_batch,
    send_integrate,
    send_runs,
)

SILENT_SECONDS: Final = 4.0
"""Silence after which the process counts as hung: `/ready` reports that within five seconds."""

READY_SECONDS: Final = 5.0
_MODULE: Final = "local_runner.queue.storing_main"
_POLL_SECONDS: Final = 0.01
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_SETTINGS: Final = {"data_dir", "database_url", "ledger", "log_format"}
_START_SECONDS: Final = 30.0
_RESTART_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 8.0
"""Pauses before a restart double up to this one, as long as processes end before they are ready."""

_STOP_SECONDS: Final = 1.0

_log = logging.getLogger(__name__)


class StoringProcessError(StoreUnavailableError):
    """The storing process has ended or hangs, and accepted events wait. It is replaced when it has ended."""


class StoringCrashError(StoringProcessError):
    """The storing process ended while it worked on a batch."""


class StoringFailedError(Exception):
    """The storing process met a bug in a batch, of which its log has the stack trace, or in an integration."""


class RemoteCause(Exception):  # noqa: N818 - the cause of an error, by its text
    """An error of the driver in the storing process."""

    def __repr__(self) -> str:
        return str(self)


class StoringProcess:
    """Implements `ConsumeHandler` by a child process, which it starts, watches and replaces.

    Calls of several threads, those of the consumer and the integrator, take turns.
    """

    def __init__(self, settings: Settings, meter: Meter | None = None, module: str = _MODULE) -> None:
        """Start the process, which runs `module`. `meter` gets what it counts and measures."""
        self._module = module
        self._environment = _environment(settings)
        self._meter = meter or NoTelemetry()
        self._stop = Flag()
        self._lock = Lock()  # guards the three attributes of the present process
        self._calling = Lock()  # held during a call, whose channel must not be closed
        self._heartbeat = heartbeat.open_shared()
        self._process: subprocess.Popen[bytes] | None = None
        self._ended: subprocess.Popen[bytes] | None = None  # the process whose channel ended during the last call
        self._channel: socket.socket | None = None
        self._started_at = 0.0
        self.restarts = 0
        """How often the process ended and was replaced."""
        self._spawn()
        self._watcher = Thread(target=self._watch, name="storing-process", daemon=True)
        self._watcher.start()

    @property
    def pid(self) -> int:
        """The id of the present process."""
        assert self._process is not None  # noqa: S101 - started by __init__
        return self._process.pid

    def __call__(self, event: Mapping[str, Any], _context: object) -> Mapping[str, Any]:
        """Store the records of an SQS event, see `functions.consume_events`.

        Raises:
            StoringCrashError: the process has ended over the batch, which may have been stored.
            StoringProcessError: the process has ended, before it could begin.
            StoreUnavailableError: see `consume_events`.
            StoringFailedError: the process met a bug.
        """
        response: Mapping[str, Any] = self._call(partial(send_batch, records=event["Records"]))
        return response

    def store_runs(self, runs: Sequence[Run]) -> set[int]:
        """Store the events of runs, which the process reads from the spool; return the numbers of those that failed.

        Raises:
            StoreUnavailableError: as above.
            StoringFailedError: the process met a bug.
        """
        result = self._call(partial(send_runs, runs=runs))
        return {int(failed["itemIdentifier"]) for failed in result["batchItemFailures"]}

    def integrate(self) -> int:
        """Have the process integrate, see `EventOrder.integrate`; 0 also if it has ended, which `check` reports.

        Raises:
            StoreUnavailableError: as above.
            StoringFailedError: the process met a bug; the message has the stack trace.
        """
        try:
            events: int = self._call(send_integrate)
        except StoringProcessError:
            return 0
        return events

    def _call(self, send: Callable[[socket.socket], None]) -> Any:
        with self._calling:
            with self._lock:
                process, channel = self._process, self._channel
            assert process is not None  # noqa: S101 - started by __init__
            assert channel is not None  # noqa: S101
            # A process dies over one batch. Later ones, until another has started, had no part in it.
            lives = process is not self._ended and process.poll() is None
            try:
                send(channel)
                reply = receive(channel)
            except ChannelClosedError as exc:
                self._ended = process
                error = StoringCrashError if lives and self._is_ready else StoringProcessError
                raise error("The storing process ended: see the log for why.") from exc
            except BaseException:
                process.kill()  # its reply would be taken for that of the next batch
                raise
        return self._result(reply)

    def check(self) -> dict[str, object]:
        """Implements `Check`: the process lives. Returns the number of restarts.

        Raises:
            StoringProcessError: it has ended, or gives no sign of life.
        """
        with self._lock:
            ended = self._process is None or self._process.poll() is not None
        if ended:
            raise StoringProcessError("The storing process ended and is being replaced: see the log for why.")
        last = self._last_beat()
        silent = time.monotonic() - last
        if silent > (SILENT_SECONDS if last > self._started_at else _START_SECONDS):
            raise StoringProcessError(f"The storing process hangs: no sign of life for {silent:.0f} s.")
        return {"storing_restarts": self.restarts}

    def wait_until_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until the process can store, so that an event is visible soon after a start; at most `seconds`."""
        deadline = time.monotonic() + seconds
        while not self._is_ready and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    def close(self) -> None:
        """End the process: after its present batch, or by force if that takes longer than a second."""
        with self._lock:
            self._stop.set()
            process, channel = self._process, self._channel
        if process is None or channel is None:
            return
        with suppress(OSError):
            channel.shutdown(socket.SHUT_RDWR)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._watcher.join()
        with self._calling:
            channel.close()
        os.close(self._heartbeat)

    @property
    def _is_ready(self) -> bool:
        """Whether the present process has given a sign of life, so that it can store."""
        return self._last_beat() > self._started_at

    def _last_beat(self) -> float:
        """Return the time of the last sign of life of the present process, or that of its start."""
        return max(heartbeat.last_sign(self._heartbeat), self._started_at)

    def _spawn(self) -> None:
        with ExitStack() as undo:
            ours, theirs = socket.socketpair()
            undo.callback(ours.close)
            with theirs:
                descriptors = [theirs.fileno(), self._heartbeat]
                command = [sys.executable, "-P", "-m", self._module, *map(str, descriptors)]
                # A terminal and a service manager send their signals to all processes at once. This one inherits that
                # they are blocked, since it ends after the service.
                blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
                undo.callback(signal.pthread_sigmask, signal.SIG_SETMASK, blocked)
                process = subprocess.Popen(  # noqa: S603 - this program
                    command, pass_fds=descriptors, stdin=subprocess.DEVNULL, env=self._environment
                )
                signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            undo.pop_all()
        with self._calling:  # not for long: the process on the other side of its channel has ended
            if self._channel:
                self._channel.close()
        with self._lock:
            self._process, self._channel = process, ours
            self._started_at = time.monotonic()
            stops = self._stop.is_set()
        if stops:  # `close` saw the process before this one
            process.kill()
            ours.close()

    def _watch(self) -> None:
        pause = _RESTART_SECONDS
        while (process := self._process) is not None:
            status = process.wait()
            if self._stop.is_set():
                return
            self.restarts += 1
            action = "Its batch is stored again by the next one. Look at the records before this one for the cause."
            _log.error("storing_process_ended", extra={"status": status, "restarts": self.restarts, "action": action})
            pause = _RESTART_SECONDS if self._is_ready else min(2 * pause, _LONGEST_PAUSE_SECONDS)
            while not self._stop.wait(pause):
                try:
                    self._spawn()
                except OSError as exc:
                    action = "Give the service more memory, processes or files; the events wait in the queue."
                    _log.error("storing_process_failed_to_start", extra={"reason": str(exc), "action": action})
                    pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
                else:
                    break

    def _result(self, reply: Document) -> Any:
        for name, amount in reply["counts"].items():
            self._meter.count(CounterName(name), amount)
        for name, values in reply["measures"].items():
            self._meter.measure(HistogramName(name), values)
        if unavailable := reply.get("store_unavailable"):
            cause = RemoteCause(unavailable["cause"]) if unavailable["cause"] else None
            raise StoreUnavailableError(unavailable["message"]) from cause
        if "failed" in reply:
            raise StoringFailedError(reply["failed"])
        return reply["result"]


def _environment(settings: Settings) -> dict[str, str]:
    """Build the environment of the process: of the settings those that it needs, and no secret that signs tokens."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    for name, value in settings.model_dump(include=_SETTINGS, exclude_none=True).items():
        environment[f"{PREFIX}{name.upper()}"] = str(value)
    return environment

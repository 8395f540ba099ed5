"""`audit-log` in processes forked from one that has imported the service: a start without its second of imports.

The program runs the console script with its own process id, session, environment, directory and files, as after an
`exec`. What differs are modules that are imported already, and what an interpreter reads once, at its start: so
settings of Python and of the locale are refused. Tests of starts, of imports, of memory and of terminals execute
the command.
"""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

from tests.support import fork_server
from tests.support.waiting import SECONDS

_READ_ONCE: Final = ("PYTHON", "LANG", "LC_", "LD_")


class Process:
    """A running program, with the methods of `subprocess.Popen` that tests use."""

    def __init__(self, command: Sequence[str], report: socket.socket) -> None:
        self.args = command
        self._report = report
        self.returncode: int | None = None
        self.pid = self._next(SECONDS)

    def poll(self) -> int | None:
        """Return the exit status, or None if it still runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status, that of a signal as a negative number.

        Raises:
            subprocess.TimeoutExpired: it still runs after `timeout` seconds.
        """
        if self.returncode is None:
            self.returncode = self._next(timeout)
            self._report.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send the signal to the process alone, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def _next(self, timeout: float | None) -> int:
        if not select.select([self._report], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        message = self._report.recv(100)
        assert message, "the fork server failed"
        return int(message)


def start(
    command: Sequence[str], environ: Mapping[str, str], stdout: int, stderr: int, cwd: Path | None = None
) -> Process:
    """Run a Python script with its arguments, in a new session, and return once it has a process id."""
    _require_known(environ)
    order = {"arguments": [*command], "environ": {**environ}, "cwd": str(cwd or Path.cwd())}
    message = json.dumps(order).encode()
    assert len(message) <= fork_server.MESSAGE_BYTES
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        socket.send_fds(_orders(), [message], [stdout, stderr, theirs.fileno()])
    return Process(command, ours)


def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    timeout: float = SECONDS,
    check: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run it to its end without standard input, as `subprocess.run` with `capture_output` and `text` does.

    Raises:
        subprocess.TimeoutExpired: it was killed after `timeout` seconds.
        subprocess.CalledProcessError: `check`, and the exit status is not 0.
    """
    with TemporaryFile("w+") as stdout, TemporaryFile("w+") as stderr:
        process = start(command, env, stdout.fileno(), stderr.fileno(), cwd)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(SECONDS)
            raise
        stdout.seek(0)
        stderr.seek(0)
        done = subprocess.CompletedProcess(command, process.wait(), stdout.read(), stderr.read())
    if check:
        done.check_returncode()
    return done


def _require_known(environ: Mapping[str, str]) -> None:
    for name in environ.keys() | os.environ.keys():
        if name.startswith(_READ_ONCE) and environ.get(name) != os.environ.get(name):
            raise ValueError(f"{name} is read when Python starts: execute the command by subprocess")


@cache
def _orders() -> socket.socket:
    """Start the fork server of this process, which ends when this socket is closed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        server = subprocess.Popen(
            [sys.executable, "-P", fork_server.__file__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def stop() -> None:
        ours.close()
        server.wait(SECONDS)

    atexit.register(stop)
    return ours

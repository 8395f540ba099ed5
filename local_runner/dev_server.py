"""`audit-log serve --dev`: the same application on werkzeug's own server, started again when a source file changes.

A small parent keeps the server in a child process, as werkzeug's reloader does; but this one hands signals on and waits
for the child, so that a stop drains the queue here too.
"""

import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import Final

from werkzeug.serving import make_server

import core
import functions
import local_runner
from core.settings import Settings
from local_runner.http.application import Application
from local_runner.http.sockets import bind_listener
from local_runner.pipeline import start_runtime
from local_runner.server import log_startup, refuse_open_to_others

_IN_CHILD: Final = "_AUDIT_LOG_DEV_CHILD"
_CHANGED: Final = 3  # the exit status by which the child asks to be started again
_LOOK_SECONDS: Final = 0.3

_log = logging.getLogger(__name__)


def serve(settings: Settings, host: str, port: int) -> int:
    """Serve until SIGTERM or SIGINT; the exit status.

    Raises:
        AuditLogError: the service cannot start; the message says what to change.
    """
    if os.environ.get(_IN_CHILD):
        return _serve(settings, host, port)
    refuse_open_to_others(settings, host)
    bind_listener(host, port).close()
    return _keep_a_child()


def _serve(settings: Settings, host: str, port: int) -> int:
    stopped_by = _catch_signals()
    running = start_runtime(settings)
    try:
        server = make_server(host, port, Application(running.services), threaded=True)
        Thread(target=server.serve_forever, name="server", daemon=True).start()
        log_startup(settings, host, port)
        served = _sources()
        while not stopped_by and _sources() == served:
            time.sleep(_LOOK_SECONDS)
        server.shutdown()
    finally:
        running.close()
    return 0 if stopped_by else _CHANGED


def _keep_a_child() -> int:
    stopped_by = _catch_signals()
    command = [sys.executable, "-m", "local_runner.cli.main", *sys.argv[1:]]
    status = _CHANGED
    while status == _CHANGED and not stopped_by:
        child = subprocess.Popen(command, env={**os.environ, _IN_CHILD: "yes"})  # noqa: S603 - this very command
        while child.poll() is None:
            if stopped_by:
                child.terminate()
                child.wait()
            time.sleep(_LOOK_SECONDS)
        status = child.returncode
    return 0 if stopped_by else status


def _catch_signals() -> list[int]:
    """The signals that ask for a stop, as they come. One that broke into the code would break into a drain as well."""
    caught: list[int] = []

    def catch(number: int, _frame: FrameType | None) -> None:
        caught.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, catch)
    return caught


def _sources() -> dict[Path, int]:
    """When each source file was changed."""
    times: dict[Path, int] = {}
    for package in (core, functions, local_runner):
        for path in Path(str(package.__file__)).parent.rglob("*.py"):
            with suppress(FileNotFoundError):  # an editor may be replacing it
                times[path] = path.stat().st_mtime_ns
    return times

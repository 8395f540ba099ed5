"""`audit-log serve --dev`: the same application on werkzeug's own server, started again when a source file changes.

A small parent keeps the server in a child process, as werkzeug's reloader does; but this one hands signals on and waits
for the child, so that a stop drains the queue here too.
"""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from types import FrameType
from typing import Final, NoReturn

from werkzeug.serving import run_simple

from core.settings import Settings
from local_runner.app import Application
from local_runner.pipeline import Pipeline
from local_runner.server import greet, refuse_open_to_others, require_free

_IN_CHILD: Final = "WERKZEUG_RUN_MAIN"  # what werkzeug's reloader looks for
_CHANGED: Final = 3  # the exit status by which its child asks to be started again


def serve(settings: Settings, host: str, port: int) -> int:
    """Serve until SIGTERM or SIGINT; the exit status.

    Raises:
        AuditLogError: the service cannot start; the message says what to change.
    """
    if os.environ.get(_IN_CHILD) == "true":
        return _serve(settings, host, port)
    refuse_open_to_others(settings, host)
    require_free(host, port)
    while (status := _run_child()) == _CHANGED:
        pass
    return status


def _serve(settings: Settings, host: str, port: int) -> int:
    signal.signal(signal.SIGTERM, _exit)
    pipeline = Pipeline(settings)
    try:
        greet(settings, host, port)
        with suppress(KeyboardInterrupt):
            run_simple(host, port, Application(pipeline.services), threaded=True, use_reloader=True)
    finally:
        pipeline.close()
    return 0


def _run_child() -> int:
    command = [sys.executable, "-m", "local_runner.cli", *sys.argv[1:]]
    child = subprocess.Popen(command, env={**os.environ, _IN_CHILD: "true"})  # noqa: S603 - this very command
    previous = signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    try:
        while True:
            # Ctrl-C reaches the whole foreground group: the child has it too, and is draining.
            with suppress(KeyboardInterrupt):
                return child.wait()
    finally:
        signal.signal(signal.SIGTERM, previous)


def _exit(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)

"""The process whose forks run `audit-log` for `tests.support.forked`: a script, whose argument is the socket of orders.

It has imported the service and its libraries, but none of the commands' own modules: some of these read the environment
when they are imported.
"""

import gc
import json
import os
import runpy
import signal
import socket
import sys
import time
from importlib import import_module
from typing import Any, Final

MESSAGE_BYTES: Final = 1 << 17
IMPORTED: Final = (
    "aiormq", "alembic.command", "httpx", "local_runner.http.uvicorn_server", "local_runner.server",
    "local_runner.telemetry.logging_config", "local_runner.worker", "psycopg", "rich.table",
    "sqlalchemy.dialects.mysql", "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite", "typer",
)  # fmt: skip


def main() -> None:
    orders = socket.socket(fileno=int(sys.argv[1]))
    for name in IMPORTED:
        import_module(name)
    gc.freeze()  # a collection in a fork would copy every page of them
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no guard has to be waited for
    while True:
        message, descriptors, _, _ = socket.recv_fds(orders, MESSAGE_BYTES, 4)
        if not message:
            return  # the process of the tests has ended
        if os.fork() == 0:
            orders.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _guard(json.loads(message), *descriptors)
        for each in descriptors:
            os.close(each)


def _guard(order: dict[str, Any], stdout: int, stderr: int, report: int) -> None:
    """Fork the program, and report its exit status.

    As with a child of the tests' own process, its id is not free before they have seen the status: then they close
    the socket.
    """
    if pid := os.fork():
        os.setsid()
        os.close(stdout)
        os.close(stderr)
        with socket.socket(fileno=report) as reports:
            ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            assert ended is not None
            reports.send(b"%d" % (ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status))
            reports.recv(1)
        os._exit(0)
    os.setsid()
    with socket.socket(fileno=report) as reports:
        reports.send(b"%d" % os.getpid())
    _become(order, stdout, stderr)


def _become(order: dict[str, Any], stdout: int, stderr: int) -> None:
    """Run the program as the main module until it ends this process."""
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    os.close(stdout)
    os.close(stderr)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environ"])
    time.tzset()
    sys.argv = order["arguments"]
    runpy.run_path(sys.argv[0], run_name="__main__")
    sys.exit()


if __name__ == "__main__":
    main()

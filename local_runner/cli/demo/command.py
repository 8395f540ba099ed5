"""The command `audit-log demo`."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

_START_SECONDS: Final = 30
_HOST: Final = "127.0.0.1"


def demo(
    port: Annotated[int, typer.Option(metavar="PORT", min=1, max=65535, help="Port to listen on.")] = 8000,
    data_dir: Annotated[
        Path, typer.Option(metavar="DIRECTORY", help="Data directory of the demo, separate from that of `serve`.")
    ] = Path("var/demo"),
) -> None:
    """Serve with a month of generated events, until Ctrl-C."""
    from audit_log_client import Api, Filters, UnavailableError  # noqa: PLC0415 - an HTTP client for few commands

    url = f"http://{_HOST}:{port}"
    with _service(port, data_dir) as process, Api(url, patience=0) as api:
        deadline = time.monotonic() + _START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if api.page(Filters(), limit=1)["count"] == 0:
                    _send_dataset(url)
                break
            except UnavailableError:
                time.sleep(0.1)
        if process.poll() is None:
            typer.echo(_banner(url))
        status = process.wait()
    raise typer.Exit(status)


@contextmanager
def _service(port: int, data_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run `audit-log serve` without the settings of this environment. A signal to stop is passed on to it."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AUDIT_LOG_")}
    command = [sys.executable, "-m", "local_runner.cli.main", "serve", "--host", _HOST, "--port", str(port)]
    process = subprocess.Popen(command, env={**environ, "AUDIT_LOG_DATA_DIR": str(data_dir)})  # noqa: S603 - ourselves
    # A terminal sends Ctrl-C to both processes; this one has to outlive the one that it waits for.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def _send_dataset(url: str) -> None:
    """Send all events; when this returns the service has accepted them."""
    from audit_log_client import AuditLog  # noqa: PLC0415 - as above
    from local_runner.cli.demo.dataset import events  # noqa: PLC0415

    with AuditLog(url) as log:
        for event in events(int(time.time())):
            log.record(event.event_type, event.customer_id, event.event_data, timestamp_utc=event.timestamp_utc)


def _banner(url: str) -> str:
    from local_runner.cli.demo.dataset import DAYS, SUSPECT, SUSPECT_ADDRESS  # noqa: PLC0415

    return f"""
The last {DAYS} days of four companies are in the audit log. Look at it:

  {url}/       the log viewer
  {url}/docs   the API, to try out

In another terminal:

  audit-log query --url {url} --event-type user.login --where success=false
  audit-log export --url {url} --format csv --output events.csv

Two nights ago {SUSPECT} logged in from {SUSPECT_ADDRESS}, after many tries. What did they do then?

  audit-log query --url {url} --where admin_data.ip={SUSPECT_ADDRESS} --limit 12

Ctrl-C stops it."""

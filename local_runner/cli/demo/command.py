"""The command `audit-log demo`."""

import logging
import os
import shlex
import shutil
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from core.errors import AuditLogError

if TYPE_CHECKING:
    from core.settings import Settings
    from local_runner.cli.demo.feed import Contents

_HOST: Final = "127.0.0.1"
_METRICS_PORTS: Final = range(8082, 8092)
_MARK: Final = "demo"
"""Name of an empty file in the data directory of a demo: sample data never get into a log of real events."""


class NotADemoError(AuditLogError):
    """The data directory has an event store that no demo made. Name another one."""


def demo(
    port: Annotated[int, typer.Option(metavar="PORT", min=1, max=65535, help="Port to listen on.")] = 8000,
    data_dir: Annotated[
        Path, typer.Option(metavar="DIRECTORY", help="Data directory of the demo, separate from that of `serve`.")
    ] = Path("var/demo"),
) -> None:
    """Serve a log of generated events, and add one every few seconds, until Ctrl-C."""
    from core.settings import Settings
    from local_runner import server
    from local_runner.cli.demo.feed import Feed
    from local_runner.telemetry import logging_config

    settings = Settings.from_environ({"AUDIT_LOG_DATA_DIR": str(data_dir)})  # none of this environment
    _require_demo(settings)
    logging_config.configure(settings.log_format)
    for requests in ("audit_log.request", "httpx"):  # those of the viewer and of the feed would hide the banner
        logging.getLogger(requests).setLevel(logging.WARNING)
    url = f"http://{_HOST}:{port}"
    with Feed(url, lambda contents: typer.echo(_banner(url, contents))) as feed:

        def on_start() -> None:
            (data_dir / _MARK).touch()
            feed.start()

        server.serve(settings, _HOST, port, server.ManagementAddress(_HOST, _METRICS_PORTS), on_start=on_start)


def _require_demo(settings: "Settings") -> None:
    from local_runner.cli.offline import store_file

    store = store_file(settings)
    if store and store.exists() and not (settings.data_dir / _MARK).exists():
        raise NotADemoError(
            f"{settings.data_dir.absolute()} has an event store that `audit-log demo` did not create: name another "
            "--data-dir."
        )


def _banner(url: str, contents: "Contents") -> str:
    command, days = _own_command(), (datetime.now(UTC).date() - _day(contents.first)).days
    return f"""
The log has events of four companies from the last {days} days, and gets more every few seconds. Look at it:

  {url}/       the log viewer; press l for live
  {url}/docs   the API, to try out

In another terminal, in this directory:

  {command} tail --url {url}
  {command} query --url {url} --event-type user.login --where outcome=failure
  {command} export --url {url} --format csv --output events.csv
{_story(command, url, contents.takeover)}
Ctrl-C stops it."""


def _story(command: str, url: str, takeover: int | None) -> str:
    from local_runner.cli.demo.dataset import SUSPECT, SUSPECT_ADDRESS

    if takeover is None:
        return ""
    return f"""
In the night of {_day(takeover)} {SUSPECT} logged in from {SUSPECT_ADDRESS}, after many tries. What did they do then?

  {command} query --url {url} --where context.ip={SUSPECT_ADDRESS} --limit 12
"""


def _day(seconds: int) -> date:
    return datetime.fromtimestamp(seconds, UTC).date()


def _own_command() -> str:
    """How to call this command in a terminal: by its name if that is found, else by its path."""
    own = Path(sys.executable).with_name("audit-log")
    found = shutil.which("audit-log")
    if found and Path(found).resolve() == own.resolve():
        return "audit-log"
    return shlex.quote(os.path.relpath(own) if own.is_relative_to(Path.cwd()) else str(own))

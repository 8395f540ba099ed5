"""`audit-log demo`: sample data in a log that is the demo's alone."""

import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from audit_log_client import Api, Filters
from local_runner.cli.demo.dataset import SUSPECT_ADDRESS
from tests.support.service import AUDIT_LOG, Service, environment, free_port, get
from tests.support.waiting import SECONDS, until

TAKEOVER = Filters(data=(("context.ip", SUSPECT_ADDRESS),))


@contextmanager
def demo(port: int, data_dir: Path) -> Iterator[str]:
    """A demo with its banner printed: yields all that it printed so far."""
    command = [AUDIT_LOG, "demo", "--port", str(port), "--data-dir", str(data_dir)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment(data_dir / "not")
    )
    assert process.stdout
    try:
        text = ""
        while "Ctrl-C stops it." not in text:
            line = process.stdout.readline()
            assert line, f"the demo ended:\n{text}"
            text += line
        yield text
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=SECONDS)
    assert process.returncode == 0


def refused(port: int, data_dir: Path) -> str:
    """What a demo says that does not start."""
    command = [AUDIT_LOG, "demo", "--port", str(port), "--data-dir", str(data_dir)]
    ended = subprocess.run(
        command, env=environment(data_dir / "not"), capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    return ended.stderr


def count(url: str, filters: Filters = TAKEOVER, at_least: int = 0) -> int:
    """The number of events, once there are so many."""
    with Api(url) as api:
        until(lambda: api.page(filters, limit=1)["total_count"] >= at_least)
        return int(api.page(filters, limit=1)["total_count"])


def test_a_demo_tells_its_story_once_and_goes_on_by_itself(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    for _ in range(2):
        with demo(port, tmp_path / "demo") as printed:
            assert get(f"{url}/health").status_code == 200
            assert "from the last 30 days" in printed
            assert "HTTP" not in printed
            assert "GET" not in printed
            assert count(url, at_least=151) == 151
            now = int(time.time())
            assert count(url, Filters(start=now - 600), at_least=2) >= 2
            assert count(url, Filters(start=now + 1), at_least=1) >= 1, "nothing new to look at"


def test_the_commands_of_the_banner_work_where_the_reader_is(tmp_path: Path) -> None:
    port = free_port()
    with demo(port, tmp_path / "demo") as printed:
        [query] = [line for line in printed.splitlines() if "query" in line and "--limit 12" in line]
        shown = subprocess.run(
            ["sh", "-c", f"{query} --json"], capture_output=True, text=True, check=True, cwd=Path.cwd(), timeout=SECONDS
        )
        assert len(shown.stdout.splitlines()) == 12
        [logins] = [line for line in printed.splitlines() if "query" in line and "user.login" in line]
        failed = subprocess.run(shlex.split(logins), capture_output=True, text=True, check=True, timeout=30)
        assert failed.stdout.count("outcome=failure") == 20
        assert shlex.split(query)[0] == AUDIT_LOG or not Path(shlex.split(query)[0]).is_absolute()


def test_a_demo_writes_nothing_into_a_service_that_has_its_port(tmp_path: Path) -> None:
    with Service.start(tmp_path / "real") as real:
        said = refused(real.port, tmp_path / "demo")
        assert f"Cannot listen on 127.0.0.1 port {real.port}" in said
        assert "another --port" in said
        assert count(real.url, Filters()) == 0
    assert not (tmp_path / "demo").exists()


def test_a_demo_refuses_a_data_directory_with_real_events(tmp_path: Path) -> None:
    with Service.start(tmp_path / "real"):
        pass
    before = (tmp_path / "real" / "audit-log.db").read_bytes()
    said = refused(free_port(), tmp_path / "real")
    assert "has an event store that `audit-log demo` did not create: name another --data-dir" in said
    assert (tmp_path / "real" / "audit-log.db").read_bytes() == before

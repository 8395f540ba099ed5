"""A real service for tests: `audit-log serve` in a separate process."""

import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import httpx

from tests.support import forked
from tests.support.waiting import SECONDS

AUDIT_LOG = str(Path(sys.executable).with_name("audit-log"))
EXECUTED: Final = ("env", AUDIT_LOG)
"""The same, for a `Service` that is started as a user starts it and not forked: see `tests.support.forked`."""
_NO_AUTHORITIES: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def get(url: str, **options: Any) -> httpx.Response:
    """Send a GET request to an `http:` URL. `httpx.get` reads the authorities of the system each time, for 30 ms."""
    return httpx.get(url, timeout=SECONDS, verify=_NO_AUTHORITIES, **options)


def post(url: str, **options: Any) -> httpx.Response:
    """Send a POST request to an `http:` URL."""
    return httpx.post(url, timeout=SECONDS, verify=_NO_AUTHORITIES, **options)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def free_ports(count: int) -> range:
    """Neighbouring ports, below those that the system gives to connections, any of which may be taken at once."""
    starts = list(range(20_000, 32_000, count))
    random.shuffle(starts)
    return next(ports for start in starts if all(map(_is_free, ports := range(start, start + count))))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def environment(data_dir: Path, **settings: str) -> dict[str, str]:
    """This process's environment without its AUDIT_LOG_* settings, and with those given."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AUDIT_LOG_")}
    given = {f"AUDIT_LOG_{name.upper()}": value for name, value in settings.items()}
    return {**inherited, "AUDIT_LOG_DATA_DIR": str(data_dir), **given}


class Service:
    """A running server, forked if the command is `AUDIT_LOG`. Leaving the block ends it with SIGTERM and waits."""

    def __init__(  # noqa: PLR0917
        self,
        command: Sequence[str],
        port: int,
        data_dir: Path,
        settings: Mapping[str, str],
        cwd: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.port = port
        self.data_dir = data_dir
        self.url = f"http://127.0.0.1:{port}"
        self._log_path = data_dir.with_name(f"{data_dir.name}-{port}.log")
        self._log = self._log_path.open("w")
        environ = {**environment(data_dir, **settings), **(environ or {})}
        self.process: subprocess.Popen[bytes] | forked.Process
        if command[0] == AUDIT_LOG:
            self.process = forked.start(command, environ, self._log.fileno(), self._log.fileno(), cwd)
        else:
            self.process = subprocess.Popen(
                command, env=environ, cwd=cwd, stdout=self._log, stderr=subprocess.STDOUT, start_new_session=True
            )

    @classmethod
    def start(cls, data_dir: Path, *options: str, command: Sequence[str] = (AUDIT_LOG,), **settings: str) -> Self:
        """`audit-log serve` on a free port of the loopback address."""
        port = free_port()
        return cls([*command, "serve", "--port", str(port), *options], port, data_dir, settings).wait_until_up()

    def wait_until_up(self) -> Self:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                get(f"{self.url}/health")
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return self
        self.stop(signal.SIGKILL)
        raise AssertionError(f"the service did not come up:\n{self.log}")

    @property
    def log(self) -> str:
        return self._log_path.read_text()

    def token(self, valid_minutes: int = 60) -> str:
        answer = get(f"{self.url}/access-token", params={"valid_minutes": valid_minutes})
        token: str = answer.raise_for_status().json()["token"]
        return token

    def client(self) -> httpx.Client:
        """An HTTP client that is already authenticated."""
        headers = {"Authorization": f"Bearer {self.token()}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=SECONDS, verify=_NO_AUTHORITIES)

    @property
    def workers(self) -> set[int]:
        """Process ids of `--workers`. Excludes the process in which Python keeps its semaphores."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        return {int(child) for child in children if b"spawn_main" in _command_line(child)}

    @property
    def storing_process(self) -> int | None:
        """Process id of the process that stores the events, if there is one."""
        tasks = Path(f"/proc/{self.process.pid}/task")
        children = [pid for task in tasks.iterdir() for pid in (task / "children").read_text(encoding="ascii").split()]
        return next((int(pid) for pid in children if b"storing_main" in _command_line(pid)), None)

    def stop(self, signal_number: int = signal.SIGTERM, timeout: float = SECONDS) -> int:
        """Send the signal to the whole process group, as a terminal does; the exit status."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal_number)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise
        finally:
            self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _command_line(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""  # it has just ended

"""Servers of the fault runs' own, which they may kill: never those that this machine uses for anything else."""

import getpass
import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import TypeVar

from tests.support import kafka_server
from tests.support.service import free_port
from tests.support.skipping import skip_or_fail

START_SECONDS = 90


class MissingServerError(Exception):
    """A server's programs are not on this machine; the message says how to get them."""


class Server(ABC):
    """A server process with a separate directory and port, run by the account that its programs ask for."""

    account: str
    url: str

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """What runs it in the foreground."""

    @abstractmethod
    def probe(self) -> list[str]:
        """What succeeds once it takes connections."""

    def environment(self) -> dict[str, str]:
        """In addition to the inherited environment."""
        return {}

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.as_account(self.command()), env={**os.environ, **self.environment()}, cwd=self.directory,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while not self._takes_connections():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(
                    f"{self.command()[0]} does not start:\n{(self.directory / 'log').read_text()[-2000:]}"
                )
            time.sleep(0.2)

    def stop(self, how: signal.Signals) -> None:
        """End the server and all its processes, and wait until they are gone."""
        if self._process is not None:
            os.killpg(self._process.pid, how)
            try:
                self._process.wait(START_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Leave the server and all its processes without a processor for the block: it takes connections, and hangs."""
        assert self._process is not None
        # Not the process group: each backend of PostgreSQL leads a separate one. The first that stops forks no more.
        pid = self._process.pid
        stopped = [pid]
        os.kill(pid, signal.SIGSTOP)
        try:
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
                os.kill(int(child), signal.SIGSTOP)
                stopped.append(int(child))
            yield
        finally:
            for process in reversed(stopped):
                os.kill(process, signal.SIGCONT)

    def run(self, command: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
        """Run a program of the server's installation. Raises TimeoutExpired for one that hangs."""
        return subprocess.run(
            self.as_account(command), env={**os.environ, **self.environment()}, cwd=self.directory, check=False,
            capture_output=True, stdin=subprocess.DEVNULL, timeout=START_SECONDS,
        )  # fmt: skip

    def _takes_connections(self) -> bool:
        try:
            return self.run(self.probe()).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def as_account(self, command: Sequence[str]) -> list[str]:
        """The servers refuse to run as root: then they run as the account that their packages made."""
        root = os.geteuid() == 0
        return (
            ["setpriv", f"--reuid={self.account}", f"--regid={self.account}", "--clear-groups", *command]
            if root
            else [*command]
        )


class PostgreSQL(Server):
    """A cluster made for this run."""

    account = "postgres"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._programs = _newest("/usr/lib/postgresql/*/bin", "initdb", "apt-get install postgresql")
        self.url = f"postgresql://audit_log@127.0.0.1:{self.port}/postgres"
        made = self.run([f"{self._programs}/initdb", "--pgdata=data", "--username=audit_log", "--auth=trust"])
        if made.returncode:
            raise RuntimeError(made.stderr.decode())

    def command(self) -> list[str]:
        """See `Server.command`."""
        sockets = f"unix_socket_directories={self.directory}"
        return [f"{self._programs}/postgres", "-D", "data", "-p", str(self.port), "-h", "127.0.0.1", "-c", sockets]

    def probe(self) -> list[str]:
        """See `Server.probe`."""
        return [f"{self._programs}/pg_isready", "--quiet", "--host=127.0.0.1", f"--port={self.port}"]


class MariaDB(Server):
    """A server made for this run."""

    account = "mysql"
    options: Sequence[str] = ()

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._programs = _newest("/usr/sbin", "mariadbd", "apt-get install mariadb-server")
        self.url = f"mysql://audit_log@127.0.0.1:{self.port}/audit_log"
        made = self.run([
            "mariadb-install-db", "--no-defaults", f"--datadir={directory}/data", "--skip-test-db",
            "--skip-name-resolve", "--auth-root-authentication-method=normal",
        ])  # fmt: skip
        if made.returncode:
            raise RuntimeError(made.stderr.decode())
        account = "audit_log@'127.0.0.1'"
        statements = ["CREATE DATABASE audit_log", f"CREATE USER {account}", f"GRANT ALL ON audit_log.* TO {account}"]
        (directory / "start.sql").write_text("".join(f"{statement};\n" for statement in statements))

    def command(self) -> list[str]:
        """See `Server.command`."""
        return [
            f"{self._programs}/mariadbd", "--no-defaults", f"--datadir={self.directory}/data", f"--port={self.port}",
            "--bind-address=127.0.0.1", "--skip-name-resolve", f"--socket={self.directory}/socket",
            f"--init-file={self.directory}/start.sql", *self.options,
        ]  # fmt: skip

    def probe(self) -> list[str]:
        """See `Server.probe`."""
        return ["mariadb-admin", "--no-defaults", f"--socket={self.directory}/socket", "--user=root", "ping"]


class RabbitMQ(Server):
    """A node made for this run."""

    account = "rabbitmq"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._programs = _newest("/usr/lib/rabbitmq/bin", "rabbitmq-server", "apt-get install rabbitmq-server")
        self._distribution_port = free_port()
        self._node = f"faults-{self.port}@localhost"
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}/"
        (directory / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\n")

    def environment(self) -> dict[str, str]:
        """See `Server.environment`."""
        directory = str(self.directory)
        return {
            "HOME": directory,
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_CONFIG_FILE": f"{directory}/rabbitmq.conf",
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_MNESIA_BASE": directory,
            "RABBITMQ_LOG_BASE": directory,
            "RABBITMQ_PID_FILE": f"{directory}/pid",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{directory}/enabled_plugins",
            "RABBITMQ_CONF_ENV_FILE": f"{directory}/none",
        }

    def command(self) -> list[str]:
        """See `Server.command`."""
        return [f"{self._programs}/rabbitmq-server"]

    def probe(self) -> list[str]:
        """See `Server.probe`."""
        return [f"{self._programs}/rabbitmq-diagnostics", "--quiet", "check_port_connectivity", "--node", self._node]

    @contextmanager
    def memory_alarm(self) -> Iterator[None]:
        """Let the node raise its memory alarm for the block: it reads nothing more from connections that publish."""
        self._set_watermark("absolute", "1")
        try:
            yield
        finally:
            self._set_watermark("0.6")

    def _set_watermark(self, *limit: str) -> None:
        control = [f"{self._programs}/rabbitmqctl", "--node", self._node, "set_vm_memory_high_watermark", *limit]
        self.run(control).check_returncode()


class Kafka(Server):
    """A broker made for this run."""

    account = getpass.getuser()  # its programs have none, and need none

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        if not (shutil.which("java") and shutil.which("mvn")):
            raise MissingServerError("needs java and mvn: apt-get install default-jre-headless maven")
        self._listeners = kafka_server.prepare(directory)
        self.url = f"kafka://{self._listeners.plain}/faults?session.timeout.ms=2000&heartbeat.interval.ms=200"

    def command(self) -> list[str]:
        """See `Server.command`."""
        return kafka_server.command(self.directory)

    def probe(self) -> list[str]:
        """See `Server.probe`."""
        host, port = self._listeners.plain.split(":")
        return ["bash", "-c", f"exec 3<> /dev/tcp/{host}/{port}"]

    def as_account(self, command: Sequence[str]) -> list[str]:
        """See `Server.as_account`."""
        return [*command]


S = TypeVar("S", bound=Server)


@contextmanager
def running(kind: type[S]) -> Iterator[S]:
    """A server of this kind, in a directory that its account may use; both are gone afterwards."""
    directory = Path(mkdtemp(prefix=f"audit-log-{kind.account}-"))
    if os.geteuid() == 0:
        with suppress(LookupError):  # without the account there are no programs either, which the server finds out
            shutil.chown(directory, kind.account, kind.account)
    try:
        server = kind(directory)
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGTERM)
    finally:
        shutil.rmtree(directory)


@contextmanager
def running_or_skipped(kind: type[S]) -> Iterator[S]:
    """A server of this kind as in `running`; skips the test where its programs are missing, a failure with CI=true."""
    try:
        with running(kind) as server:
            yield server
    except MissingServerError as exc:
        skip_or_fail(str(exc))


def _newest(pattern: str, program: str, how: str) -> Path:
    found = sorted(path for path in Path("/").glob(pattern.removeprefix("/")) if (path / program).exists())
    if not found:
        raise MissingServerError(f"needs {program}: {how}")
    return found[-1]

"""Faults of one machine: the local runner dies, stops, loses its disk, its database or its time."""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from select import select
from tempfile import TemporaryDirectory

import httpx

from core.settings import Settings
from core.wiring import Services
from tests.faults.load import Cut, Load, Verdict, judge
from tests.faults.servers import MissingServerError, PostgreSQL, running
from tests.faults.shim import Shim
from tests.support.service import AUDIT_LOG, EXECUTED, Service, free_port
from tests.support.waiting import until

SECRET = "the-fault-runs-sign-their-tokens-with-this"
RATE = 300.0
STOP_SECONDS = 10.0
PROMPT_SECONDS = 5.0
DAY = 86_400


class Runner:
    """`audit-log serve` with everything in one process, on one port and one data directory over all its lives."""

    def __init__(self, data_dir: Path, settings: Mapping[str, str], environ: Mapping[str, str] | None = None) -> None:
        self.data_dir = data_dir
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self._port = port
        self._environ = environ
        self._settings = {"jwt_secret": SECRET, **settings}
        self.start()

    @property
    def database_url(self) -> str:
        """Where it stores."""
        return f"sqlite:///{self.data_dir / 'audit-log.db'}"

    def start(self) -> None:
        """Live (again)."""
        command = [*(EXECUTED if self._environ else [AUDIT_LOG]), "serve", "--port", str(self._port)]
        self.service = Service(
            command, self._port, self.data_dir, self._settings, environ=self._environ
        ).wait_until_up()

    def kill(self) -> None:
        """Die without a chance to finish anything."""
        self.service.stop(signal.SIGKILL)

    @contextmanager
    def locked_database(self) -> Iterator[None]:
        """Nothing can be stored meanwhile."""
        connection = sqlite3.connect(self.data_dir / "audit-log.db", isolation_level=None, timeout=30)
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.rollback()
            connection.close()


def token(seconds_off: int = 0, subject: str = "faults") -> str:
    """One that the runner takes when its clock is so far off."""
    settings = Settings.from_environ({"AUDIT_LOG_JWT_SECRET": SECRET})
    return Services(settings, clock=lambda: time.time() + seconds_off).issuer.issue(subject)[0]


@contextmanager
def runner(**settings: str) -> Iterator[Runner]:
    """A runner with a new data directory; it is stopped in the end."""
    with TemporaryDirectory(prefix="audit-log-runner-") as directory:
        made = Runner(Path(directory) / "data", settings)
        try:
            yield made
        finally:
            made.service.stop()


def moments(load: Load, rounds: int) -> Iterator[int]:
    """Yield the number of each round at any moment after an event was accepted."""
    for number in range(rounds):
        until(load.goes_on(), "an accepted event")
        time.sleep(random.uniform(0, 0.3))  # noqa: S311 - no secret
        yield number


def killed_under_load(rounds: int) -> Verdict:
    """Kill the runner at any moment while events come in, and start it again."""
    with runner() as made:
        with Load([made.url], token(), rate=RATE) as load:
            for _ in moments(load, rounds):
                made.kill()
                made.start()
        return judge(load.recorder, made.database_url)


def killed_storing_process(rounds: int) -> Verdict:
    """Kill the process that stores at any moment while events come in: accepting continues, and another one stores."""
    with runner() as made:
        with Load([made.url], token(), rate=RATE) as load:
            for _ in moments(load, rounds):
                until(lambda: made.service.storing_process is not None, "another storing process")
                if pid := made.service.storing_process:
                    os.kill(pid, signal.SIGKILL)
        return judge(load.recorder, made.database_url)


def stopped_storing_process(rounds: int) -> Verdict:
    """Halt the process that stores for a moment by SIGSTOP, while events come in: accepting continues."""
    with runner() as made:
        with Load([made.url], token(), rate=RATE) as load:
            for _ in range(rounds):
                until(lambda: made.service.storing_process is not None, "a storing process")
                pid = made.service.storing_process or 0
                os.kill(pid, signal.SIGSTOP)
                try:
                    until(load.goes_on(round(RATE / 10)), "accepted events")
                    time.sleep(random.uniform(0, 0.3))  # noqa: S311 - no secret
                finally:
                    os.kill(pid, signal.SIGCONT)
                until(load.goes_on(), "an accepted event")
        return judge(load.recorder, made.database_url)


def restarted_in_any_order(rounds: int) -> Verdict:
    """Kill both processes of the runner, now this one first and now the other, and start again at once."""
    with runner() as made:
        with Load([made.url], token(), rate=RATE) as load:
            for number in moments(load, rounds):
                until(lambda: made.service.storing_process is not None, "a storing process")
                both = [made.service.process.pid, made.service.storing_process or 0]
                for pid in both if number % 2 else reversed(both):
                    os.kill(pid, signal.SIGKILL)
                made.service.process.wait()
                made.service.stop()  # closes its log
                made.start()
        return judge(load.recorder, made.database_url)


def killed_accepting_process(rounds: int) -> Verdict:
    """Kill the process that accepts, alone, and start another at once: the one that stored for it ends by itself."""
    with runner() as made:
        with Load([made.url], token(), rate=RATE) as load:
            left: list[int] = []  # descriptors, since the system gives a process id again
            for _ in moments(load, rounds):
                until(lambda: made.service.storing_process is not None, "a storing process")
                left.append(os.pidfd_open(made.service.storing_process or 0))
                made.service.process.kill()
                made.service.process.wait()
                made.service.stop()  # closes its log
                made.start()
            until(lambda: len(select(left, [], [], 0)[0]) == len(left), "the end of all that stored")
            for descriptor in left:
                os.close(descriptor)
        return judge(load.recorder, made.database_url)


def killed_between_spool_and_store(rounds: int) -> Verdict:
    """Kill the runner when nothing of what it has accepted since its start can have been stored."""
    with runner() as made:
        with Load([made.url], token(), rate=RATE) as load:
            for _ in range(rounds):
                with made.locked_database():
                    until(load.goes_on(), "an accepted event")
                    made.kill()
                made.start()
        return judge(load.recorder, made.database_url)


def stopped_under_load(rounds: int) -> Verdict:
    """Ask the runner to stop at 500 events a second: it has to end well within ten seconds, each time."""
    with runner() as made:
        with Load([made.url], token(), rate=500, threads=16) as load:
            for _ in range(rounds):
                until(load.goes_on(50), "accepted events")
                started = time.monotonic()
                status = made.service.stop(signal.SIGTERM)
                if status or time.monotonic() - started > STOP_SECONDS:
                    raise AssertionError(f"a stop took {time.monotonic() - started:.1f} s and ended with {status}")
                made.start()
        return judge(load.recorder, made.database_url)


def locked_database(rounds: int) -> Verdict:
    """Lock the database for so many seconds: events are still accepted, and are stored afterwards."""
    with runner() as made:
        with Load([made.url], token(), rate=RATE) as load, made.locked_database():
            deadline = time.monotonic() + rounds
            while time.monotonic() < deadline:
                until(load.goes_on(), "an accepted event", seconds=5)
        return judge(load.recorder, made.database_url)


def frozen_database(rounds: int) -> Verdict:
    """Let PostgreSQL hang for so many seconds while clients are checked: events are still accepted, as if it worked.

    Every half second a client comes that the runner has never seen, and somebody asks for the runner's health.
    """
    with running(PostgreSQL) as server, runner(database_url=server.url, auth="clients") as made:
        with Load([made.url], token(), rate=RATE) as load:
            until(load.goes_on(), "an accepted event")
            with server.frozen(), httpx.Client(base_url=made.url, timeout=PROMPT_SECONDS) as client:
                deadline = time.monotonic() + rounds
                while time.monotonic() < deadline:
                    until(load.goes_on(round(RATE / 2)), "events of half a second", seconds=PROMPT_SECONDS)
                    headers = {"Authorization": f"Bearer {token(subject=str(uuid.uuid4()))}"}
                    refused = client.post("/event", json={}, headers=headers)  # after its token was checked
                    if (refused.status_code, client.get("/health").status_code) != (422, 200):
                        raise AssertionError(f"a new client was answered {refused.status_code}: {refused.text}")
        return judge(load.recorder, server.url)


def full_disk(rounds: int) -> Verdict:
    """Fill the disk until events are refused, give it room again until they are accepted; again and again."""
    with TemporaryDirectory(prefix="audit-log-disk-") as directory, _small_disk(Path(directory)) as resize:
        made = Runner(Path(directory) / "data", {})
        try:
            with Load([made.url], token(), rate=500, threads=16) as load:
                for number in range(rounds):
                    ballast = Path(directory) / "ballast"
                    with contextlib.suppress(OSError), ballast.open("wb") as file:
                        while file.write(bytes(4096)):
                            file.flush()
                    until(load.is_refused(), "a refusal")
                    ballast.unlink()
                    resize(32 * (number + 2))
                    until(load.goes_on(), "an accepted event")
            return judge(load.recorder, made.database_url)
        finally:
            made.service.stop()


def jumping_clock(rounds: int) -> Verdict:
    """Put the clock a day ahead and a day back while events come in."""
    with TemporaryDirectory(prefix="audit-log-clock-") as name:
        directory = Path(name)
        shim = Shim(directory, directory / "data")
        made = Runner(directory / "data", {}, shim.environ)
        try:
            loads = []
            for seconds in (0, *(DAY, -DAY) * rounds, 0):
                with Load([made.url], token(seconds), rate=RATE) as load:
                    shim.set_clock(seconds)
                    until(load.goes_on(100), "accepted events")
                loads.append(load)
            return _sum(judge(load.recorder, made.database_url) for load in loads)
        finally:
            made.service.stop()


def power_cut(rounds: int, spool: str, bound: float) -> Verdict:
    """Kill the runner and leave of its files only the synced bytes."""
    cuts: list[Cut] = []
    with TemporaryDirectory(prefix="audit-log-power-") as name:
        directory = Path(name)
        shim = Shim(directory, directory / "data")
        made = Runner(directory / "data", {"spool": spool}, shim.environ)
        try:
            with Load([made.url], token(), rate=RATE) as load:
                for _ in range(rounds):
                    until(load.goes_on(100), "accepted events")
                    cut_at = time.monotonic()
                    made.kill()
                    shim.cut_power()
                    made.start()
                    cuts.append(Cut(cut_at, time.monotonic()))
            return judge(load.recorder, made.database_url, patience=2, cuts=cuts, bound=bound)
        finally:
            made.service.stop()


def _sum(verdicts: Iterator[Verdict]) -> Verdict:
    return Verdict(*map(sum, zip(*(vars(verdict).values() for verdict in verdicts), strict=True)))


@contextmanager
def _small_disk(mount_point: Path) -> Iterator[Callable[[int], None]]:
    """A file system of 32 MiB, and what gives it another size."""
    if os.geteuid() != 0:
        raise MissingServerError("needs root, to mount a small file system in memory")

    def mount(size: int, *options: str) -> None:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", ",".join([*options, f"size={size}m"]), "tmpfs", mount_point], check=True
        )

    mount(32)
    try:
        yield lambda size: mount(size, "remount")
    finally:
        subprocess.run(["umount", mount_point], check=True)

"""Mistakes of the first hour with the commands, each answered by what to do instead."""

import gzip
import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from core.ports.queue import Message
from functions.consume_events import lambda_consumer
from local_runner.cli import main
from local_runner.queue.dead_letters import FILE_NAME, DeadLetterFile
from tests.support import databases
from tests.support.builders import new_event
from tests.support.service import AUDIT_LOG, Service, environment, free_port
from tests.support.waiting import until


@pytest.fixture(scope="module")
def metrics_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, metrics_port: int) -> Iterator[Service]:
    """A service with 30 events that have a word in common, on which no index counts."""
    data_dir = tmp_path_factory.mktemp("mistakes") / "data"
    with Service.start(data_dir, "--metrics-port", str(metrics_port)) as running:
        events = [new_event(event_type="first.hour", event_data={"text": "needle €", "n": n}) for n in range(30)]
        with running.client() as client:
            client.post("/events", json={"events": events}).raise_for_status()
            until(lambda: client.get("/event").json()["total_count"] == 30)
        yield running


def run(service: Service, *arguments: str, url: str | None = None) -> Result:
    environ = environment(service.data_dir) | {"COLUMNS": "200"}
    return CliRunner().invoke(main.app, [*arguments, "--url", url or service.url], env=environ)


def test_a_command_gets_one_token(service: Service) -> None:
    before = service.log.count("route=/access-token")
    assert run(service, "query", "--limit", "1").exit_code == 0
    until(lambda: service.log.count("route=/event ") > 0)
    assert service.log.count("route=/access-token") == before + 1


@pytest.mark.parametrize("path", ["", "/docs"])
def test_an_address_that_is_not_the_service_is_told(service: Service, metrics_port: int, path: str) -> None:
    url = f"{service.url}{path}" if path else f"http://127.0.0.1:{metrics_port}"
    done = run(service, "query", url=url)
    assert (done.exit_code, done.stderr) == (
        1, f"audit-log: The service is not at {url} (status 404): check the port and the path of the address.\n",
    )  # fmt: skip


def test_a_service_without_tls_is_told(service: Service) -> None:
    url = service.url.replace("http:", "https:")
    done = run(service, "query", url=url)
    assert (done.exit_code, "does not answer by TLS: try http://" in done.stderr) == (1, True), done.stderr


def test_a_path_that_begins_with_event_data_is_doubted(service: Service) -> None:
    done = run(service, "query", "--where", "event_data.outcome=success")
    assert done.stderr.splitlines() == [
        "Paths of --where begin inside event_data: did you mean outcome?", "No event matches.",
    ]  # fmt: skip
    assert "did you mean" not in run(service, "query", "--where", "outcome=success").stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "20 of 30 events"),
        (("--filter", "q=needle"), "The first 20 events"),
        (("--filter", "q=needle", "--limit", "1"), "1 of at least 2 events"),
        (("--filter", "q=needle", "--limit", "30"), ""),
        (("--all",), ""),
    ],
)
def test_a_query_that_shows_a_part_says_so(service: Service, options: tuple[str, ...], said: str) -> None:
    done = run(service, "query", *options)
    assert done.stderr == (f"{said}; --all shows all of them.\n" if said else "")


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("query", "--limit", "5", "--all"), "--limit"),
        (("send", "--event-type", "a", "--customer", "1", "--data", '{"a": 1}', "--name", "x"), "--name"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_an_option_that_would_have_no_effect_is_refused(
    service: Service, arguments: tuple[str, ...], option: str
) -> None:
    done = run(service, *arguments)
    assert (done.exit_code, f"Invalid value for {option}" in done.stderr) == (2, True), done.output


@pytest.mark.parametrize(
    ("name", "options", "is_csv"),
    [
        ("a.csv", (), True),
        ("a.CSV.gz", (), True),
        ("a.ndjson", (), False),
        ("csv", (), False),
        ("a.csv", ("--format", "ndjson"), False),
        ("a.txt", ("--format", "csv"), True),
    ],
)
def test_the_format_of_an_export_is_that_of_its_name(
    service: Service, tmp_path: Path, name: str, options: tuple[str, ...], *, is_csv: bool
) -> None:
    file = tmp_path / name
    assert run(service, "export", "--output", str(file), *options).exit_code == 0
    content = gzip.decompress(file.read_bytes()) if name.endswith(".gz") else file.read_bytes()
    assert content.startswith(b"event_id,event_type") == is_csv


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_an_event_is_shown_on_a_terminal_of_another_encoding(service: Service, options: tuple[str, ...]) -> None:
    done = subprocess.run(
        [AUDIT_LOG, "query", "--limit", "1", "--url", service.url, *options],
        env=environment(service.data_dir) | {"PYTHONIOENCODING": "latin-1"}, capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, b"needle \\u20ac" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_standard_stream_is_no_error(service: Service, closed: str) -> None:
    command = f"exec {AUDIT_LOG} query --limit 1 --url {service.url} {closed}"
    done = subprocess.run(["sh", "-c", command], env=environment(service.data_dir), capture_output=True, check=False)
    assert (done.returncode, b"first.hour" in done.stdout) == (0, ">&-" not in closed.replace("2>&-", "")), done.stderr
    assert b"Traceback" not in done.stderr


def test_a_secret_cannot_be_asked_for_where_standard_input_is_closed(service: Service) -> None:
    command = f"exec {AUDIT_LOG} query --client-id c --url {service.url} <&-"
    done = subprocess.run(["sh", "-c", command], env=environment(service.data_dir), capture_output=True, check=False)
    assert (done.returncode, b"AUDIT_CLIENT_SECRET" in done.stderr) == (2, True), done.stderr


def test_ctrl_c_at_the_question_for_a_secret_is_an_interruption(service: Service) -> None:
    terminal, other_end = pty.openpty()
    command = subprocess.Popen(
        [AUDIT_LOG, "query", "--client-id", "c", "--url", service.url], env=environment(service.data_dir),
        stdin=other_end, stdout=other_end, stderr=other_end, start_new_session=True,
    )  # fmt: skip
    shown = b""
    while b"Secret of c" not in shown:
        shown += os.read(terminal, 1024)
    command.send_signal(signal.SIGINT)
    assert command.wait(timeout=30) == 130
    os.close(terminal)
    os.close(other_end)


def test_an_id_that_is_no_dead_letter_is_told(tmp_path: Path) -> None:
    databases.copy_migrated(f"sqlite:///{tmp_path / 'audit-log.db'}")
    letters = DeadLetterFile(tmp_path / FILE_NAME, lambda_consumer(None))  # type: ignore[arg-type]  # not used
    letters.add([Message("", "", "no event", 5, 0.0)])
    done = CliRunner().invoke(main.app, ["dead-letters", "redrive", "77", "78"], env=environment(tmp_path))
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "audit-log: 0 of 2 ids put back: see `audit-log dead-letters list`.\n"

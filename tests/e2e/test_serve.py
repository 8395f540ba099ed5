"""`audit-log serve` as a process: what it keeps when it is stopped, restarted or robbed of its worker."""

import http.client
import json
import os
import signal
import socket
import sqlite3
import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path

import pytest

from local_runner.http.sockets import bind_listener
from tests.support.builders import new_event
from tests.support.service import EXECUTED, Service, free_port, get
from tests.support.waiting import SECONDS, until

Send = Callable[[int, int], None]


def stored_ids(service: Service) -> set[str]:
    with closing(sqlite3.connect(service.data_dir / "audit-log.db")) as connection:
        return {event_id for (event_id,) in connection.execute("SELECT event_id FROM events")}


def post_until_refused(service: Service, token: str) -> list[str]:
    """The ids of the events that were accepted, one after the other, until the service goes away."""
    accepted: list[str] = []
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=SECONDS)) as connection:
        while True:
            try:
                connection.request("POST", "/event", json.dumps(new_event()), headers)
                with connection.getresponse() as answer:
                    if answer.status != 202:
                        return accepted
                    accepted.append(json.load(answer)["event_id"])
            except (http.client.HTTPException, OSError):
                return accepted


def end(service: Service, send: Send, signal_number: int) -> int:
    """Send the signal to the service; its exit status."""
    send(service.process.pid, signal_number)
    return service.process.wait(timeout=SECONDS)


@pytest.mark.parametrize(
    ("send", "signal_number"),
    [
        pytest.param(os.killpg, signal.SIGTERM, id="SIGTERM to the group"),
        pytest.param(os.killpg, signal.SIGINT, id="Ctrl-C"),
        pytest.param(os.kill, signal.SIGTERM, id="SIGTERM to the main process"),
    ],
)
def test_a_stop_while_clients_post_loses_no_accepted_event(tmp_path: Path, send: Send, signal_number: int) -> None:
    with Service.start(tmp_path / "data", command=EXECUTED) as service, ThreadPoolExecutor(6) as clients:
        token = service.token()
        posting = [clients.submit(post_until_refused, service, token) for _ in range(6)]
        time.sleep(0.4)

        assert end(service, send, signal_number) == 0

        accepted = {event_id for client in posting for event_id in client.result()}
        assert len(accepted) > 20
        assert accepted <= stored_ids(service)
        assert "queue_drained" in service.log
        assert "Traceback" not in service.log


@pytest.mark.parametrize("spool", ["process", "disk"])
def test_a_kill_while_clients_post_loses_no_accepted_event(tmp_path: Path, spool: str) -> None:
    with Service.start(tmp_path / "data", spool=spool) as service, ThreadPoolExecutor(6) as clients:
        token = service.token()
        with closing(sqlite3.connect(service.data_dir / "audit-log.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # so that the store is busy and nothing is stored in time
            posting = [clients.submit(post_until_refused, service, token) for _ in range(6)]
            time.sleep(0.4)
            service.stop(signal.SIGKILL)
        accepted = {event_id for client in posting for event_id in client.result()}
        assert len(accepted) > 20
        assert not accepted & stored_ids(service)

    with Service.start(tmp_path / "data", spool=spool) as service:
        until(lambda: accepted <= stored_ids(service))
        assert "spool_replay_started" in service.log
        assert get(f"{service.url}/ready").json()["checks"]["spool"]["mode"] == spool


def test_a_stop_waits_for_a_store_that_is_busy(tmp_path: Path) -> None:
    with Service.start(tmp_path / "data") as service, service.client() as client:
        with closing(sqlite3.connect(service.data_dir / "audit-log.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            accepted = {client.post("/event", json=new_event()).json()["event_id"] for _ in range(20)}
            os.kill(service.process.pid, signal.SIGTERM)
            time.sleep(1)
            assert service.process.poll() is None

        assert service.process.wait(timeout=SECONDS) == 0
        assert stored_ids(service) == accepted


def test_a_stop_during_the_start_is_not_lost(tmp_path: Path) -> None:
    port = free_port()
    with Service([*EXECUTED, "serve", "--port", str(port)], port, tmp_path / "data", {}) as service:
        while "database_migrated" not in service.log:  # just before the pipeline is started
            assert service.process.poll() is None
            time.sleep(0.002)

        # Before the process is prepared for a signal, it ends by it.
        assert end(service, os.killpg, signal.SIGTERM) in {0, -signal.SIGTERM}


def test_a_restart_keeps_tokens_and_events_and_their_secret_to_itself(tmp_path: Path) -> None:
    with Service.start(tmp_path / "data") as service, service.client() as client:
        token = client.headers["Authorization"]
        event_id = client.post("/event", json=new_event()).json()["event_id"]
    assert stat.S_IMODE((tmp_path / "data" / "jwt-secret").stat().st_mode) == 0o600

    with Service.start(tmp_path / "data") as service:
        found = get(f"{service.url}/event/{event_id}", headers={"Authorization": token})

        assert (found.status_code, found.json()["event_id"]) == (200, event_id)
        secret = (tmp_path / "data" / "jwt-secret").read_text().strip()
        assert secret not in service.log


def test_metrics_are_on_a_port_of_their_own_and_the_service_does_without_if_it_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Service.start(tmp_path / "data", "--metrics-port", str(port)) as service:
            assert "management_port_unavailable" in service.log
            assert get(f"{service.url}/metrics").status_code == 404
            assert get(f"{service.url}/ready").json()["status"] == "ready"
    with Service.start(tmp_path / "data", "--metrics-port", str(port)) as service, service.client() as client:
        assert client.post("/event", json=new_event()).status_code == 202
        metrics = get(f"http://127.0.0.1:{port}/metrics").text
        accepted = 'audit_log_http_request_seconds_count{method="POST",route="/event",status="2xx"} 1.0'
        assert accepted in metrics


def test_a_connection_serves_more_than_one_request(service: Service) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=SECONDS)) as connection:
        connection.connect()
        connected = connection.sock
        for path, status in (("/health", 200), ("/nowhere", 404), ("/health", 200)):
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            assert (answer.status, connection.sock) == (status, connected)


def test_localhost_is_served_at_its_address() -> None:
    with bind_listener("localhost", free_port()) as listener:
        assert ip_address(listener.getsockname()[0]).is_loopback


def test_the_environment_does_not_pass_for_headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_AUTHORIZATION", "Bearer of-the-environment")
    monkeypatch.setenv("CONTENT_LENGTH", "5")

    with Service.start(tmp_path / "data") as service:
        assert get(f"{service.url}/event").headers["WWW-Authenticate"] == "Bearer"  # none was sent

"""The two processes of `audit-log serve`: neither outlives the other for long, and none is left behind."""

import os
import signal
from pathlib import Path
from typing import Any

import httpx

from tests.support.builders import new_event
from tests.support.service import Service
from tests.support.waiting import until


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def stored(client: httpx.Client) -> int:
    return int(client.get("/event").json()["total_count"])


def readiness(client: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/ready").json()
    return found


def test_the_storing_process_ends_when_the_service_is_killed(tmp_path: Path) -> None:
    service = Service.start(tmp_path)
    storing = service.storing_process
    assert storing
    with service.client() as client:
        for _ in range(50):
            assert client.post("/event", json=new_event()).status_code == 202
    service.process.kill()
    service.process.wait()
    service.stop()

    with Service.start(tmp_path) as again, again.client() as client:
        until(lambda: stored(client) == 50)
        until(lambda: not exists(storing))


def test_ctrl_c_stores_what_was_accepted_and_ends_both(tmp_path: Path) -> None:
    service = Service.start(tmp_path)
    storing = service.storing_process
    assert storing
    with service.client() as client:
        for _ in range(50):
            client.post("/event", json=new_event())
    assert service.stop(signal.SIGINT) == 0  # to the whole group, as from a terminal
    assert "queue_drained" in service.log
    assert "storing_process_ended" not in service.log
    assert not exists(storing)


def test_readiness_names_a_storing_process_that_hangs_while_events_are_accepted(tmp_path: Path) -> None:
    with Service.start(tmp_path) as service, service.client() as client:
        storing = service.storing_process
        assert storing
        until(lambda: readiness(client)["status"] == "ready")
        client.post("/event", json=new_event())
        until(lambda: stored(client) == 1)
        os.kill(storing, signal.SIGSTOP)
        until(lambda: readiness(client)["status"] == "degraded")
        assert "hangs" in readiness(client)["checks"]["consumer"]["reason"]
        assert client.post("/event", json=new_event()).status_code == 202
        os.kill(storing, signal.SIGCONT)
        until(lambda: stored(client) == 2)
        until(lambda: readiness(client)["status"] == "ready")

"""`audit-log serve` whose database file is removed while it runs: events wait in the spool, and nothing is lost."""

import subprocess
import time
from pathlib import Path

import httpx
import pytest

from tests.support.builders import new_event
from tests.support.service import AUDIT_LOG, Service, environment

PATIENCE = 30.0


def wait_for(client: httpx.Client, status: str) -> dict[str, object]:
    """The checks of /ready once it says `status`."""
    deadline = time.monotonic() + PATIENCE
    while True:
        answer = client.get("/ready").json()
        if answer["status"] == status:
            checks: dict[str, object] = answer["checks"]
            return checks
        assert time.monotonic() < deadline, answer
        time.sleep(0.05)


def total(client: httpx.Client) -> int:
    return int(client.get("/event").raise_for_status().json()["total_count"])


def post(client: httpx.Client, count: int) -> None:
    for _ in range(count):
        client.post("/event", json=new_event()).raise_for_status()


@pytest.mark.parametrize("kept", [True, False], ids=["restored", "new"])
def test_events_wait_while_the_database_file_is_missing(tmp_path: Path, kept: bool) -> None:  # noqa: FBT001
    data_dir = tmp_path / "data"
    database = data_dir / "audit-log.db"
    with Service.start(data_dir) as service, service.client() as client:
        post(client, 3)
        deadline = time.monotonic() + PATIENCE
        while total(client) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        for path in (database, *data_dir.glob("audit-log.db-*")):
            path.rename(tmp_path / path.name)
        post(client, 5)
        checks = wait_for(client, "degraded")
        assert "missing" in str(checks["store"])
        assert client.get("/event").status_code == 503
        reconciled = subprocess.run(
            [AUDIT_LOG, "reconcile"], env=environment(data_dir), capture_output=True, text=True, check=False, timeout=60
        )
        assert (reconciled.returncode, "no event store" in reconciled.stderr) == (1, True)
        assert not list(data_dir.glob("audit-log.db*"))
    assert "store_unavailable" in service.log
    if kept:
        for path in tmp_path.glob("audit-log.db*"):
            path.rename(data_dir / path.name)
    with Service.start(data_dir) as service, service.client() as client:
        deadline = time.monotonic() + PATIENCE
        while total(client) < (8 if kept else 5):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        wait_for(client, "ready")

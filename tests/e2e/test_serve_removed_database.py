"""`audit-log serve` whose database file is removed while it runs: events wait in the spool, and nothing is lost."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import forked
from tests.support.builders import new_event
from tests.support.service import AUDIT_LOG, Service, environment
from tests.support.waiting import SECONDS, until


def readiness(client: httpx.Client) -> Any:
    return client.get("/ready").json()


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
        until(lambda: total(client) == 3)
        for path in (database, *data_dir.glob("audit-log.db-*")):
            path.rename(tmp_path / path.name)
        post(client, 5)
        until(lambda: readiness(client)["status"] == "degraded")
        assert "missing" in str(readiness(client)["checks"]["store"])
        assert client.get("/event").status_code == 503
        reconciled = forked.run([AUDIT_LOG, "reconcile"], env=environment(data_dir), timeout=SECONDS)
        assert (reconciled.returncode, "no event store" in reconciled.stderr) == (1, True)
        assert not list(data_dir.glob("audit-log.db*"))
    [record] = [line for line in service.log.splitlines() if "store_unavailable" in line]
    assert f"database file: {database}" in record
    if kept:
        for path in tmp_path.glob("audit-log.db*"):
            path.rename(data_dir / path.name)
    with Service.start(data_dir) as service, service.client() as client:
        until(lambda: total(client) >= (8 if kept else 5))
        until(lambda: readiness(client)["status"] == "ready", shown=lambda: readiness(client))

"""audit_log_client in a separate program."""

import subprocess
import sys
from pathlib import Path

import pytest

from audit_log_client import Api, Filters
from tests.support.service import Service, environment
from tests.support.waiting import SECONDS, until

PROGRAM = """
import sys
from audit_log_client import AuditLog

AuditLog(sys.argv[1], delay=60).record("client.exit", customer_id=7, event_data={"how": sys.argv[2]})
if sys.argv[2] == "error":
    raise RuntimeError
"""


@pytest.mark.parametrize("how", ["end", "error"])
def test_what_was_recorded_is_sent_when_the_program_ends(service: Service, tmp_path: Path, how: str) -> None:
    subprocess.run(
        [sys.executable, "-c", PROGRAM, service.url, how],
        env=environment(tmp_path),
        check=how == "end",
        timeout=SECONDS,
    )
    mine = Filters(event_types=("client.exit",), data=(("how", how),))
    with Api(service.url) as api:
        found = until(lambda: api.page(mine)["events"])
    assert [event["customer_id"] for event in found] == [7]

"""The feed, read by curl and jq, which know nothing of its client library."""

import shutil
import subprocess
from pathlib import Path

from audit_log_client import Api, Filters
from tests.support.builders import new_event
from tests.support.service import Service
from tests.support.skipping import skip_or_fail
from tests.support.waiting import SECONDS, until

SCRIPT = r"""
set -eu
path="/event/feed?limit=7&event_type=feed.links"
while [ -n "$path" ]; do
    curl -sf -D head -H "Authorization: Bearer $TOKEN" "$URL$path" > answer.json
    jq -r '.events[].event_data.n' answer.json
    link=$(sed -n 's/^[Ll]ink: <\([^>]*\)>; rel="next".*/\1/p' head)
    path=${link:+/event/feed$link}
done
"""
COUNT = 40


def test_curl_and_jq_get_every_event_once_by_following_links_and_come_to_an_end(
    service: Service, tmp_path: Path
) -> None:
    if not (shutil.which("curl") and shutil.which("jq")):
        skip_or_fail("curl or jq is missing: apt-get install curl jq")
    with service.client() as client:
        for first in range(0, COUNT, 10):
            events = [new_event(event_type="feed.links", event_data={"n": n}) for n in range(first, first + 10)]
            client.post("/events", json={"events": events}).raise_for_status()
    with Api(service.url) as api:
        until(lambda: api.feed(Filters(event_types=("feed.links",)))["count"] == COUNT)
    environ = {"URL": service.url, "TOKEN": service.token(), "PATH": "/usr/local/bin:/usr/bin:/bin"}
    done = subprocess.run(
        ["sh", "-c", SCRIPT], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=SECONDS, check=False
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(map(int, done.stdout.split())) == list(range(COUNT))

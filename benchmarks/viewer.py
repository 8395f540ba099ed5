"""`python -m benchmarks.viewer`: when the log viewer shows 100,000 events of one type, in milliseconds.

Starts a service with a new database, posts the events, and loads the page `ROUNDS` times in Chromium. Times are since
the navigation began; each row has the least, the median and the most.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import orjson

from tests.browsers.viewer.page import ViewerPage
from tests.support.browser import chromium
from tests.support.service import EXECUTED, Service

ROUNDS: Final = 10
BATCH: Final = 1000
STORED_WITHIN_SECONDS: Final = 300
_SPAN_SECONDS: Final = 30 * 86_400
_MARKS: Final = """
window.marks = {};
const note = (name, selector) => {
  if (!(name in marks) && document.querySelector(selector)) marks[name] = performance.now();
};
new MutationObserver(() => {
  note("list: the newest 100 events", "#events tbody tr");
  note("facets: the first counts", ".facet .facet-count");
  note("histogram and total", "#histogram strong");
}).observe(document, { childList: true, subtree: true });
"""
_READ: Final = """
const paint = performance.getEntriesByName("first-contentful-paint")[0];
return { "first paint": paint?.startTime ?? null, ...window.marks };
"""


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    count: int = parser.parse_args().events
    with tempfile.TemporaryDirectory() as folder, Service.start(Path(folder) / "data", command=EXECUTED) as service:
        _post(service, count)
        with chromium(Path(folder) / "profile") as browser:
            browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _MARKS})
            measured: dict[str, list[float]] = {}
            for _ in range(ROUNDS):
                page = ViewerPage(browser, service.url, "last=all").loaded()
                page.find("#histogram strong")
                page.find(".facet")
                times: dict[str, Any] = browser.execute_script(_READ)
                for name, at in times.items():
                    measured.setdefault(name, []).append(at)
    print(f"{count:,} events of one type; load average {os.getloadavg()[0]:.0f}")
    for name, values in measured.items():
        print(f"{name:28} {min(values):6.0f} {statistics.median(values):6.0f} {max(values):6.0f} ms")


def _post(service: Service, count: int) -> None:
    first = int(time.time()) - _SPAN_SECONDS
    with service.client() as client:
        for start in range(0, count, BATCH):
            lines = b"\n".join(
                orjson.dumps(
                    {
                        "event_type": "user.login",
                        "customer_id": 1 + number % 200,
                        "timestamp_utc": first + number * _SPAN_SECONDS // count,
                        "event_data": {
                            "actor": {"id": f"u-{number % 5000}"},
                            "outcome": "failure" if number % 10 == 0 else "success",
                            "context": {"ip": f"10.0.{number % 256}.{number // 256 % 256}"},
                        },
                    }
                )
                for number in range(start, min(start + BATCH, count))
            )
            headers = {"Content-Type": "application/x-ndjson"}
            client.post("/events", content=lines, headers=headers, timeout=60).raise_for_status()
        deadline = time.monotonic() + STORED_WITHIN_SECONDS
        while client.get("/ready").json()["checks"]["queue"]["waiting"]:
            assert time.monotonic() < deadline, "the events are not stored"
            time.sleep(0.2)


if __name__ == "__main__":
    main()

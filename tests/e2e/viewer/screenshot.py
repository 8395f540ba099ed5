"""`make screenshot`: takes the picture of the log viewer that the README shows.

It shows the sample data of `audit-log demo`: the same events each time, with dates that end today.
"""

import base64
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen

import httpx
from selenium import webdriver

from tests.e2e.viewer.page import ViewerPage
from tests.support.browser import chromium
from tests.support.service import AUDIT_LOG, environment, free_port

PICTURE = Path(__file__).parents[3] / "docs" / "images" / "viewer.png"
WIDTH, HEIGHT = 1280, 800  # CSS pixels
VIEW = "last=30d&customer_id=1001"

BANNER_END = "Ctrl-C stops it."
STORED_WITHIN_SECONDS = 30


def main() -> None:
    """Start the demo on a free port, and save a picture of its viewer."""
    with (
        tempfile.TemporaryDirectory() as directory,
        demo(Path(directory) / "data") as url,
        chromium(Path(directory) / "profile") as browser,
    ):
        content = picture(browser, url)
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_bytes(content)
    sys.stdout.write(f"{PICTURE}: {len(content) / 1000:,.0f} kB\n")


@contextmanager
def demo(data_dir: Path) -> Iterator[str]:
    """The URL of a demo whose events are stored."""
    port = free_port()
    command = [AUDIT_LOG, "demo", "--port", str(port), "--data-dir", str(data_dir)]
    process = Popen(command, env=environment(data_dir), stdout=PIPE, stderr=DEVNULL, text=True, start_new_session=True)
    try:
        assert process.stdout
        if all(line.strip() != BANNER_END for line in process.stdout):
            raise SystemExit(f"{' '.join(command)} ended with status {process.wait()}")
        url = f"http://127.0.0.1:{port}"
        wait_until_stored(url)
        yield url
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def wait_until_stored(url: str) -> None:
    deadline = time.monotonic() + STORED_WITHIN_SECONDS
    while True:
        queue = httpx.get(f"{url}/ready").json()["checks"]["queue"]
        if queue["waiting"] + queue["in_flight"] == 0:
            return
        assert time.monotonic() < deadline, "the events are not stored"
        time.sleep(0.1)


def picture(browser: webdriver.Chrome, url: str) -> bytes:
    """A PNG of the viewer with its newest event opened, in the light theme."""
    size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    light = {"features": [{"name": "prefers-color-scheme", "value": "light"}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", light)
    browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
    page = ViewerPage(browser, url, VIEW).loaded()
    page.find("#events tbody tr").click()
    page.find("#detail h2")
    browser.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    return base64.b64decode(shot["data"])


if __name__ == "__main__":
    main()

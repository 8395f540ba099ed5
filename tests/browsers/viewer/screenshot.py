"""`make screenshot`: takes the picture of the log viewer that the README shows, and one of each other view to look at.

They show the sample data of `audit-log demo`: the same events each time, with dates that end today.
"""

import base64
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen

import httpx
from selenium import webdriver
from selenium.webdriver.common.by import By

from local_runner.cli.demo.dataset import SUSPECT, SUSPECT_CUSTOMER
from tests.browsers.viewer.managed_screenshots import managed_pictures
from tests.browsers.viewer.page import ViewerPage
from tests.support.browser import chromium
from tests.support.host_page import HostPage, serving
from tests.support.service import AUDIT_LOG, Service, environment, free_port
from tests.support.waiting import until

ROOT = Path(__file__).parents[3]
PICTURE = ROOT / "docs" / "images" / "viewer.png"
FOLDER = ROOT / ".cache" / "screenshots"
PHONE = (390, 844)  # CSS pixels
TAKEOVER = f"customer_id={SUSPECT_CUSTOMER}&event_data.actor.id={SUSPECT}"
OPEN_CHANGE = """
const rows = [...document.querySelectorAll("#events tbody tr")];
rows.find((row) => row.textContent.includes("permission.changed")).click();
"""

BANNER_END = "Ctrl-C stops it."


@dataclass(frozen=True)
class View:
    """The subject of a picture: the view behind #, then a script, in a window of this size."""

    link: str
    script: str = ""
    size: tuple[int, int] = (1280, 900)
    scheme: str = "light"
    medium: str = ""
    forced_colors: str = "none"


NEAR = "Events within 5 minutes"
README = View(f"last=7d&{TAKEOVER}", OPEN_CHANGE)
VIEWS = {
    "list": View("last=30d"),
    "list-dark": View("last=30d&stack=type", scheme="dark"),
    "event-dark": View(README.link, OPEN_CHANGE, scheme="dark"),
    "columns": View("last=30d&columns=time,actor,action,target,session,amount"),
    "suggestions": View("last=30d", "document.querySelector('[name=filter]').focus()"),
    "empty": View("last=30d&event_type=user.none"),
    "wrong": View("timestamp_start_utc=20&timestamp_end_utc=10"),
    "wide": View(README.link, OPEN_CHANGE, size=(1720, 1000)),
    "phone": View(f"last=7d&{TAKEOVER}", size=PHONE),
    "phone-list": View(f"last=7d&{TAKEOVER}", "document.getElementById('results').scrollIntoView()", size=PHONE),
    "phone-event": View(README.link, OPEN_CHANGE, size=PHONE),
    "forced-colours": View(f"last=7d&{TAKEOVER}&stack=type", forced_colors="active"),
    "report": View(
        f"{README.link}&event_data.outcome=failure",
        "dispatchEvent(new Event('beforeprint'))",
        size=(800, 1100),
        medium="print",
    ),
}

HOST = """<!DOCTYPE html>
<html lang="de">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Beispiel GmbH</title>
    <style>
      body {{ margin: 0; padding: 0 24px 24px; color: {text}; background: {page}; }}
      body {{ font: 15px/1.5 system-ui, sans-serif; }}
      nav {{ display: flex; flex-wrap: wrap; gap: 4px 24px; padding: 16px 0; margin-bottom: 20px; }}
      nav {{ border-bottom: 1px solid {line}; }}
      h1 {{ font-size: 22px; margin: 0 0 16px; }}
    </style>
    <script type="module" src="{url}/embed.js"></script>
  </head>
  <body>
    <nav><b>Beispiel GmbH</b> <span>Rechnungen</span> <span>Team</span> <b>Protokoll</b></nav>
    <h1>Protokoll</h1>
    <audit-log-viewer token-url="/audit-token" {attributes}></audit-log-viewer>
  </body>
</html>"""
TEAL = 'theme="light" accent="#0f766e" background="#f8fafc"'
DARK = 'theme="dark" accent="#5eead4" background="#0b1220"'


@dataclass(frozen=True)
class Embedded:
    """A picture of the viewer inside another page: attributes of the element, and the size of the window."""

    attributes: str
    size: tuple[int, int] = (1280, 900)
    scheme: str = "light"


EMBEDDED = {
    "embedded": Embedded(TEAL),
    "embedded-dark": Embedded(DARK, scheme="dark"),
    "embedded-french": Embedded('lang="fr" columns="time,event,outcome,context.ip"'),
    "embedded-phone": Embedded(TEAL, size=(360, 800)),
}


def main() -> None:
    """Start the demo on a free port, and save pictures of its viewer."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    PICTURE.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, chromium(Path(directory) / "profile") as browser:
        data_dir = Path(directory) / "data"
        with demo(data_dir) as url:
            for path, view in {PICTURE: README, **{FOLDER / f"{name}.png": one for name, one in VIEWS.items()}}.items():
                save(path, picture(browser, url, view))
        # The demo reads no settings.
        with serving(HostPage({}, dict)) as host, Service.start(data_dir, embed_origins=host.url) as service:
            host.token = lambda: customer_token(service.url)
            for name, embedded in EMBEDDED.items():
                save(FOLDER / f"{name}.png", embedded_picture(browser, service.url, host, embedded))
        for name, content in managed_pictures(browser, Path(directory)):
            save(FOLDER / f"{name}.png", content)


def save(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    sys.stdout.write(f"{path}: {len(content) / 1000:,.0f} kB\n")


def customer_token(url: str) -> object:
    """A token for a viewer of the customer with most of the sample data."""
    form = {"grant_type": "client_credentials", "customers": str(SUSPECT_CUSTOMER), "viewer": "alice@example.com"}
    return httpx.post(f"{url}/oauth2/token", data=form).raise_for_status().json()


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
        wait_until_proven(url)
        yield url
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def wait_until_stored(url: str) -> None:
    def is_empty() -> bool:
        queue = httpx.get(f"{url}/ready").json()["checks"]["queue"]
        return bool(queue["waiting"] + queue["in_flight"] == 0)

    until(is_empty, "all events are stored")


def wait_until_proven(url: str) -> None:
    """Wait until a signed checkpoint has the newest event, so that the pictures show proofs."""
    token = httpx.get(f"{url}/access-token").raise_for_status().json()["token"]
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}) as client:
        [newest] = client.get("/event", params={"limit": 1}).raise_for_status().json()["events"]
        until(lambda: client.get(f"/event/{newest['event_id']}/proof").is_success)


def resize(browser: webdriver.Chrome, width: int, height: int, *, is_mobile: bool) -> None:
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_mobile}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def embedded_picture(browser: webdriver.Chrome, url: str, host: HostPage, view: Embedded) -> bytes:
    """A PNG of a page of another origin with the viewer in it."""
    is_dark = view.scheme == "dark"
    colours = ("#e6e9ef", "#0b1220", "#2a313c") if is_dark else ("#1a1f29", "#f8fafc", "#e3e6eb")
    parts = dict(zip(("text", "page", "line"), colours, strict=True))
    host.pages["/"] = HOST.format(url=url, attributes=view.attributes, **parts)
    resize(browser, *view.size, is_mobile=False)
    features = [{"name": "prefers-color-scheme", "value": view.scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features})
    page = ViewerPage(browser, host.url)
    root = page.find("audit-log-viewer").shadow_root
    page.until(lambda: root.find_elements(By.CSS_SELECTOR, "iframe"), "there is no frame")
    browser.switch_to.frame(root.find_element(By.CSS_SELECTOR, "iframe"))
    page.loaded().until(lambda: page.all(".legend li"), "the bars are not divided")
    browser.switch_to.default_content()
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    return base64.b64decode(shot["data"])


def picture(browser: webdriver.Chrome, url: str, view: View) -> bytes:
    """A PNG of a view of the viewer."""
    resize(browser, *view.size, is_mobile=view.size == PHONE)
    features = [
        {"name": "prefers-color-scheme", "value": view.scheme},
        {"name": "forced-colors", "value": view.forced_colors},
    ]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": view.medium, "features": features})
    browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
    page = ViewerPage(browser, url, view.link).loaded()
    if view.script:
        browser.execute_script(view.script)
    if view.script == OPEN_CHANGE:
        page.button(NEAR, "#detail").click()
        page.loaded().until(lambda: page.all(".legend li"), "the bars are not divided")
        browser.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    return base64.b64decode(shot["data"])


if __name__ == "__main__":
    main()

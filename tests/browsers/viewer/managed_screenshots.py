"""Pictures of the pages of streams and of alert rules, for `make screenshot`."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from selenium import webdriver

from tests.browsers.viewer.managed import Guarded, fill, guarded_service_in
from tests.browsers.viewer.page import ViewerPage
from tests.browsers.viewer.test_viewer_accessibility import seen_in

FAILED = "event_type=user.login&event_data.outcome=failure"
STREAMS: tuple[tuple[str, dict[str, str], dict[str, str]], ...] = (
    ("splunk prod", {"kind": "splunk", "url": "https://127.0.0.1:8088/services/collector/event"}, {"token": "t"}),
    ("hooks", {"kind": "http", "url": "https://127.0.0.1:8443/audit"}, {}),
    (
        "archive",
        {"kind": "s3", "bucket": "audit-archive", "region": "eu-central-1"},
        {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "s" * 40},
    ),
)
"""Name, destination and secrets."""
RULES: tuple[dict[str, object], ...] = (
    {"name": "many failed logins", "kind": "threshold", "threshold": 5, "window_seconds": 300, "filter": FAILED},
    {"name": "new address", "kind": "first_seen", "path": "event_data.context.ip", "filter": "event_type=user.login"},
    {"name": "nightly invoices", "kind": "absence", "window_seconds": 86_400, "filter": "event_type=invoice.created"},
)


@dataclass(frozen=True)
class Managed:
    """A picture of one of these pages: its page, the clicks before it, and the window."""

    page: str
    prepare: Callable[[ViewerPage], object] = lambda _page: None
    width: int = 1280
    scheme: str = "light"


def edit_stream(page: ViewerPage) -> None:
    page.button("Edit: splunk prod").click()
    page.find("#stream-form")


def open_menu(page: ViewerPage) -> None:
    page.button("More: hooks").click()


def ask(page: ViewerPage) -> None:
    open_menu(page)
    page.button("Delete: hooks").click()


def preview(page: ViewerPage) -> None:
    page.button("Edit: many failed logins").click()
    page.find("#rule-form")
    fill(page, "#rule-form", threshold="3", window_seconds="7", unit="86400", group_by="event_data.actor.id")
    page.button("Preview").click()
    page.until(lambda: "counted" in page.find("#rule-preview").text, "the preview is not shown")
    page.browser.execute_script("document.querySelector('#rule-preview').scrollIntoView({block: 'center'})")


def wrong_rule(page: ViewerPage) -> None:
    page.button("New rule").click()
    fill(page, "#rule-form", name="x", threshold="5", window_seconds="5", filter="no.such=1")
    page.button("Create").click()
    page.find(".field-problem")


EMPTY = {"streams-empty": Managed("streams"), "rules-empty": Managed("rules", scheme="dark")}
FILLED = {
    "streams": Managed("streams"),
    "streams-dark": Managed("streams", open_menu, scheme="dark"),
    "streams-phone": Managed("streams", width=360),
    "streams-edit": Managed("streams", edit_stream),
    "streams-delete": Managed("streams", ask),
    "rules": Managed("rules"),
    "rules-dark": Managed("rules", scheme="dark"),
    "rules-phone": Managed("rules", width=360),
    "rules-preview": Managed("rules", preview),
    "rules-wrong": Managed("rules", wrong_rule, scheme="dark"),
}


def managed_pictures(browser: webdriver.Chrome, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Names and PNGs of the pages, first empty, with the events in `folder/data`."""
    with guarded_service_in(folder) as guarded:
        for name, view in EMPTY.items():
            yield name, picture(browser, guarded, view)
        with guarded.client() as client:
            for name, destination, secrets in STREAMS:
                body = {"name": name, "destination": destination, "secrets": secrets}
                client.post("/stream", json=body).raise_for_status()
            for rule in RULES:
                client.post("/alert-rule", json=rule).raise_for_status()
            [*_, paused] = client.get("/stream").json()["streams"]
            client.post(f"/stream/{paused['stream_id']}/pause").raise_for_status()
        for name, view in FILLED.items():
            yield name, picture(browser, guarded, view)


def picture(browser: webdriver.Chrome, guarded: Guarded, view: Managed) -> bytes:
    with seen_in(browser, view.scheme, view.width):
        page = guarded.page(browser, view.page)
        page.find(f"#{view.page}-list > *")
        view.prepare(page)
        shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    return base64.b64decode(shot["data"])

"""The events of the current view become a file on the user's disk, in as many parts as needed."""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver

from functions.http.limits import MAX_RESPONSE_BYTES
from tests.browsers.viewer.page import ViewerPage, numbered, post
from tests.support.builders import new_event
from tests.support.service import Service

LARGE_BYTES = 200_000
FIRST_PART = MAX_RESPONSE_BYTES // (LARGE_BYTES + 300)  # with the other fields of each
LARGE_EVENTS = FIRST_PART + 3

WITHOUT_PICKER = "delete window.showSaveFilePicker"
PICKER = """
window.showSaveFilePicker = async ({ suggestedName }) => {
  window.picked = suggestedName;
  return (await navigator.storage.getDirectory()).getFileHandle(suggestedName, { create: true });
};
"""
"""Picks a file in the directory that the browser keeps for this page: a real one, without the system's dialog."""

NOTE_PROGRESS = """
window.told = [];
new MutationObserver(() => window.told.push(document.getElementById("exported").textContent))
  .observe(document.getElementById("exported"), { childList: true });
"""

STOP_AFTER_A_PART = """
const told = document.getElementById("exported");
const stop = () => told.textContent.includes("kB") && document.getElementById("export-stop").click();
new MutationObserver(stop).observe(told, { childList: true });
"""

READ_PICKED = """
const done = arguments[0];
const read = async () => {
  const handle = await (await navigator.storage.getDirectory()).getFileHandle(window.picked);
  return (await handle.getFile()).text();
};
read().then(done);
"""


@pytest.fixture
def large(service: Service) -> int:
    """A customer of the service whose events are more than one part."""
    events = [
        new_event(customer_id=9021, event_data={"number": n, "x": "x" * LARGE_BYTES}) for n in range(LARGE_EVENTS)
    ]
    if not stored(service, 9021):
        post(service, *events)
    return 9021


def stored(service: Service, customer: int) -> int:
    with service.client() as client:
        count: int = client.get("/event", params={"customer_id": customer, "limit": 1}).json()["count"]
        return count


def export(page: ViewerPage, kind: str) -> None:
    page.button("Export").click()
    page.button(kind, "#export-menu").click()


@contextmanager
def offline(browser: webdriver.Chrome) -> Iterator[None]:
    conditions = {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", conditions)
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Network.emulateNetworkConditions", {**conditions, "offline": False})


def test_all_that_matches_is_saved_as_a_download(
    browser: webdriver.Chrome, service: Service, tmp_path: Path, before_the_page: Callable[[str], None]
) -> None:
    post(service, *numbered(130, 9020, event_type="viewer.kept"), *numbered(3, 9020, event_type="viewer.left"))
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    before_the_page(WITHOUT_PICKER)
    page = ViewerPage(browser, service.url, "customer_id=9020&event_type=viewer.kept").loaded()
    page.shows(100)
    export(page, "CSV for programs")
    [file] = page.until(lambda: list(tmp_path.glob("audit-log-*Z.csv")), "nothing is saved")
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    assert [json.loads(row["event_data"])["number"] for row in rows] == list(range(130))
    page.reads("#toast", "130 events exported")
    assert not page.all("#exporting")


def test_parts_are_written_to_the_chosen_file_one_after_the_other(
    browser: webdriver.Chrome, service: Service, large: int, before_the_page: Callable[[str], None]
) -> None:
    before_the_page(PICKER)
    page = ViewerPage(browser, service.url, f"customer_id={large}").loaded()
    browser.execute_script(NOTE_PROGRESS)
    export(page, "NDJSON")
    page.until(lambda: page.find("#toast").text == f"{LARGE_EVENTS} events exported", "it does not end")
    told = browser.execute_script("return window.told")
    assert [text.split(",")[0] for text in told] == [
        "Exporting", f"Exporting: {FIRST_PART} events", f"Exporting: {LARGE_EVENTS} events",
    ]  # fmt: skip
    lines = browser.execute_async_script(READ_PICKED).splitlines()
    assert [json.loads(line)["event_data"]["number"] for line in lines] == list(range(LARGE_EVENTS))


def test_an_outage_costs_no_more_than_saying_go_on(
    browser: webdriver.Chrome, service: Service, large: int, before_the_page: Callable[[str], None]
) -> None:
    before_the_page(PICKER)
    page = ViewerPage(browser, service.url, f"customer_id={large}").loaded()
    with offline(browser):
        export(page, "NDJSON")
        page.until(lambda: "does not answer" in page.find("#exported").text, "nothing says what is wrong")
    page.button("Continue").click()
    page.until(lambda: page.find("#toast").text == f"{LARGE_EVENTS} events exported", "it does not end")
    assert len(browser.execute_async_script(READ_PICKED).splitlines()) == LARGE_EVENTS


def test_an_export_that_is_stopped_leaves_nothing_of_it(
    browser: webdriver.Chrome, service: Service, large: int, before_the_page: Callable[[str], None]
) -> None:
    before_the_page(PICKER)
    page = ViewerPage(browser, service.url, f"customer_id={large}").loaded()
    browser.execute_script(STOP_AFTER_A_PART)
    export(page, "NDJSON")
    page.until(lambda: page.find("#toast").text == "Export stopped: nothing of it was saved", "it does not stop")
    assert browser.execute_async_script(READ_PICKED) == ""
    assert page.button("Export")

"""The list of the log viewer: a sentence for each event, columns of choice, and views that are links."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver

from tests.browsers.viewer.page import ViewerPage, post
from tests.support.builders import new_event
from tests.support.service import Service


@pytest.mark.parametrize(
    ("kind", "data", "sentence", "outcome"),
    [
        ("user.login", {"actor": {"id": "u-1", "name": "Ada"}, "outcome": "success"}, "Ada logged in", "✓ success"),
        ("user.login", {"user": {"name": "ada"}, "event": {"outcome": "failure"}}, "ada failed to log in", "✕ failure"),
        ("user.login", {"admin_data": {"username": "ada"}, "success": False}, "ada failed to log in", "✕ failure"),
        (
            "invoice.paid",
            {"actor": {"id": "ada"}, "targets": [{"id": "INV-1"}, {"id": 7, "name": "INV-2"}]},
            "ada paid invoice INV-1, INV-2",
            "",
        ),
        ("billing.run", {"actor": {"id": "ada"}, "action": "delete", "outcome": "denied"},
         "ada failed to delete billing run", "✕ failure"),
        ("door.opened", {"targets": [{"id": "north"}], "status": "pending"}, "door opened north", ""),
        ("door.opened", {"n": 1}, '"n":1', ""),
        ("door.opened", {"actor": {"id": {"deep": 1}}, "targets": 3}, '"actor":{"id":{"deep":1}},"targets":3', ""),
        ("eve\u202e.read", {"actor": {"id": "<b>\u202e"}, "targets": [{"id": "</td>"}]},
         "<b>\\u202e read eve\\u202e </td>", ""),
    ],
)  # fmt: skip
def test_a_sentence_says_who_did_what_to_what(  # noqa: PLR0917
    browser: webdriver.Chrome,
    service: Service,
    kind: str,
    data: dict[str, Any],
    sentence: str,
    outcome: str,
) -> None:
    [event_id] = post(service, new_event(customer_id=9110, event_type=kind, event_data=data))
    page = ViewerPage(browser, service.url, f"customer_id=9110&event={event_id}").loaded()
    row = page.find("tr[aria-current]")
    assert row.find_element("css selector", ".c-event").text == sentence
    found = [cell.get_property("textContent") for cell in row.find_elements("css selector", ".c-outcome")]
    assert found == [outcome]
    assert ("failed" in str(row.get_attribute("class"))) == outcome.startswith("✕")


def test_columns_are_chosen_and_kept_in_the_link(browser: webdriver.Chrome, service: Service) -> None:
    data = {"actor": {"id": "ada"}, "invoice": {"amount, net": 12.5}}
    post(service, new_event(customer_id=9111, event_data=data))
    page = ViewerPage(browser, service.url, "customer_id=9111").loaded()
    page.button("Columns").click()
    page.find("#columns-menu [value=type]").click()
    page.until(lambda: page.cells("type") == [], "the column stays")
    page.find("#columns-menu [value=actor]").click()
    page.until(lambda: page.cells("actor") == ["ada"], "the column is not there")
    assert page.focused().get_attribute("value") == "actor"
    page.find("#column-path [name=path]").send_keys("invoice..")
    page.button("Add column").click()
    assert page.find("#column-problem").text.startswith("A path is names")
    page.find("#column-path [name=path]").clear()
    page.find("#column-path [name=path]").send_keys("invoice.amount, net")
    page.button("Add column").click()
    page.until(lambda: page.cells("path") == ["12.5"], "the path is no column")
    link = browser.current_url.partition("#")[2]
    again = ViewerPage(browser, service.url, link).loaded()
    assert [head.text for head in again.all("#events th")] == [
        "Time (UTC)", "What happened", "Outcome", "Address", "Customer", "Actor", "invoice.amount, net",
    ]  # fmt: skip
    again.button("Columns").click()
    again.button("Default columns").click()
    again.until(lambda: "columns" not in again.view(), "the columns stay")


def test_a_view_with_a_name_is_a_link(browser: webdriver.Chrome, service: Service) -> None:
    page = ViewerPage(browser, service.url, "last=all&customer_id=9112").loaded()
    page.button("Share").click()
    page.find("#share-form [name=name]").send_keys("Nightly <b>checks</b>")
    page.button("Copy link").click()
    page.until(lambda: browser.title == "Nightly <b>checks</b> · Audit log", "the page has another title")
    link = browser.current_url.partition("#")[2]
    page = ViewerPage(browser, service.url, link).loaded()
    assert (page.find("#view-name").text, page.view()["customer_id"]) == ("Nightly <b>checks</b>", "9112")


@pytest.fixture
def saved(browser: webdriver.Chrome, tmp_path: Path) -> Iterator[Callable[[], Path | None]]:
    """The file that the browser downloads."""
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    source = {"source": "delete window.showSaveFilePicker"}
    added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", source)
    yield lambda: next(tmp_path.glob("audit-log-*Z.csv"), None)
    browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {**added})


def test_a_spreadsheet_has_times_that_it_recognises_and_a_column_for_each_path(
    browser: webdriver.Chrome, service: Service, saved: Callable[[], Path | None]
) -> None:
    post(
        service,
        new_event(customer_id=9113, timestamp_utc=1_793_491_200, event_data={"actor": {"id": "=1+1"}, "n": 2**63 - 1}),
        new_event(customer_id=9113, timestamp_utc=1_793_491_201, event_data={"items": [{"a": 'x"y'}, []], "ok": True}),
    )
    page = ViewerPage(browser, service.url, "customer_id=9113&last=all").loaded()
    page.button("Export").click()
    page.button("CSV for spreadsheets", "#export-menu").click()
    file: Path = page.until(saved, "nothing is saved")
    page.reads("#toast", "2 events exported")
    rows = list(csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines()))
    assert list(rows[0]) == [
        "time_utc", "event_type", "customer_id", "event_id", "received_at", "recorded_by", "event_data.actor.id",
        "event_data.n", "event_data.items[0].a", "event_data.items[1]", "event_data.ok",
    ]  # fmt: skip
    assert [row["time_utc"] for row in rows] == ["2026-11-01 00:00:00", "2026-11-01 00:00:01"]
    assert [list(row.values())[6:] for row in rows] == [
        ["'=1+1", str(2**63 - 1), "", "", ""],
        ["", "", 'x"y', "[]", "true"],
    ]

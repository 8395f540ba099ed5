"""The log viewer breaks no rule of WCAG 2.2 AA that a program can check, in each of its states."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from selenium import webdriver

from tests.browsers.viewer.page import ViewerPage, numbered, post
from tests.support.axe import violations
from tests.support.builders import new_event
from tests.support.service import Service

CUSTOMER = 9120
DATA = {
    "actor": {"id": "u-1", "name": "Ada"},
    "outcome": "failure",
    "targets": [{"id": "INV-1"}],
    "context": {"ip": "192.0.2.7"},
    "changes": [{"path": "state", "from": "open", "to": "paid"}],
    "items": [1, {"deep": None}],
}


@pytest.fixture(scope="session")  # as the service: under xdist the tests of a file may run in several parts
def event_id(service: Service) -> str:
    event = new_event(customer_id=CUSTOMER, event_type="invoice.updated", event_data=DATA)
    [found, *_] = post(service, event, *numbered(5, CUSTOMER, event_type="viewer.other"))
    return found


@contextmanager
def seen_in(browser: webdriver.Chrome, scheme: str, width: int) -> Iterator[None]:
    """A window of this width: 640 is that of 1280 pixels at a zoom of 200 %, 320 at 400 %."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features})
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 640, 320])
def test_no_state_of_the_page_breaks_a_rule(
    browser: webdriver.Chrome, service: Service, event_id: str, scheme: str, width: int
) -> None:
    with seen_in(browser, scheme, width):
        page = ViewerPage(browser, service.url, f"customer_id={CUSTOMER}&last=24h&stack=type&name=Mine").loaded()
        page.until(lambda: page.all(".legend li"), "the bars are not divided")
        assert violations(browser) == []
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        page.button("Columns").click()
        assert violations(browser) == []
        page = ViewerPage(browser, service.url, f"customer_id={CUSTOMER}&event={event_id}").loaded()
        page.reads("#detail h2", "Ada failed to update invoice INV-1")
        assert violations(browser) == []
        page = ViewerPage(browser, service.url, f"customer_id={CUSTOMER}&event_type=viewer.none").loaded()
        assert page.find("#empty")
        page.type_filter("ada")
        assert violations(browser) == []

"""The core of the log viewer in each browser: list, filter, open, and an incident by keyboard."""

import time

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver

from tests.browsers.viewer.page import ViewerPage, post
from tests.support.builders import new_event
from tests.support.service import Service

CUSTOMER = 9701


@pytest.fixture(scope="session")  # as the service: under xdist the tests of a file may run in several parts
def ids(service: Service) -> list[str]:
    """Two failed logins of one user, one of another, and one that succeeded, oldest first."""
    now = int(time.time()) - 3600
    logins = [("mallory", "failure"), ("ada", "failure"), ("mallory", "failure"), ("mallory", "success")]
    return post(
        service,
        *(
            new_event(
                customer_id=CUSTOMER,
                timestamp_utc=now + place,
                event_data={"actor": {"id": actor}, "outcome": outcome, "context": {"ip": "192.0.2.7"}},
            )
            for place, (actor, outcome) in enumerate(logins)
        ),
    )


@pytest.fixture
def page(browser: WebDriver, service: Service, ids: list[str]) -> ViewerPage:
    page = ViewerPage(browser, service.url, f"customer_id={CUSTOMER}&last=all").loaded()
    page.shows(len(ids))
    return page


def test_the_list_says_who_did_what_newest_first(page: ViewerPage) -> None:
    assert page.cells("event") == [
        "mallory logged in", "mallory failed to log in", "ada failed to log in", "mallory failed to log in",
    ]  # fmt: skip
    assert page.cells("outcome") == ["✓ success", "✕ failure", "✕ failure", "✕ failure"]


def test_a_click_on_a_facet_filters(page: ViewerPage) -> None:
    page.narrow("Outcome", "failure")
    page.shows(3)
    assert page.view()["event_data.outcome"] == "failure"


def test_a_click_on_a_row_opens_its_event(page: ViewerPage, ids: list[str]) -> None:
    page.find("#events tbody button").click()
    page.reads("#detail h2", "mallory logged in")
    assert page.view()["event"] == ids[-1]
    page.button("Close event").click()
    page.until(lambda: not page.all("#detail"), "the event is still open")


def test_the_failed_logins_of_one_user_are_found_by_keyboard(page: ViewerPage, ids: list[str]) -> None:
    page.keys("/")
    page.keys("type=user.login outcome=failure actor=mallory", Keys.ENTER)
    page.shows(2)
    assert page.cells("event") == ["mallory failed to log in"] * 2
    page.find("#events tbody button").send_keys(Keys.ENTER)
    page.find("#detail")
    page.keys("j")
    page.until(lambda: page.view().get("event") == ids[0], "j does not open the next event")
    page.keys(Keys.ESCAPE)
    page.until(lambda: not page.all("#detail"), "Escape does not close the event")

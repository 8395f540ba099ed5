"""Every number that the log viewer shows says the number of what it is, and no two contradict each other."""

import time
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from tests.browsers.viewer.page import ViewerPage, numbered, post
from tests.support.builders import new_event
from tests.support.service import Service

NEWEST = 10_000  # events whose types GET /event/summary counts
BATCH = 1_000


def test_of_very_many_events_the_counts_are_those_of_the_newest_and_the_total_is_one(
    browser: webdriver.Chrome, service: Service
) -> None:
    now = int(time.time())
    common, rare = (
        numbered(NEWEST, 9031, event_type="viewer.common", timestamp_utc=now - 60),
        numbered(50, 9031, event_type="viewer.rare", timestamp_utc=now - 600),
    )
    for first in range(0, NEWEST, BATCH):
        post(service, *common[first : first + BATCH])
    post(service, *rare)
    page = ViewerPage(browser, service.url, "customer_id=9031").loaded()
    assert page.facet("Event type") == ("newest 10,000 matching", {"viewer.common": "10,000"})
    page.reads("#histogram strong", "10,050 events")
    page.reads("#count", "100 of 10,050 events listed, newest first")


def test_facets_say_which_events_they_count(browser: webdriver.Chrome, service: Service) -> None:
    def done(count: int, outcome: str, actor: str) -> list[dict[str, Any]]:
        data = {"actor": {"id": actor}, "outcome": outcome}
        return [new_event(customer_id=9032, event_type="viewer.done", event_data=data) for _ in range(count)]

    post(service, *done(3, "failure", "eve"), *numbered(2, 9032, event_type="viewer.few"), *done(130, "success", "ada"))
    page = ViewerPage(browser, service.url, "customer_id=9032").loaded()
    assert page.facet("Event type") == ("all 135 matching", {"viewer.done": "133", "viewer.few": "2"})
    assert page.facet("Outcome") == ("all 135 matching", {"failure": "3", "success": "130"})
    assert page.facet("Actor") == ("all 135 matching", {"ada": "130", "eve": "3"})
    page = ViewerPage(browser, service.url, "customer_id=9032&event_type=viewer.few").loaded()
    assert page.facet("Customer") == ("all 2 matching", {"9032": "2"})


def test_a_count_of_another_question_is_not_shown(browser: webdriver.Chrome, service: Service) -> None:
    post(service, *numbered(3, 9034, event_type="viewer.asked"), *numbered(2, 9034, event_type="viewer.other"))
    page = ViewerPage(browser, service.url, "customer_id=9034").loaded()
    page.narrow("Event type", "viewer.asked")
    page.shows(3)
    page.loaded()
    assert page.facet("Event type") == ("all 3 matching", {"viewer.asked": "3", "viewer.other": ""})


def test_the_page_opens_where_there_are_events(browser: webdriver.Chrome, service: Service) -> None:
    post(service, *numbered(2, 9033, timestamp_utc=int(time.time()) - 10 * 86_400))
    page = ViewerPage(browser, service.url, "customer_id=9033")
    page.shows(2)
    assert page.button("30d").get_attribute("aria-pressed") == "true"
    assert page.view() == {"customer_id": "9033"}
    page = ViewerPage(browser, service.url, "customer_id=9033&last=24h").loaded()  # a link shows what it says
    assert page.rows() == []


def test_live_puts_an_event_at_its_time_and_all_numbers_follow(browser: webdriver.Chrome, service: Service) -> None:
    now = int(time.time())
    for name, age in (("viewer.newest", 60), ("viewer.oldest", 180)):
        post(service, new_event(customer_id=9035, event_type=name, timestamp_utc=now - age))
    page = ViewerPage(browser, service.url, "last=1h&customer_id=9035").loaded()
    page.button("Live").click()
    assert "are marked late" in page.find("#live-note").text
    post(service, new_event(customer_id=9035, event_type="viewer.late", timestamp_utc=now - 120))
    page.shows(3)
    assert page.types() == ["viewer.newest", "viewer.late", "viewer.oldest"]
    page.until(lambda: "3 events" in page.find(".plot").accessible_name, "the histogram keeps its old number")
    page.until(lambda: page.find("#count").text == "3 events", "the line above the list keeps its old number")
    page.reads("#histogram strong", "3 events")


def test_live_says_that_the_service_is_away(browser: webdriver.Chrome, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with Service.start(tmp_path / "data") as leaving:
        page = ViewerPage(browser, leaving.url).loaded()
        page.button("Live").click()
        leaving.stop()
        assert page.button("Live: no answer").get_attribute("aria-pressed") == "true"
        assert "The service does not answer." in page.find("#problem").text
        page.button("Live: no answer").click()  # or its requests would continue during the next test


def test_an_event_that_is_deep_in_the_list_is_shown_among_those_around_it(
    browser: webdriver.Chrome, service: Service
) -> None:
    now = int(time.time())
    events = [new_event(customer_id=9036, timestamp_utc=now - 1000 - n, event_data={"n": n}) for n in range(350)]
    ids = post(service, *events)
    page = ViewerPage(browser, service.url, f"customer_id=9036&event={ids[220]}").loaded()
    page.shows(200)
    assert page.find("tr[aria-current]").get_property("eventId") == ids[220]
    assert page.cells("event") == [f'"n":{n}' for n in range(120, 320)]
    page.reads("#count", "200 of 350 events listed, around the open one")
    page.reads("#histogram strong", "350 events")
    assert page.all("#event-place") == []
    for button, count in (("Show newer events", 300), ("Show newer events", 320), ("Show older events", 350)):
        browser.execute_script("arguments[0].focus()", page.button(button))  # and thus scroll to it
        page.keys(Keys.ENTER)
        page.shows(count)
    assert page.cells("event") == [f'"n":{n}' for n in range(350)]
    page.reads("#count", "350 events")


def test_an_event_that_is_not_in_the_list_says_why(browser: webdriver.Chrome, service: Service) -> None:
    now = int(time.time())
    ids = post(
        service, *(new_event(customer_id=9037, timestamp_utc=now - 7200 * n, event_data={"n": n}) for n in (1, 2))
    )
    page = ViewerPage(browser, service.url, f"customer_id=9037&event_data.n=1&event={ids[1]}").loaded()
    assert page.find("#event-place").text.startswith("Not in the list: does not match the filters.")
    page = ViewerPage(browser, service.url, f"customer_id=9037&last=15m&event={ids[0]}").loaded()
    assert page.find("#event-place").text.startswith("Not in the list: outside the time range.")
    page.button("Show the time around it").click()
    page.shows(1)
    page.until(lambda: not page.all("#event-place"), "it is said to be missing")

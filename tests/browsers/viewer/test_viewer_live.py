"""The live tail shows each event that is stored, whenever it happened and however long the page slept."""

import time
from collections.abc import Callable

from selenium import webdriver

from tests.browsers.viewer.page import ViewerPage, numbered, post, until_proven
from tests.support.builders import new_event
from tests.support.service import Service

MINUTE = 60
ASLEEP = "Object.defineProperty(document, 'hidden', { value: true, configurable: true })"
AWAKE = "delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))"
REQUESTS = "return performance.getEntriesByType('resource').filter(({ name }) => name.includes('/event/feed')).length"


def live(browser: webdriver.Chrome, service: Service, customer: int) -> ViewerPage:
    """The page with the tail on, after its first look at the feed."""
    page = ViewerPage(browser, service.url, f"last=24h&customer_id={customer}").loaded()
    page.button("Live").click()
    page.until(lambda: browser.execute_script(REQUESTS) >= 2, "the tail asks for nothing")
    return page.loaded()


def test_an_event_that_happened_earlier_is_inserted_at_its_time_and_marked_late(
    browser: webdriver.Chrome, service: Service
) -> None:
    now = int(time.time())
    dates = (now - 30 * MINUTE, now - 10 * MINUTE)
    post(service, *(new_event(customer_id=9210, timestamp_utc=date) for date in dates))
    page = live(browser, service, 9210)
    page.shows(2)
    post(service, new_event(customer_id=9210, event_type="viewer.late", timestamp_utc=now - 20 * MINUTE))
    page.shows(3)
    assert page.types()[1] == "viewer.late"
    assert [cell.endswith("late") for cell in page.cells("time")] == [False, True, False]
    page.reads("#count", "3 events")


def test_an_event_that_belongs_below_the_listed_ones_is_counted_and_found_there(
    browser: webdriver.Chrome, service: Service
) -> None:
    now = int(time.time())
    post(service, *numbered(105, 9211, timestamp_utc=now - 10 * MINUTE))
    page = live(browser, service, 9211)
    page.shows(100)
    post(service, new_event(customer_id=9211, event_type="viewer.late", timestamp_utc=now - 20 * MINUTE))
    page.until(lambda: "1 event stored meanwhile is dated before" in page.find("#live-note").text, "it is not counted")
    assert len(page.rows()) == 100
    page.button("Show older events").click()
    page.shows(106)
    assert page.types().count("viewer.late") == 1


def test_nothing_is_missed_while_the_page_sleeps(browser: webdriver.Chrome, service: Service) -> None:
    post(service, *numbered(1, 9212))
    page = live(browser, service, 9212)
    browser.execute_script(ASLEEP)
    post(service, *numbered(250, 9212))
    browser.execute_script(AWAKE)
    page.shows(251)
    assert len({*page.cells("event")}) == 250  # the first has the number of another


def test_the_list_is_loaded_again_after_a_long_sleep(browser: webdriver.Chrome, service: Service) -> None:
    post(service, *numbered(1, 9213))
    page = live(browser, service, 9213)
    browser.execute_script(ASLEEP)
    for _ in range(3):
        *_, last = post(service, *numbered(400, 9213))
    until_proven(service, last)  # so it is in the feed
    browser.execute_script(AWAKE)
    page.until(lambda: page.find("#count").text == "100 of 1,201 events listed, newest first", "it is not loaded")
    post(service, new_event(customer_id=9213, event_type="viewer.after"))
    page.until(lambda: page.types()[0] == "viewer.after", "the tail has ended")


def test_a_change_of_the_filters_keeps_the_place(browser: webdriver.Chrome, service: Service) -> None:
    post(service, *numbered(2, 9214, event_type="viewer.one"))
    page = live(browser, service, 9214)
    page.shows(2)
    page.type_filter("type=viewer.two\n")
    post(service, *numbered(3, 9214, event_type="viewer.two"), *numbered(3, 9214, event_type="viewer.one"))
    page.shows(3)
    page.button("Remove filter type viewer.two").click()
    page.shows(8)


def test_a_log_that_was_restored_is_said_and_loaded_again(
    browser: webdriver.Chrome, service: Service, before_the_page: Callable[[str], None]
) -> None:
    detail = "JSON.stringify({ detail: 'The log ends before this cursor.' })"
    before_the_page(
        "const sent = window.fetch; window.fetch = async (url, options) => "
        "window.restored && String(url).includes('/event/feed') && !String(url).includes('after=now') "
        f"? new Response({detail}, {{ status: 409 }}) : sent(url, options)"
    )
    post(service, *numbered(2, 9215))
    page = live(browser, service, 9215)
    browser.execute_script("window.restored = true")
    page.until(lambda: page.all("#problem"), "nothing is said")
    page.reads("#problem", "The log ends before this cursor.")
    browser.execute_script("window.restored = false")
    post(service, *numbered(1, 9215))
    page.shows(3)
    page.until(lambda: not page.all("#problem"), "the problem stays")

"""Every number that the log viewer shows says the number of what it is, and no two contradict each other."""

import time
from pathlib import Path

from selenium import webdriver

from tests.e2e.viewer.page import ViewerPage, numbered, post
from tests.support.builders import new_event
from tests.support.service import Service

NEWEST = 10_000  # events whose types GET /event/summary counts
BATCH = 1_000


def suggestions(page: ViewerPage, field: str) -> tuple[list[list[str]], str]:
    """The options of a field with their counts, and the line about the counts."""
    page.find(f"[name={field}]").click()
    return [option.text.split() for option in page.all("[role=option]")], page.find(".suggestions p").text


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
    assert suggestions(page, "event_type") == (
        [["viewer.common", "10,000"]],
        "Counts cover the newest 10,000 matching events; values in older events may be missing",
    )
    assert page.total() == "10,050 events"
    assert page.find("#count").text == "100 of 10,050 events listed, newest first"


def test_suggestions_say_which_events_they_count(browser: webdriver.Chrome, service: Service) -> None:
    post(service, *numbered(130, 9032, event_type="viewer.many"), *numbered(2, 9032, event_type="viewer.few"))
    page = ViewerPage(browser, service.url, "customer_id=9032").loaded()
    types, note = suggestions(page, "event_type")
    assert (types, note) == ([["viewer.many", "130"], ["viewer.few", "2"]], "Counts cover all 132 matching events")
    assert suggestions(page, "path") == ([["number", "100"]], "Counts cover only the 100 listed events")
    page = ViewerPage(browser, service.url, "customer_id=9032&event_type=viewer.few").loaded()
    assert suggestions(page, "path") == ([["number", "2"]], "Counts cover all 2 matching events")


def test_a_count_of_another_question_is_not_shown(browser: webdriver.Chrome, service: Service) -> None:
    post(service, *numbered(3, 9034, event_type="viewer.asked"), *numbered(2, 9034, event_type="viewer.other"))
    page = ViewerPage(browser, service.url, "customer_id=9034").loaded()
    page.find("[name=event_type]").click()
    page.all("[role=option]")[0].click()
    page.shows(3)
    assert suggestions(page, "event_type") == (
        [["viewer.asked", "3"], ["viewer.other"]],
        "Counts cover all 3 matching events",
    )


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
    assert "do not appear" in page.find("#live-note").text
    post(service, new_event(customer_id=9035, event_type="viewer.late", timestamp_utc=now - 120))
    page.shows(3)
    assert page.types() == ["viewer.newest", "viewer.late", "viewer.oldest"]
    page.until(lambda: "3 events" in page.find(".plot").accessible_name, "the histogram keeps its old number")
    assert (page.total(), page.find("#count").text) == ("3 events", "3 events")


def test_live_says_that_the_service_is_away(browser: webdriver.Chrome, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with Service.start(tmp_path / "data") as leaving:
        page = ViewerPage(browser, leaving.url).loaded()
        page.button("Live").click()
        leaving.stop()
        assert page.button("Live: no answer").get_attribute("aria-pressed") == "true"
        assert "The service does not answer." in page.find("#problem").text
        page.button("Live: no answer").click()  # or its requests would continue during the next test


def test_an_event_that_is_not_in_the_list_says_where_it_is(browser: webdriver.Chrome, service: Service) -> None:
    now = int(time.time())
    events = [new_event(customer_id=9036, timestamp_utc=now - 1000 - n, event_data={"n": n}) for n in range(130)]
    ids = post(service, *events)
    page = ViewerPage(browser, service.url, f"customer_id=9036&event={ids[120]}").loaded()
    assert page.find("#event-place").text.startswith("Not in the list: older than the 100 events listed")
    page.button("List events up to this one").click()
    assert page.find("tr[aria-current]").get_property("eventId") == ids[120]
    page.until(lambda: not page.all("#event-place"), "it is said to be missing")
    page = ViewerPage(browser, service.url, f"customer_id=9036&last=15m&event={ids[0]}").loaded()
    assert page.find("#event-place").text.startswith("Not in the list: outside the time range.")
    page = ViewerPage(browser, service.url, f"customer_id=9036&event_data.n=7&event={ids[0]}").loaded()
    assert page.find("#event-place").text.startswith("Not in the list: does not match the filters.")

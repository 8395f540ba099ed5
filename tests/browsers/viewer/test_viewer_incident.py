"""An incident, followed in the log viewer: from the question to the events, and from one event to those around it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from tests.browsers.viewer.page import ViewerPage, post
from tests.support.builders import new_event
from tests.support.service import Service

CUSTOMER = 9101
FAILED_LOGINS = 7
MOST_INTERACTIONS = 4


def did(actor: str, kind: str, at: int, outcome: str = "success", **data: Any) -> dict[str, Any]:
    context = {"ip": f"192.0.2.{len(actor)}", "session": f"s-{actor}"}
    everything = {"actor": {"id": actor}, "outcome": outcome, "context": context, **data}
    return new_event(customer_id=CUSTOMER, event_type=kind, timestamp_utc=at, event_data=everything)


@pytest.fixture(scope="session")  # as the service: under xdist the tests of a file may run in several parts
def monday(service: Service) -> int:
    """Midnight at the beginning of last week, in which somebody failed to log in, and others did other things."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = int((today - timedelta(days=today.weekday() + 7)).timestamp())
    noon = start + 12 * 3600
    mallory = [did("mallory", "user.login", noon + n, "failure") for n in range(FAILED_LOGINS)]
    post(
        service,
        *mallory,
        did("mallory", "user.login", noon + 60),
        did("mallory", "user.login", start - 60, "failure"),  # the week before
        did("mallory", "user.login", int(time.time()), "failure"),
        did("mallory", "door.opened", noon + 70, "failure"),
        did("ada", "user.login", noon + 80, "failure"),
        did("ada", "role.changed", noon + 90, changes=[{"path": "role", "from": "viewer", "to": "admin"}]),
    )
    return start


def interact(page: ViewerPage, *interactions: Callable[[], None]) -> None:
    """Do one thing after the other: a click, or a text typed at once."""
    assert len(interactions) <= MOST_INTERACTIONS
    for each in interactions:
        each()
        page.loaded()


def shows_the_failed_logins(page: ViewerPage) -> None:
    page.shows(FAILED_LOGINS)
    assert page.cells("event") == ["mallory failed to log in"] * FAILED_LOGINS
    assert page.cells("outcome") == ["✕ failure"] * FAILED_LOGINS
    assert page.cells("address") == ["192.0.2.7"] * FAILED_LOGINS
    page.reads("#histogram strong", f"{FAILED_LOGINS} events")


def test_failed_logins_of_one_user_last_week_are_one_typed_line(
    browser: webdriver.Chrome, service: Service, monday: int
) -> None:
    page = ViewerPage(browser, service.url, f"customer_id={CUSTOMER}&last=all").loaded()
    interact(
        page,
        lambda: page.keys("/"),
        lambda: page.keys("type=user.login outcome=failure actor=mallory range=last-week", Keys.ENTER),
    )
    shows_the_failed_logins(page)
    assert page.find("#range").text.startswith(f"{datetime.fromtimestamp(monday, UTC):%Y-%m-%d} 00:00:00 to ")


@pytest.mark.usefixtures("monday")
def test_failed_logins_of_one_user_last_week_are_four_clicks(browser: webdriver.Chrome, service: Service) -> None:
    page = ViewerPage(browser, service.url, f"customer_id={CUSTOMER}&last=all").loaded()
    page.shows(FAILED_LOGINS + 6)
    interact(
        page,
        lambda: page.button("Last week").click(),
        lambda: page.narrow("Outcome", "failure"),
        lambda: page.narrow("Event type", "user.login"),
        lambda: page.narrow("Actor", "mallory"),
    )
    shows_the_failed_logins(page)


def test_one_event_leads_to_all_of_its_actor_session_and_time_and_stays_open(
    browser: webdriver.Chrome, service: Service, monday: int
) -> None:
    page = ViewerPage(browser, service.url, f"customer_id={CUSTOMER}&last=last-week&event_type=role.changed").loaded()
    page.shows(1)
    page.find("#events tbody tr").click()
    page.reads("#detail h2", "ada changed role")
    assert [cell.text for cell in page.all(".changes td")] == ["\N{MINUS SIGN} viewer", "+ admin"]
    page.button("All by ada", "#detail").click()
    page.shows(2)
    assert page.view()["event_data.actor.id"] == "ada"
    page.reads("tr[aria-current] .c-event", "ada changed role")
    page.button("All in session s-ada", "#detail").click()
    page.until(lambda: page.view().get("event_data.context.session") == "s-ada", "the session is no filter")
    page.button("Events within 5 minutes", "#detail").click()
    page.shows(FAILED_LOGINS + 4)
    assert page.chips() == [f"customer {CUSTOMER}"]
    noon = monday + 12 * 3600 + 90
    assert page.view()["timestamp_start_utc"] == str(noon - 300)
    page.reads("tr[aria-current] .c-event", "ada changed role")


@pytest.mark.usefixtures("monday")
def test_a_window_moves_and_widens(browser: webdriver.Chrome, service: Service) -> None:
    link = "timestamp_start_utc=1700000000&timestamp_end_utc=1700000059"
    page = ViewerPage(browser, service.url, link).loaded()
    for button, start, end in (
        ("Previous window", 1699999940, 1699999999),
        ("Next window", 1700000000, 1700000059),
        ("Zoom out", 1699999940, 1700000119),
    ):
        page.button(button).click()
        expected = (str(start), str(end))
        page.until(
            lambda: (page.view().get("timestamp_start_utc"), page.view().get("timestamp_end_utc")) == expected,  # noqa: B023 - called at once
            f"{button} does not lead to {expected}",
        )
    page.button("All").click()
    page.until(lambda: page.find("#range").text == "All time", "the range stays")
    assert page.button("Zoom out").get_attribute("aria-disabled") == "true"


def test_times_are_those_of_the_chosen_zone_and_days_begin_there(browser: webdriver.Chrome, service: Service) -> None:
    post(service, new_event(customer_id=9102, timestamp_utc=1_793_491_200))  # after the clocks went back in Berlin
    page = ViewerPage(browser, service.url, "customer_id=9102&last=all").loaded()
    assert page.cells("time") == ["2026-11-01 00:00:00"]
    browser.execute_script(
        "const zone = document.getElementById('zone'); zone.value = 'Europe/Berlin'; "
        "zone.dispatchEvent(new Event('change'))"
    )
    page.until(lambda: page.cells("time") == ["2026-11-01 01:00:00"], "the zone is not used")
    page.button("Yesterday").click()
    page.until(lambda: page.find("#range").text.endswith(" Europe/Berlin"), "the range is in another zone")
    assert [part.split()[1] for part in page.find("#range").text.split(" to ")] == ["00:00:00", "23:59:59"]
    page = ViewerPage(browser, service.url, "customer_id=9102&last=all").loaded()
    assert page.cells("time") == ["2026-11-01 01:00:00"]
    page.find("#events tbody tr").click()
    assert "2026-11-01 01:00:00 UTC+01:00" in page.find(".facts").text


@pytest.mark.usefixtures("monday")
def test_the_values_at_any_path_of_an_open_event_are_counted_and_narrow_the_list(
    browser: webdriver.Chrome, service: Service
) -> None:
    page = ViewerPage(browser, service.url, f"customer_id={CUSTOMER}&last=all").loaded()
    page.find("#events tbody tr").click()
    count = page.button("Count values of context.session", "#detail")
    count.click()
    page.until(lambda: len(page.all(".value-counts button")) == 2, "the values are not counted")
    texts = [button.text.split() for button in page.all(".value-counts button")]
    assert texts == [["s-mallory", str(FAILED_LOGINS + 4)], ["s-ada", "2"]]
    page.reads(".value-counts .muted", f"all {FAILED_LOGINS + 6} matching")
    page.all(".value-counts button")[1].click()
    page.loaded().shows(2)
    assert page.view()["event_data.context.session"] == "s-ada"
    assert count.get_attribute("aria-expanded") == "true"
    count.click()
    assert page.all(".value-counts") == []

"""The log viewer in a real browser, used as somebody who looks for something uses it."""

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.browser import chromium, hosts_asked_by, log_of
from tests.builders import new_event
from tests.e2e.viewer_page import ViewerPage
from tests.service import AUDIT_LOG, Service, environment

VISIBLE_WITHIN_SECONDS = 5
KEPT = "return [localStorage.length, sessionStorage.length, document.cookie, JSON.stringify(history.state)]"
NAMED_ROLES = {"button", "textbox", "combobox", "option", "row", "table", "columnheader", "complementary", "dialog"}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path_factory.mktemp("browser") / "profile") as driver:
        yield driver


@pytest.fixture(autouse=True)
def only_its_own_host(browser: webdriver.Chrome) -> Iterator[None]:
    """Whatever a test does, the page asks no one but the service that it came from."""
    yield
    assert hosts_asked_by(browser) == {urlsplit(browser.current_url).netloc}


def post(service: Service, *events: dict[str, Any]) -> list[str]:
    """Post events and wait until they are stored; their ids."""
    with service.client() as client:
        accepted = client.post("/events", json={"events": events}).raise_for_status().json()["accepted"]
        ids: list[str] = [event["event_id"] for event in accepted]
        assert len(ids) == len(events)
        deadline = time.monotonic() + VISIBLE_WITHIN_SECONDS
        while client.get(f"/event/{ids[-1]}").status_code != 200:
            assert time.monotonic() < deadline, "the events are not stored"
            time.sleep(0.02)
    return ids


def numbered(count: int, customer: int, **fields: Any) -> list[dict[str, Any]]:
    return [new_event(customer_id=customer, event_data={"number": number}, **fields) for number in range(count)]


def test_nothing_is_shown_or_kept_without_signing_in(browser: webdriver.Chrome, service: Service) -> None:
    post(service, *numbered(1, 9001))
    page = ViewerPage(browser, service.url, "customer_id=9001")
    assert page.find("#sign-in").accessible_name == "Sign in"
    assert page.rows() == []
    page.get_token().shows(1)
    assert browser.execute_script(KEPT) == [0, 0, "", "null"]
    assert page.view() == {"customer_id": "9001"}
    page.button("Sign out").click()
    page.find("#sign-in")
    assert page.rows() == []


def test_a_filter_is_chosen_from_what_there_is_and_goes_by_back(browser: webdriver.Chrome, service: Service) -> None:
    post(service, *numbered(2, 9002, event_type="viewer.rare"), *numbered(3, 9002, event_type="viewer.often"))
    page = ViewerPage(browser, service.url, "last=24h&customer_id=9002").get_token()
    page.shows(5)
    page.find("[name=event_type]").click()
    assert [option.text.split() for option in page.all("[role=option]")] == [
        ["viewer.often", "3"],
        ["viewer.rare", "2"],
    ]
    page.all("[role=option]")[1].click()
    page.shows(2)
    assert page.chips() == ["customer 9002", "type viewer.rare"]
    assert page.view() == {"last": "24h", "customer_id": "9002", "event_type": "viewer.rare"}
    browser.back()
    page.shows(5)
    page.button("Remove filter customer 9002").click()
    page.until(lambda: page.chips() == [], "the filter stays")


def test_a_value_of_an_event_becomes_a_filter_and_a_link(browser: webdriver.Chrome, service: Service) -> None:
    data = [{"user": {"name": name, "tags": ["a", {"id": 2**63 - 1}]}, "ok": True} for name in ("ada", "true", "ada")]
    ids = post(service, *(new_event(customer_id=9003, event_data=value) for value in data))
    page = ViewerPage(browser, service.url, f"customer_id=9003&event={ids[1]}").get_token()
    tree = page.find("#detail .tree")
    assert 'name:\n"true"' in tree.text  # which true alone would not be
    page.find("#detail .tree details:not([open]) > summary").click()
    page.until(lambda: "9223372036854775807" in tree.text, "the number is not there as it was sent")
    for name in ("Filter by user.name", "Filter by user.tags[1].id", "Filter by ok"):
        ActionChains(browser).move_to_element(page.find("#detail .tree")).perform()
        page.button(name, "#detail").click()
    page.shows(1)
    assert page.view() == {
        "last": "24h",
        "customer_id": "9003",
        "event_data.user.name": '"true"',
        "event_data.user.tags[1].id": "9223372036854775807",
        "event_data.ok": "true",
        "event": ids[1],
    }
    link = browser.current_url.partition("#")[2]
    again = ViewerPage(browser, service.url, link).get_token()
    again.shows(1)
    assert ids[1] in again.find("#detail").text
    page.button("Close event").click()
    page.until(lambda: not page.all("#detail"), "the event stays open")


HOSTILE: dict[str, Any] = {
    "img": "<img src=x onerror=\"window.ran = 'img'\">",
    "script": "</script><script>window.ran = 'script'</script>",
    "address": "javascript:window.ran='address'",
    "__proto__": {"polluted": "yes"},
    "constructor": {"prototype": {"polluted": "yes"}},
    "toString": 1,
    "<b onclick=\"window.ran = 'key'\">": ["{{7*7}}", "${7*7}"],
    "turned": "invoice\u202efdp.exe\u200b",
    "long": "z" * 100_000,
    "wide": list(range(5000)),
    "": {"": "\ufeff"},
}
HOSTILE_TYPE = '"><svg onload="window.ran=1">\u202e'


OPEN_ALL = """
const done = arguments[0];
const step = () => {
  const closed = document.querySelector("#detail .tree > li:last-child details:not([open]) > summary");
  if (!closed) return done();
  closed.click();
  setTimeout(step);
};
step();
"""


def test_what_an_event_holds_is_shown_and_never_run(browser: webdriver.Chrome, service: Service) -> None:
    deep: Any = "the bottom"
    for _ in range(100):
        deep = [deep]
    data = {**HOSTILE, "deep": deep}
    [event_id] = post(service, new_event(event_type=HOSTILE_TYPE, customer_id=9004, event_data=data))
    log_of(browser, "browser")  # what others left
    page = ViewerPage(browser, service.url, f"customer_id=9004&event={event_id}").get_token()
    page.shows(1)
    shown = page.find("#detail").text
    for text in (HOSTILE["img"], HOSTILE["script"], HOSTILE["address"], *list(HOSTILE)[:7], "{{7*7}}"):
        assert text in shown, text
    assert page.find("#detail h2").text == page.types()[0] == HOSTILE_TYPE.replace("\u202e", "\\u202e")
    assert "invoice\\u202efdp.exe\\u200b" in shown
    assert "Show all 100000 characters" in shown
    assert browser.execute_script("return document.querySelectorAll('#detail li').length") < 500
    browser.execute_async_script(OPEN_ALL)
    assert "the bottom" in str(page.find("#detail").get_property("textContent"))
    page.find("[name=path]").click()
    page.find("[name=event_type]").click()
    page.all("[role=option]")[0].click()
    page.until(lambda: len(page.chips()) == 2, "the type is no filter")
    assert page.chips()[1] == "type " + HOSTILE_TYPE.replace("\u202e", "\\u202e")
    page.shows(1)
    assert browser.execute_script("return [window.ran ?? null, ({}).polluted ?? null]") == [None, None]
    assert browser.execute_script("return document.querySelectorAll('img, iframe, #detail script, svg').length") == 0
    assert log_of(browser, "browser") == []


def test_if_the_page_made_html_of_a_text_the_browser_would_refuse(browser: webdriver.Chrome, service: Service) -> None:
    ViewerPage(browser, service.url)
    script = "try { document.body.innerHTML = '<img src=x>'; return 'made' } catch (error) { return error.name }"
    assert browser.execute_script(script) == "TypeError"


def test_pages_follow_one_another_without_a_gap(browser: webdriver.Chrome, service: Service) -> None:
    post(service, *numbered(130, 9005))
    page = ViewerPage(browser, service.url, "customer_id=9005").get_token()
    page.shows(100)
    assert page.find("#count").text == "100 events of 130"
    page.button("Show older events").click()
    page.shows(130)
    assert len({row[3] for row in page.rows()}) == 130
    page.until(lambda: not page.all("#more"), "there is no end")


def test_a_range_is_brushed_by_mouse_and_by_keyboard(browser: webdriver.Chrome, service: Service) -> None:
    start = 1_700_000_000
    post(service, *(new_event(customer_id=9006, timestamp_utc=start + second) for second in range(40)))
    page = ViewerPage(browser, service.url, "last=all&customer_id=9006").get_token()
    page.shows(40)
    plot = page.find(".plot")
    assert plot.accessible_name == "Histogram: 40 events, 40 bars"
    bar = plot.size["width"] / 40
    brush = ActionChains(browser).move_to_element_with_offset(plot, round(-9.5 * bar), 0).click_and_hold()
    brush.move_by_offset(round(9 * bar), 0).perform()
    assert page.find(".readout").text.endswith(": 10")
    brush.release().perform()
    page.shows(10)
    assert page.view()["timestamp_start_utc"] == str(start + 10)
    assert page.view()["timestamp_end_utc"] == str(start + 19)
    browser.execute_script("arguments[0].focus()", page.find(".plot"))
    page.keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    ActionChains(browser).key_down(Keys.SHIFT).send_keys(Keys.ARROW_RIGHT).key_up(Keys.SHIFT).send_keys(
        Keys.ENTER
    ).perform()
    page.shows(2)
    assert page.view()["timestamp_start_utc"] == str(start + 11)
    page.button("All").click()
    page.shows(40)


def test_new_events_appear_while_it_is_live(browser: webdriver.Chrome, service: Service) -> None:
    post(service, *numbered(2, 9007))
    page = ViewerPage(browser, service.url, "last=1h&customer_id=9007").get_token()
    page.shows(2)
    page.button("Live").click()
    post(service, new_event(customer_id=9007, event_type="viewer.live"))
    page.shows(3)
    assert page.types()[0] == "viewer.live"
    page.button("Live").click()
    assert page.button("Live").get_attribute("aria-pressed") == "false"


def test_it_is_used_by_keyboard_alone(browser: webdriver.Chrome, service: Service) -> None:
    post(service, *numbered(2, 9008, event_type="viewer.keys.one"), *numbered(1, 9008, event_type="viewer.keys.two"))
    page = ViewerPage(browser, service.url, "customer_id=9008")
    page.find("#get-token")
    page.keys(Keys.ENTER)
    page.loaded().shows(3)
    page.keys("/", "keys.two", Keys.ARROW_DOWN, Keys.ENTER)
    page.shows(1)
    page.keys(Keys.ESCAPE)
    browser.execute_script("document.activeElement.blur()")
    page.keys("j", Keys.ENTER)
    assert "viewer.keys.two" in page.find("#detail h2").text
    page.keys(Keys.ESCAPE)
    page.until(lambda: not page.all("#detail"), "the event stays open")
    page.keys("?")
    assert "Next event" in page.find("#shortcuts").text


def test_a_token_that_is_not_accepted_is_asked_for_again_and_the_view_stays(
    browser: webdriver.Chrome, service: Service
) -> None:
    post(service, *numbered(1, 9009))
    page = ViewerPage(browser, service.url, "customer_id=9009")
    page.find("#sign-in summary").click()
    page.find("#paste textarea").send_keys("header.of.nothing")
    page.button("Use this token").click()
    page.until(lambda: "The view stays as it is." in page.find("#sign-in").text, "it is not asked for again")
    page.find("#paste textarea").send_keys(service.token())
    page.button("Use this token").click()
    page.loaded().shows(1)
    assert page.chips() == ["customer 9009"]


def test_a_client_signs_in_with_its_secret(browser: webdriver.Chrome, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    create = [AUDIT_LOG, "client", "create", "--name", "viewer", "--scope", "events:read", "--customer", "42"]
    made = subprocess.run(create, env=environment(data, auth="clients"), capture_output=True, text=True, check=True)
    client_id, secret = re.findall(r"client_(?:id|secret): +(\S+)", made.stdout)
    with Service.start(data, auth="clients") as guarded:
        page = ViewerPage(browser, guarded.url, "last=all")
        assert not page.all("#get-token")
        page.find("[name=client_id]").send_keys(client_id)
        page.find("[name=client_secret]").send_keys("wrong")
        page.button("Sign in").click()
        page.until(lambda: page.find("#sign-in-problem").text, "nothing says that the secret is wrong")
        page.find("[name=client_secret]").clear()
        page.find("[name=client_secret]").send_keys(secret)
        page.button("Sign in").click()
        page.loaded()
        assert page.find("#who").text == f"{client_id} (customers 42)"
        assert browser.execute_script("return document.querySelector('[name=client_secret]').value") == ""
        assert "There are no events yet that you may see." in page.find("#empty").text


def test_what_is_wrong_or_missing_says_what_to_do(browser: webdriver.Chrome, service: Service) -> None:
    page = ViewerPage(browser, service.url, "event_typ=x").get_token()
    assert "event_typ is not a parameter; did you mean event_type?" in page.find("#problem").text
    page.button("Remove filter event_typ x").click()
    page.until(lambda: not page.all("#problem"), "the problem stays")
    page = ViewerPage(
        browser, service.url, "customer_id=9999999&event=00000000-0000-7000-8000-000000000000"
    ).get_token()
    assert "No event" in page.find("#detail").text
    page.button("Close event").click()
    page.button("Clear the filters").click()
    page.until(lambda: page.chips() == [], "the filter stays")


def test_on_a_phone_nothing_is_cut_off_and_everything_has_a_name(browser: webdriver.Chrome, service: Service) -> None:
    [event_id] = post(service, new_event(customer_id=9010, event_type="w" * 255, event_data={"w": "w" * 500}))
    phone = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        page = ViewerPage(browser, service.url, f"customer_id=9010&event={event_id}").get_token()
        page.shows(1)
        detail = page.find("#detail")
        assert detail.size["width"] == 360
        assert browser.execute_script(
            "return [document.documentElement.scrollWidth, arguments[0].scrollWidth]", detail
        ) == [360, 360]
        nodes = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    roles = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]]
    assert {role for role, _ in roles} >= {"button", "combobox", "complementary"}
    assert [
        role for role, name in roles if role in NAMED_ROLES and not name.strip() and role not in {"row", "table"}
    ] == []

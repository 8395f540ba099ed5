"""The log viewer in a real browser, used as somebody who looks for something uses it."""

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.browsers.viewer.page import ViewerPage, numbered, post
from tests.support.builders import new_event
from tests.support.service import Service

NAMED_ROLES = {"button", "textbox", "combobox", "option", "row", "table", "columnheader", "complementary", "dialog"}


def test_a_filter_is_chosen_from_what_there_is_and_goes_by_back(browser: webdriver.Chrome, service: Service) -> None:
    post(service, *numbered(2, 9002, event_type="viewer.rare"), *numbered(3, 9002, event_type="viewer.often"))
    page = ViewerPage(browser, service.url, "last=24h&customer_id=9002").loaded()
    page.shows(5)
    page.type_filter("viewer")
    assert [option.text.split() for option in page.all("[role=option]")] == [
        ["type", "viewer.often"],
        ["type", "viewer.rare"],
        ["words", "viewer"],
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
    page = ViewerPage(browser, service.url, f"customer_id=9003&event={ids[1]}").loaded()
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
    again = ViewerPage(browser, service.url, link).loaded()
    again.shows(1)
    assert ids[1] in again.find("#detail").text
    page.button("Close event").click()
    page.until(lambda: not page.all("#detail"), "the event stays open")


def test_pages_follow_one_another_without_a_gap(browser: webdriver.Chrome, service: Service) -> None:
    post(service, *numbered(130, 9005))
    page = ViewerPage(browser, service.url, "customer_id=9005").loaded()
    page.shows(100)
    page.reads("#count", "100 of 130 events listed, newest first")
    page.button("Show older events").click()
    page.shows(130)
    assert len({*page.cells("event")}) == 130
    page.until(lambda: not page.all("#more"), "there is no end")


def test_a_range_is_brushed_by_mouse_and_by_keyboard(browser: webdriver.Chrome, service: Service) -> None:
    start = 1_700_000_000
    post(service, *(new_event(customer_id=9006, timestamp_utc=start + second) for second in range(40)))
    page = ViewerPage(browser, service.url, "last=all&customer_id=9006").loaded()
    page.shows(40)
    plot = page.find(".plot")
    assert plot.accessible_name == "Histogram: 40 events, 40 bars, 1 second per bar, highest bar 1"
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
    page = ViewerPage(browser, service.url, "last=1h&customer_id=9007").loaded()
    page.shows(2)
    page.button("Live").click()
    post(service, new_event(customer_id=9007, event_type="viewer.live"))
    page.shows(3)
    assert page.types()[0] == "viewer.live"
    page.button("Live").click()
    assert page.button("Live").get_attribute("aria-pressed") == "false"


BEHIND = """
const done = arguments[0];
const look = async () => {
  const { Api } = await import("/viewer/api.js");
  const api = new Api();
  const seconds = [];
  for (let time = 0; time < 10; time++) {
    await api.request("health");
    seconds.push(Math.floor(Date.now() / 1000) - api.now);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return seconds;
};
look().then(done);
"""


def test_a_range_that_ends_now_has_what_came_in_this_second(browser: webdriver.Chrome, service: Service) -> None:
    ViewerPage(browser, service.url)
    behind = browser.execute_async_script(BEHIND)  # both have the clock of this machine
    assert -2 <= min(behind) <= max(behind) <= 0


def test_it_is_used_by_keyboard_alone(browser: webdriver.Chrome, service: Service) -> None:
    post(service, *numbered(2, 9008, event_type="viewer.keys.one"), *numbered(1, 9008, event_type="viewer.keys.two"))
    page = ViewerPage(browser, service.url, "customer_id=9008").signed_out()
    page.keys(Keys.ENTER)
    page.loaded().shows(3)
    page.keys("/", "keys.two", Keys.ENTER)
    page.shows(1)
    page.keys(Keys.ESCAPE)
    browser.execute_script("document.activeElement.blur()")
    page.keys("j", Keys.ENTER)
    assert "viewer.keys.two" in page.find("#detail h2").text
    page.keys(Keys.ESCAPE)
    page.until(lambda: not page.all("#detail"), "the event stays open")
    page.keys("?")
    assert "Next event" in page.find("#shortcuts").text


def test_what_is_wrong_or_missing_says_what_to_do(browser: webdriver.Chrome, service: Service) -> None:
    page = ViewerPage(browser, service.url, "event_typ=x").loaded()
    assert "event_typ is not a parameter; did you mean event_type?" in page.find("#problem").text
    page.button("Remove filter event_typ x").click()
    page.until(lambda: not page.all("#problem"), "the problem stays")
    page = ViewerPage(browser, service.url, "customer_id=9999999&event=00000000-0000-7000-8000-000000000000").loaded()
    assert "No event" in page.find("#detail").text
    page.button("Close event").click()
    page.button("Clear the filters").click()
    page.until(lambda: page.chips() == [], "the filter stays")


def test_on_a_phone_nothing_is_cut_off_and_everything_has_a_name(browser: webdriver.Chrome, service: Service) -> None:
    [event_id] = post(service, new_event(customer_id=9010, event_type="w" * 255, event_data={"w": "w" * 500}))
    phone = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        page = ViewerPage(browser, service.url, f"customer_id=9010&event={event_id}").loaded()
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

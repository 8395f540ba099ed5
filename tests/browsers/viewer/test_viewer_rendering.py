"""The log viewer on paper, in forced colours, with few events, and with invisible characters."""

from collections.abc import Iterator
from contextlib import contextmanager

from selenium import webdriver

from tests.browsers.viewer.page import ViewerPage, numbered, post
from tests.support.builders import new_event
from tests.support.service import Service

COLOUR = "return getComputedStyle(document.querySelector(arguments[0])).backgroundColor"


@contextmanager
def medium(browser: webdriver.Chrome, name: str = "", **features: str) -> Iterator[None]:
    wanted = [{"name": feature.replace("_", "-"), "value": value} for feature, value in features.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": name, "features": wanted})
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


def test_bars_are_seen_in_colours_of_the_users_choice(browser: webdriver.Chrome, service: Service) -> None:
    post(service, *numbered(2, 9061))
    with medium(browser, forced_colors="active"):
        ViewerPage(browser, service.url, "last=all&customer_id=9061").shows(2)
        assert browser.execute_script(COLOUR, ".fill") != browser.execute_script(COLOUR, "body")


def test_paper_has_the_question_the_range_the_bars_and_all_data(browser: webdriver.Chrome, service: Service) -> None:
    long = "begin " + "x" * 800 + " end"
    post(service, new_event(customer_id=9062, event_data={"text": long}))
    page = ViewerPage(browser, service.url, "last=1h&customer_id=9062").loaded()
    page.shows(1)
    with medium(browser, "print"):
        browser.execute_script("dispatchEvent(new Event('beforeprint'))")
        cell = page.find("td .data")
        assert cell.text == f'{{"text":"{long}"}}'
        script = (
            "return [arguments[0].scrollWidth - arguments[0].clientWidth, getComputedStyle(arguments[0]).whiteSpace]"
        )
        assert browser.execute_script(script, cell) == [0, "normal"]
        exact = "return getComputedStyle(document.querySelector('.fill')).printColorAdjust"
        assert browser.execute_script(exact) == "exact"
        assert not page.all("button:not(.time), input")
        report = page.find("#report").text
        assert "Events whose customer is 9062" in report
        assert "1 event\n" in report
        browser.execute_script("dispatchEvent(new Event('afterprint'))")
    assert len(page.cells("event")[0]) < 400


def test_a_bar_has_a_scale_and_one_second_is_not_a_block(browser: webdriver.Chrome, service: Service) -> None:
    post(service, *numbered(3, 9063, timestamp_utc=1_700_000_000))
    page = ViewerPage(browser, service.url, "last=all&customer_id=9063").loaded()
    page.shows(3)
    page.reads(".histogram-head", "3 events · 1 second per bar, highest bar 3")
    assert page.find(".counts").text.split() == ["4", "2", "0"]
    assert page.find(".bar").size["width"] <= 72


def test_a_chart_without_events_has_no_bar(browser: webdriver.Chrome, service: Service) -> None:
    post(service, *numbered(1, 9068))
    page = ViewerPage(browser, service.url, "last=30d&customer_id=9068&event_data.rows%5Bgt%5D=abc").loaded()
    page.shows(0)
    page.reads(".histogram-head", "0 events · 1 day per bar, highest bar 0")
    assert page.find(".counts").text.split() == ["2", "1", "0"]


def test_no_two_texts_that_differ_look_alike(browser: webdriver.Chrome, service: Service) -> None:
    texts = ["ab", "a\u3164b", "a\u115fb", "a\uffa0b", "a\u2800b", "a\ufe0fb", "a\U000e0041b", "a\u200bb", "a\\u200bb"]
    post(service, *(new_event(customer_id=9064, event_type=text, event_data={"v": text}) for text in texts))
    page = ViewerPage(browser, service.url, "customer_id=9064").loaded()
    page.shows(len(texts))
    assert set(page.types()) == {
        "ab", r"a\u3164b", r"a\u115fb", r"a\uffa0b", r"a\u2800b", r"a\ufe0fb", r"a\udb40\udc41b",
        r"a\u200bb", r"a\\u200bb",
    }  # fmt: skip
    assert len({*page.cells("event")}) == len(texts)
    assert all(text.isprintable() for row in page.rows() for text in row)


def test_on_a_phone_no_control_is_cut_off(browser: webdriver.Chrome, service: Service) -> None:
    post(service, new_event(customer_id=9065, event_data={"a_long_name_of_a_member": {"another_long_name": 1}}))
    phone = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        page = ViewerPage(browser, service.url, "customer_id=9065&last=1h").loaded()
        page.button("Custom").click()
        page.type_filter("member")
        for found in (*page.all("button, input, a"), page.find("[role=option]")):
            assert found.rect["x"] >= 0, found.accessible_name
            assert found.rect["x"] + found.rect["width"] <= 360, found.accessible_name
        assert browser.execute_script("return document.documentElement.scrollWidth") == 360
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_bars_are_divided_by_outcome_or_type_with_a_pattern_for_each(
    browser: webdriver.Chrome, service: Service
) -> None:
    def logins(count: int, **data: object) -> list[dict[str, object]]:
        events = numbered(count, 9066, timestamp_utc=1_700_000_000)
        return [{**event, "event_data": {"actor": {"id": "ada"}, **data}} for event in events]

    post(service, *logins(3, outcome="failure"), *logins(2, success=False), *logins(4, outcome="success"), *logins(1))
    post(service, *numbered(2, 9066, timestamp_utc=1_700_000_000, event_type="viewer.rare"))
    page = ViewerPage(browser, service.url, "last=all&customer_id=9066").loaded()
    page.until(lambda: page.all(".legend li"), "there is no legend")
    assert [" ".join(item.text.split()) for item in page.all(".legend li")] == ["failure 5", "success 4", "other 3"]
    heights = [fill.size["height"] for fill in page.all(".bar .fill")]
    assert heights == sorted(heights)  # failures are at the bottom, the last in the bar
    patterns = "return [...document.querySelectorAll('.swatch')].map(s => getComputedStyle(s).backgroundImage)"
    assert len({*browser.execute_script(patterns)}) == 3
    page.button("type").click()
    page.until(
        lambda: page.all(".legend li")[0].text.split() == ["user.login", "10"], "the bars are divided by outcome"
    )
    assert [" ".join(item.text.split()) for item in page.all(".legend li")] == ["user.login 10", "viewer.rare 2"]
    assert page.view()["stack"] == "type"
    page.button("none").click()
    page.until(lambda: not page.all(".legend li"), "the bars are divided")


def test_on_a_phone_an_event_is_a_block_with_its_sentence_type_and_outcome(
    browser: webdriver.Chrome, service: Service
) -> None:
    data = {"actor": {"id": "a-person-with-a-long-name"}, "outcome": "failure", "targets": [{"id": "x" * 60}]}
    post(service, new_event(customer_id=9067, event_type="a.rather.long.type.of.an.event.updated", event_data=data))
    phone = {"width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": True}  # also a desktop at 400 %
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        page = ViewerPage(browser, service.url, "customer_id=9067").loaded()
        page.shows(1)
        for column in ("time", "event", "outcome", "type", "customer"):
            cell = page.find(f"tbody .c-{column}")
            clipped = "return arguments[0].scrollWidth - arguments[0].clientWidth"
            assert browser.execute_script(clipped, cell) <= 0, column
            assert cell.rect["x"] + cell.rect["width"] <= 320, column
        assert browser.execute_script("return document.documentElement.scrollWidth") == 320
        roles = [row.aria_role for row in page.all("#events tbody tr")]
        assert roles == ["row"]
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

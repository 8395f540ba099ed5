"""The log viewer on paper, in forced colours, with few events, and with invisible characters."""

from collections.abc import Iterator
from contextlib import contextmanager

from selenium import webdriver

from tests.e2e.viewer.page import ViewerPage, numbered, post
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
        assert browser.execute_script(COLOUR, ".fill.some") != browser.execute_script(COLOUR, "body")


def test_paper_has_the_question_the_range_the_bars_and_all_data(browser: webdriver.Chrome, service: Service) -> None:
    long = "begin " + "x" * 800 + " end"
    post(service, new_event(customer_id=9062, event_data={"text": long}))
    page = ViewerPage(browser, service.url, "last=1h&customer_id=9062").loaded()
    page.shows(1)
    with medium(browser, "print"):
        browser.execute_script("dispatchEvent(new Event('beforeprint'))")
        cell = page.find("td.data")
        assert cell.text == f'{{"text":"{long}"}}'
        script = (
            "return [arguments[0].scrollWidth - arguments[0].clientWidth, getComputedStyle(arguments[0]).whiteSpace]"
        )
        assert browser.execute_script(script, cell) == [0, "normal"]
        assert page.find(".chip").text.split() == ["customer", "9062"]
        assert page.find("#range").text.endswith(" UTC")
        exact = "return getComputedStyle(document.querySelector('.fill.some')).printColorAdjust"
        assert browser.execute_script(exact) == "exact"
        assert not page.all("button:not(.time), input")
        browser.execute_script("dispatchEvent(new Event('afterprint'))")
    assert len(page.rows()[0][3]) < 400


def test_a_bar_has_a_scale_and_one_second_is_not_a_block(browser: webdriver.Chrome, service: Service) -> None:
    post(service, *numbered(3, 9063, timestamp_utc=1_700_000_000))
    page = ViewerPage(browser, service.url, "last=all&customer_id=9063").loaded()
    page.shows(3)
    assert page.find(".histogram-head").text == "3 events · 1 second per bar, highest bar 3"
    assert page.find(".counts").text.split() == ["3", "0"]
    assert page.find(".bar").size["width"] <= 72


def test_no_two_texts_that_differ_look_alike(browser: webdriver.Chrome, service: Service) -> None:
    texts = ["ab", "a\u3164b", "a\u115fb", "a\uffa0b", "a\u2800b", "a\ufe0fb", "a\U000e0041b", "a\u200bb", "a\\u200bb"]
    post(service, *(new_event(customer_id=9064, event_type=text, event_data={"v": text}) for text in texts))
    page = ViewerPage(browser, service.url, "customer_id=9064").loaded()
    page.shows(len(texts))
    assert set(page.types()) == {
        "ab", r"a\u3164b", r"a\u115fb", r"a\uffa0b", r"a\u2800b", r"a\ufe0fb", r"a\udb40\udc41b",
        r"a\u200bb", r"a\\u200bb",
    }  # fmt: skip
    assert len({row[3] for row in page.rows()}) == len(texts)
    assert all(text.isprintable() for row in page.rows() for text in row)


def test_on_a_phone_no_control_is_cut_off(browser: webdriver.Chrome, service: Service) -> None:
    post(service, new_event(customer_id=9065, event_data={"a_long_name_of_a_member": {"another_long_name": 1}}))
    phone = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        page = ViewerPage(browser, service.url, "customer_id=9065&last=1h").loaded()
        page.button("Custom").click()
        page.find("[name=path]").click()
        for found in (*page.all("button, input, a"), page.find("[role=option]")):
            assert found.rect["x"] >= 0, found.accessible_name
            assert found.rect["x"] + found.rect["width"] <= 360, found.accessible_name
        assert browser.execute_script("return document.documentElement.scrollWidth") == 360
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

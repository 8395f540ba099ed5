"""The forms of the log viewer: input is checked, errors are in plain words, and no input is lost."""

import re

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from tests.browsers.viewer.page import ViewerPage, post
from tests.support.builders import new_event
from tests.support.service import Service

NATURAL_WIDTHS = """
return [...document.querySelectorAll("#custom-range input")].map((input) => {
  const { width } = input.getBoundingClientRect();
  input.style.width = "max-content";
  return [width, input.getBoundingClientRect().width];
});
"""


def test_the_range_is_always_shown_in_full(browser: webdriver.Chrome, service: Service) -> None:
    page = ViewerPage(browser, service.url, "last=1h").loaded()
    moment = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    assert re.fullmatch(f"{moment} to {moment} UTC", page.find("#range").text)
    link = "timestamp_start_utc=1700000000&timestamp_end_utc=1700000060"
    page = ViewerPage(browser, service.url, link).loaded()
    page.reads("#range", "2023-11-14 22:13:20 to 2023-11-14 22:14:20 UTC")
    page.button("All").click()
    page.until(lambda: page.find("#range").text == "All time", "the range stays")


def test_a_custom_range_begins_with_the_one_that_is_shown_and_is_wide_enough(
    browser: webdriver.Chrome, service: Service
) -> None:
    page = ViewerPage(browser, service.url, "timestamp_start_utc=1700000000&timestamp_end_utc=1700000060").loaded()
    page.button("Custom").click()
    assert page.find("[name=start]").get_property("value") == "2023-11-14T22:13:20"
    assert all(width >= natural for width, natural in browser.execute_script(NATURAL_WIDTHS))
    page.button("7d").click()
    page.until(lambda: not page.all("#custom-range"), "the form stays open")


def test_a_range_that_is_being_typed_outlives_a_new_filter(browser: webdriver.Chrome, service: Service) -> None:
    page = ViewerPage(browser, service.url, "last=1h").loaded()
    page.button("Custom").click()
    browser.execute_script("document.querySelector('[name=start]').value = '2026-01-01T00:00:00'")
    page.type_filter("customer=9041" + Keys.ENTER)
    page.until(lambda: page.chips() == ["customer 9041"], "the filter is not added")
    page.loaded()
    assert page.find("[name=start]").get_property("value") == "2026-01-01T00:00"


def test_a_range_that_starts_after_its_end_is_refused_in_words(browser: webdriver.Chrome, service: Service) -> None:
    page = ViewerPage(browser, service.url, "timestamp_start_utc=20&timestamp_end_utc=10").loaded()
    assert "The start is after the end." in page.find("#problem").text
    assert [button.text for button in page.all("#problem button")] == ["Show all time"]
    page.button("Custom").click()
    page.button("Apply").click()
    page.reads("#range-problem", "The start is after the end.")
    page.button("Show all time").click()
    page.until(lambda: not page.all("#problem"), "the problem stays")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Write a filter as field=value"),
        ("customer=acme", "A customer is a whole number of at most 19 digits, such as 42."),
        (f"customer={2**63}", "A customer is a whole number of at most 19 digits, such as 42."),
        ("a..b=1", "A path is names with dots between them"),
        ("type=user.login user=", "Enter the value to find."),
        ('user="ada', "A value that begins with a quote ends with one."),
        ("range=fortnight", "A range is one of 15m, 1h, "),
    ],
)
def test_what_no_event_can_match_is_not_added(
    browser: webdriver.Chrome, service: Service, text: str, message: str
) -> None:
    page = ViewerPage(browser, service.url).loaded()
    page.type_filter(text)
    page.button("Add filter").click()
    assert page.find("#filters-problem").text.startswith(message)
    assert page.focused().get_attribute("name") == "filter"
    assert page.chips() == []
    assert page.find("[name=filter]").get_property("value") == text


def test_one_line_has_several_filters_and_a_range(browser: webdriver.Chrome, service: Service) -> None:
    event = new_event(customer_id=9043, event_data={"who": {"full name": "Ada L"}, "n": 7, "a.b": True})
    post(service, event)
    page = ViewerPage(browser, service.url, "last=all").loaded()
    page.type_filter(
        'customer=9043 who."full name"="Ada L"' + " n=7 type=user.login range=24h " + '"a.b"=true' + Keys.ENTER
    )
    page.shows(1)
    assert page.view() == {
        "last": "24h",
        "customer_id": "9043",
        'event_data.who."full name"': '"Ada L"',
        "event_data.n": "7",
        "event_type": "user.login",
        'event_data."a.b"': "true",
    }


def test_operators_and_words_are_typed_as_well(browser: webdriver.Chrome, service: Service) -> None:
    events = [new_event(customer_id=9045, event_data={"amount": n, "note": f"number {n} Zürich"}) for n in range(5)]
    post(service, *events)
    page = ViewerPage(browser, service.url, "customer_id=9045").loaded()
    page.type_filter("amount[gte]=2 number zurich" + Keys.ESCAPE + Keys.ENTER)
    page.shows(3)
    assert page.chips() == ["customer 9045", "amount \N{GREATER-THAN OR EQUAL TO} 2", "words number zurich"]
    page.type_filter("amount[lt]=2" + Keys.ENTER)
    page.until(lambda: page.all("#empty"), "something is found")


def test_short_signs_are_operators_and_times_and_addresses_are_words(
    browser: webdriver.Chrome, service: Service
) -> None:
    data = [{"who": {"full name": "Ada L"}, "size": n, "note": "at 10:30 from https://a.example"} for n in range(5)]
    post(service, *(new_event(customer_id=9046, event_type="viewer.short", event_data=each) for each in data))
    page = ViewerPage(browser, service.url, "customer_id=9046&last=24h").loaded()
    line = 'type:viewer.short size>=2 size<4 size!=3 who."full name":"Ada L" 10:30 https://a.example'
    page.type_filter(line + Keys.ESCAPE + Keys.ENTER)
    page.shows(1)
    assert page.view() == {
        "last": "24h",
        "customer_id": "9046",
        "event_type": "viewer.short",
        "event_data.size[gte]": "2",
        "event_data.size[lt]": "4",
        "event_data.size[not]": "3",
        'event_data.who."full name"': '"Ada L"',
        "q": "10:30 https://a.example",
    }


def test_a_path_is_completed_and_then_its_value(browser: webdriver.Chrome, service: Service) -> None:
    post(service, new_event(customer_id=9044, event_data={"invoice": {"number": "INV-7"}}))
    page = ViewerPage(browser, service.url, "customer_id=9044").loaded()
    page.type_filter("invoice" + Keys.ENTER)
    assert page.find("[name=filter]").get_property("value") == "invoice.number="
    assert [option.text.split() for option in page.all("[role=option]")] == [["invoice.number", "INV-7"]]
    page.keys(Keys.ARROW_DOWN, Keys.ENTER)
    page.until(lambda: "invoice.number INV-7" in page.chips(), "the filter is not added")


def test_a_customer_in_a_link_that_is_no_number_is_said_in_words(browser: webdriver.Chrome, service: Service) -> None:
    page = ViewerPage(browser, service.url, "customer_id=acme").loaded()
    assert page.find("#problem li").text.endswith("a customer is a whole number of at most 19 digits, such as 42.")
    assert page.all("#problem button") == []  # asking again cannot help


def test_no_list_stays_open_after_a_filter_and_values_of_one_path_are_alternatives(
    browser: webdriver.Chrome, service: Service
) -> None:
    post(service, *(new_event(customer_id=9042, event_data={"name": name}) for name in ("ada", "bob", "eve")))
    page = ViewerPage(browser, service.url, "customer_id=9042").loaded()
    for number, name in enumerate(("ada", "bob"), start=2):
        page.type_filter(f"name={name}" + Keys.ENTER)
        page.until(lambda: len(page.chips()) == number, "the filter is not added")  # noqa: B023 - called at once
        assert page.all("[role=option]") == []
    page.shows(2)
    assert [item.text for item in page.all("#chips .joint")] == ["and", "or"]


def test_the_operator_of_a_filter_is_changed_in_its_chip(browser: webdriver.Chrome, service: Service) -> None:
    customer = 9049
    events = [new_event(customer_id=customer, event_data={"amount": amount}) for amount in (1, 2, 3)]
    post(service, *events)
    page = ViewerPage(browser, service.url, f"customer_id={customer}&event_data.amount=2&last=all").loaded()
    page.shows(1)
    operator = next(found for found in page.all("#chips select") if found.accessible_name == "How amount 2 is compared")
    assert [option.text for option in Select(operator).options] == [
        "is",
        "is not",
        ">",
        "\u2265",
        "<",
        "\u2264",
        "begins with",
    ]
    Select(operator).select_by_visible_text("\u2265")
    page.shows(2)
    assert page.chips() == [f"customer {customer}", "amount \u2265 2"]
    assert page.view()["event_data.amount[gte]"] == "2"
    page.until(lambda: page.focused().accessible_name == "How amount 2 is compared", "the focus is lost")
    browser.back()
    page.shows(1)
    customers = next(found for found in page.all("#chips select") if "customer" in found.accessible_name)
    assert "begins with" not in [option.text for option in Select(customers).options]


def test_filters_without_another_operator_have_no_choice(browser: webdriver.Chrome, service: Service) -> None:
    view = "q=zurich&event_data.amount[exists]=true&last=all"
    page = ViewerPage(browser, service.url, view).loaded()
    assert page.chips() == ["words zurich", "amount exists true"]
    assert not page.all("#chips select")


def test_an_operator_that_makes_a_filter_of_the_list_again_leaves_one(
    browser: webdriver.Chrome, service: Service
) -> None:
    view = "event_type=viewer.a&event_type[not]=viewer.a&last=all"
    page = ViewerPage(browser, service.url, view).loaded()
    Select(page.all("#chips select")[1]).select_by_visible_text("is")
    page.until(lambda: page.chips() == ["type viewer.a"], "there are two")

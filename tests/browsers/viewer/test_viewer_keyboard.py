"""The log viewer by keyboard: shortcuts do not get in the way, and the focus is never lost."""

from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from tests.browsers.viewer.page import ViewerPage, numbered, post
from tests.support.builders import new_event
from tests.support.service import Service

FOCUS = "arguments[0].focus()"
HIDDEN_WITHOUT_HOVER = """
const rules = [...document.styleSheets[0].cssRules].filter((rule) => rule.selectorText?.endsWith(".actions"));
return rules.filter((rule) => rule.style.opacity || rule.style.visibility).map((rule) => rule.cssText);
"""
BLUR = "document.activeElement.blur()"


def is_live(page: ViewerPage) -> bool:
    return page.button("Live").get_attribute("aria-pressed") == "true"


def test_typing_with_the_focus_on_a_button_does_nothing(browser: webdriver.Chrome, service: Service) -> None:
    page = ViewerPage(browser, service.url).loaded()
    browser.execute_script(FOCUS, page.button("Dark"))
    page.keys("false")
    assert not is_live(page)
    browser.execute_script(BLUR)
    page.keys("l")
    assert is_live(page)


def test_single_keys_can_be_turned_off_and_stay_so(browser: webdriver.Chrome, service: Service) -> None:
    page = ViewerPage(browser, service.url).loaded()
    page.button("Keyboard shortcuts").click()
    page.find("#single-keys").click()
    page.button("Close", "#shortcuts").click()
    page = ViewerPage(browser, service.url).loaded()
    page.keys("l")
    assert not is_live(page)


def test_tab_goes_from_the_line_to_its_button_even_while_its_list_is_long(
    browser: webdriver.Chrome, service: Service
) -> None:
    post(service, new_event(customer_id=9051, event_data={f"member{n}": n for n in range(40)}))
    page = ViewerPage(browser, service.url, "customer_id=9051").loaded()
    page.type_filter("member")
    page.find("[role=option]")
    page.keys(Keys.TAB)
    assert page.focused().get_attribute("id") == "add-filter"


def test_the_focus_goes_on_when_its_control_is_gone(browser: webdriver.Chrome, service: Service) -> None:
    post(service, *numbered(130, 9052))
    page = ViewerPage(browser, service.url, "customer_id=9052&event_data.number=x").loaded()
    browser.execute_script(FOCUS, page.button("Clear the filters"))
    browser.execute_script(FOCUS, page.button("Remove filter number x"))
    page.keys(Keys.ENTER)
    page.until(lambda: page.chips() == ["customer 9052"], "the filter stays")
    page.shows(100)
    assert page.focused().accessible_name == "Remove filter customer 9052"
    browser.execute_script(FOCUS, page.button("Show older events"))
    page.keys(Keys.ENTER)
    page.shows(130)
    page.until(lambda: page.focused().get_attribute("class") == "time", "the focus is lost")
    page.keys("r")
    browser.execute_script(FOCUS, page.button("Remove filter customer 9052"))
    page.keys(Keys.ENTER)
    page.until(lambda: page.focused().get_attribute("id") == "add-filter", "the focus is lost")


def test_a_row_keeps_the_focus_when_the_list_is_loaded_again(browser: webdriver.Chrome, service: Service) -> None:
    post(service, *numbered(3, 9053))
    page = ViewerPage(browser, service.url, "customer_id=9053&last=24h").loaded()
    page.shows(3)
    browser.execute_script("window.row = document.querySelectorAll('#events .time')[1]; row.focus()")
    browser.execute_script("location.hash = 'customer_id=9053&last=7d'")
    page.until(lambda: browser.execute_script("return !row.isConnected"), "nothing is loaded")
    page.shows(3)
    index = "return document.activeElement.closest('tr')?.rowIndex"
    page.until(lambda: browser.execute_script(index) == 2, "the focus is lost")


def test_what_can_be_done_with_a_value_is_seen_without_a_mouse(browser: webdriver.Chrome, service: Service) -> None:
    [event_id] = post(service, new_event(customer_id=9054, event_data={"name": "ada"}))
    page = ViewerPage(browser, service.url, f"customer_id=9054&event={event_id}").loaded()
    button = page.button("Filter by name", "#detail")
    # A headless browser has no mouse, so that rules for a mouse that does not hover are looked for in the style sheet.
    assert browser.execute_script(HIDDEN_WITHOUT_HOVER) == []
    browser.execute_script(FOCUS, button)
    page.keys(Keys.ENTER)
    page.until(lambda: "name ada" in page.chips(), "the filter is not added")


def test_the_viewer_and_the_api_page_lead_to_each_other(browser: webdriver.Chrome, service: Service) -> None:
    ViewerPage(browser, service.url).loaded().find("a[href=docs]").click()
    back = browser.find_element("link text", "Log viewer")
    assert browser.current_url == f"{service.url}/docs"
    back.click()
    assert browser.current_url == f"{service.url}/"

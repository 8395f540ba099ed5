"""The log viewer in the language of the browser, or in the one that its address names."""

from collections.abc import Callable, Iterator

import pytest
from selenium import webdriver
from selenium.webdriver.support.ui import Select

from tests.browsers.viewer.page import ViewerPage, post
from tests.browsers.viewer.test_viewer_accessibility import DATA, seen_in
from tests.support.axe import violations
from tests.support.builders import new_event
from tests.support.service import Service

CUSTOMER = 9140
AT = 1_767_225_600  # 2026-01-01 00:00:00 UTC
PHONE_PIXELS = 360
VIEW = f"customer_id={CUSTOMER}&last=all"

# A button or a heading whose text is wider than it is, or that reaches beyond the window.
CUT_OFF = """
return [...document.querySelectorAll("button, h1, h2, h3, label, summary, .segments, dt, select")]
  .filter((one) => one.checkVisibility() && getComputedStyle(one).textOverflow !== "ellipsis" &&
    !one.closest(".suggestions, .unseen, #events"))
  .filter((one) => {
    const box = one.getBoundingClientRect();
    return one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0 && getComputedStyle(one).display !== "inline"
      || box.right > innerWidth + 1;
  })
  .map((one) => one.outerHTML.slice(0, 120));
"""


@pytest.fixture(scope="session")  # as the service: under xdist the tests of a file may run in several parts
def event_id(service: Service) -> str:
    fields = {"customer_id": CUSTOMER, "timestamp_utc": AT}
    [found, *_] = post(
        service,
        new_event(event_type="invoice.updated", event_data=DATA, **fields),
        *(new_event(event_type="user.login", event_data={"actor": {"id": f"user-{n}"}}, **fields) for n in range(129)),
    )
    return found


@pytest.fixture
def speaks(browser: webdriver.Chrome) -> Iterator[Callable[[str], None]]:
    """Sets the languages of the browser, best first."""
    agent = browser.execute_script("return navigator.userAgent")

    def set_to(languages: str) -> None:
        command = "Emulation.setUserAgentOverride"
        browser.execute_cdp_cmd(command, {"userAgent": agent, "acceptLanguage": languages})

    yield set_to
    set_to("en-US,en")


def language_of(page: ViewerPage) -> str:
    lang: str = page.browser.execute_script("return document.documentElement.lang")
    return lang


def test_a_german_browser_gets_a_german_page(
    browser: webdriver.Chrome,
    service: Service,
    event_id: str,  # noqa: ARG001 - it is stored
    speaks: Callable[[str], None],
) -> None:
    speaks("de-AT,en")
    page = ViewerPage(browser, service.url, VIEW).loaded()
    assert language_of(page) == "de-AT"
    assert browser.title == "Audit-Log"
    page.reads("#count", "130 Ereignisse, davon 100 aufgeführt, neueste zuerst")
    assert page.button("Filter hinzufügen")
    assert page.button("Exportieren")
    assert page.cells("time")[0] == "01.01.2026, 00:00:00"
    assert page.cells("event")[0] == "user-128 hat sich angemeldet"
    page.button("Ältere Ereignisse anzeigen").click()
    page.shows(130)
    assert page.cells("event")[-1] == "Ada konnte invoice nicht aktualisieren: INV-1"
    assert page.cells("outcome")[-1] == "✕ fehlgeschlagen"


def test_the_address_is_stronger_than_the_browser(
    browser: webdriver.Chrome, service: Service, event_id: str, speaks: Callable[[str], None]
) -> None:
    speaks("de")
    page = ViewerPage(browser, service.url, f"{VIEW}&event={event_id}", lang="fr-CH").loaded()
    assert language_of(page) == "fr-CH"
    page.reads("#detail h2", "Ada n\u2019a pas pu mettre à jour invoice INV-1")
    page.reads("#count", "130 événements")
    assert page.button("Copier le lien", "#detail")
    assert page.button("Fermer l\u2019événement")


def test_a_chosen_language_is_kept_and_the_view_with_it(
    browser: webdriver.Chrome, service: Service, speaks: Callable[[str], None]
) -> None:
    speaks("en-GB,de-AT")
    page = ViewerPage(browser, service.url, VIEW, lang="fr").loaded()
    choice = Select(page.find("#language"))
    assert page.find("#language").accessible_name == "Langue"
    assert [option.text for option in choice.options] == ["Deutsch", "English", "Français"]
    page.browser.execute_script("arguments[0].focus()", page.find("#language"))
    page.keys("d")  # the first letter chooses, without the mouse
    page.until(lambda: page.all("#language") and language_of(page) == "de-AT", "the page is not German")
    page.loaded()
    assert page.focused().get_attribute("id") == "language"  # the next key chooses again
    assert page.view()["customer_id"] == str(CUSTOMER)
    assert page.button("Filter hinzufügen")
    page = ViewerPage(browser, service.url, VIEW).loaded()
    assert language_of(page) == "de-AT"
    assert page.focused().tag_name == "body"
    Select(page.find("#language")).select_by_visible_text("English")
    page.until(lambda: page.all("#language") and language_of(page) == "en-GB", "the page is not English")
    page.loaded()
    assert browser.execute_script("return [localStorage.length, history.state]") == [0, None]  # as the browser has it


@pytest.mark.parametrize("kept", ["tlh", "<script>alert(1)</script>", "__proto__", "", "d" * 5000])
def test_a_kept_language_without_texts_is_that_of_the_browser(
    browser: webdriver.Chrome, service: Service, kept: str
) -> None:
    ViewerPage(browser, service.url, VIEW).loaded()
    browser.execute_script("localStorage.setItem('audit-log.language', arguments[0])", kept)
    page = ViewerPage(browser, service.url, VIEW).loaded()
    assert language_of(page) == "en-US"


@pytest.mark.parametrize(
    "lang",
    [
        "tlh",
        "xx",
        "%00",
        "<script>alert(1)</script>",
        "..%2F..%2Fde",
        "de;DROP",
        "__proto__",
        "constructor",
        "d" * 5000,
    ],
)
def test_a_language_without_texts_is_that_of_the_browser(
    browser: webdriver.Chrome, service: Service, lang: str
) -> None:
    page = ViewerPage(browser, service.url, VIEW, lang=lang).loaded()
    assert language_of(page) == "en-US"
    assert page.button("Add filter")


def test_problems_and_empty_lists_are_in_the_language(browser: webdriver.Chrome, service: Service) -> None:
    page = ViewerPage(browser, service.url, f"{VIEW}&event_type=viewer.none", lang="de").loaded()
    assert page.find("#empty").text.splitlines() == [
        "Keine Ereignisse",
        "Kein Ereignis passt zu diesem Zeitraum und diesen Filtern.",
        "Filter entfernen",
    ]
    page.type_filter("customer=viele\n")
    page.reads("#filters-problem", "Ein Kunde ist eine ganze Zahl mit höchstens 19 Ziffern, etwa 42.")
    page = ViewerPage(browser, service.url, "timestamp_start_utc=20&timestamp_end_utc=10", lang="de").loaded()
    assert page.find("#problem").text.splitlines() == [
        "Diese Suche ist ungültig:",
        "Der Beginn liegt nach dem Ende.",
        "Gesamten Zeitraum anzeigen",
    ]


@pytest.mark.parametrize("lang", ["de", "fr"])
def test_long_words_fit_a_phone(browser: webdriver.Chrome, service: Service, event_id: str, lang: str) -> None:
    with seen_in(browser, "light", PHONE_PIXELS):
        page = ViewerPage(browser, service.url, VIEW, lang=lang).loaded()
        page.until(lambda: page.all(".legend li"), "the bars are not divided")
        assert violations(browser) == []
        fits(page)
        for menu in ("#columns", "#share", "#export"):
            page.find(menu).click()
            fits(page)
            page.keys("\ue00c")  # Escape
        page.find("#presets [aria-expanded]").click()
        fits(page)
        page = ViewerPage(browser, service.url, f"{VIEW}&event={event_id}", lang=lang).loaded()
        page.until(lambda: not page.all(".proof.checking"), "the proof is not checked")
        fits(page)
        page = ViewerPage(browser, service.url, VIEW, lang=lang).loaded()
        page.find("#sign-out").click()
        page.find("#sign-in")
        fits(page)


def fits(page: ViewerPage) -> None:
    assert page.browser.execute_script("return document.documentElement.scrollWidth") <= PHONE_PIXELS
    assert page.browser.execute_script(CUT_OFF) == []

"""Sign-in and sign-out by clicks in a browser, at a real OpenID provider."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.remote.webelement import WebElement

from tests.browsers.viewer.page import ViewerPage
from tests.support.axe import violations
from tests.support.browser import chromium, log_of
from tests.support.openid_provider import OpenIDProvider, Person, service_with_provider
from tests.support.service import Service
from tests.unit.test_viewer_texts import texts_of

ORGANIZATION = "Sign in with your organization"
READABLE = "return [localStorage.length, sessionStorage.length, document.cookie]"
EXPIRE = """
const [fetched, now] = [window.fetch, performance.now()];
performance.now = () => now + 3_600_000;
window.fetch = (url, options) => String(url).includes("/session/")
    ? fetched(url, options)
    : Promise.resolve(new Response('{"detail": "The token has expired."}', {status: 401}));
"""
"""The token of the page expires: an hour later, the API refuses it."""


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path / "profile", "--ignore-certificate-errors") as driver:  # the provider's is of this test
        yield driver


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, OpenIDProvider]]:
    with service_with_provider(tmp_path_factory.mktemp("signing")) as running:
        yield running


def login_field(page: ViewerPage, provider: OpenIDProvider) -> WebElement:
    """Go by a click to the form of the provider, which asks for the login."""
    page.button(ORGANIZATION).click()
    field = page.find("[name=login]")
    assert page.browser.current_url.startswith(provider.url)
    return field


def sign_in(page: ViewerPage, provider: OpenIDProvider, login: str) -> None:
    """Sign in by clicks: here, in the provider's form, and on its question what the log viewer may know."""
    login_field(page, provider).send_keys(login)
    page.find("[name=password]").send_keys("any")
    page.button("Sign-in").click()
    page.button("Continue").click()
    page.find("#who")
    page.loaded()


def test_who_signs_out_is_asked_for_the_login_again_and_a_reload_alone_asks_nothing(
    browser: webdriver.Chrome, signing: tuple[Service, OpenIDProvider]
) -> None:
    service, provider = signing
    page = ViewerPage(browser, service.url, "customer_id=7&last=all")
    sign_in(page, provider, "auditor")
    for _ in range(2):
        assert page.find("#who").text == f"{provider.url}#auditor"
        assert page.view()["customer_id"] == "7"  # through the provider and the reload
        assert not page.all("#sign-in")
        assert browser.execute_script(READABLE) == [0, 0, ""]
        browser.refresh()
        page.loaded()
    page.button("Sign out").click()
    page.button("Yes, sign me out").click()
    page.find("#sign-in")
    assert browser.current_url == f"{service.url}/"
    assert not browser.get_cookies()
    assert not page.all("#signed-out")
    login_field(page, provider)


def test_signing_in_again_is_one_click_while_the_provider_knows_the_person(
    browser: webdriver.Chrome, signing: tuple[Service, OpenIDProvider]
) -> None:
    service, provider = signing
    page = ViewerPage(browser, service.url, "last=all")
    sign_in(page, provider, "support")
    browser.execute_script(EXPIRE)
    browser.delete_cookie("audit-log-session")  # as after the session's lifetime
    page.keys("r")
    page.find("#sign-in")
    assert page.find("#sign-in-problem").text.startswith("Your session has ended.")
    page.button(ORGANIZATION).click()
    page.find("#who")
    page.loaded()
    assert page.find("#who").text == f"{provider.url}#support (customers 42, 43)"


def test_signing_out_everywhere_ends_the_sessions_of_other_browsers(
    browser: webdriver.Chrome, signing: tuple[Service, OpenIDProvider]
) -> None:
    service, provider = signing
    elsewhere = Person(provider, service.url)
    with closing(elsewhere.browser):
        elsewhere.sign_in("auditor")
        page = ViewerPage(browser, service.url, "last=all")
        sign_in(page, provider, "auditor")
        page.button("Sign out everywhere").click()
        page.button("Yes, sign me out").click()
        page.find("#sign-in")
        assert not page.all("#sign-out-everywhere")
        assert elsewhere.token().status_code == 401


def test_a_provider_that_ends_no_sessions_is_named_in_words(browser: webdriver.Chrome, tmp_path: Path) -> None:
    with service_with_provider(tmp_path, ends_sessions=False) as (service, provider):
        page = ViewerPage(browser, service.url, "last=all")
        sign_in(page, provider, "auditor")
        page.button("Sign out").click()
        assert "but not of your organization" in page.find("#signed-out").text
        assert browser.current_url.startswith(service.url)
        browser.refresh()
        page.find("#sign-in")
        page.button(ORGANIZATION).click()  # as the page says: the provider still knows the person
        page.find("#who")


@pytest.mark.parametrize("chosen", ["de", "fr"])
def test_a_failed_sign_in_is_explained_in_the_chosen_language_and_leads_back(
    browser: webdriver.Chrome, signing: tuple[Service, OpenIDProvider], chosen: str
) -> None:
    texts = texts_of(chosen)
    service, provider = signing
    page = ViewerPage(browser, service.url, "last=all")
    page.find("#sign-in")
    browser.execute_script("localStorage.setItem('audit-log.language', arguments[0])", chosen)
    login_field(page, provider)
    log_of(browser, "browser")
    browser.get(f"{service.url}/session/callback?state=forged&code=x")
    page.until(lambda: browser.title == texts["refusal.title"], "the page is not translated")
    assert browser.execute_script("return document.documentElement.lang").startswith(chosen)
    page.reads("h1", str(texts["refusal.title"]))
    assert page.find("#refusal").get_property("textContent") == texts["refusal.other"]
    logged = [entry for entry in log_of(browser, "browser") if not entry.startswith(provider.url)]  # it has no icon
    assert [entry for entry in logged if "status of 403" not in entry] == []
    assert violations(browser) == []
    link = page.find("a")
    assert link.text == texts["refusal.back"]
    link.click()
    page.find("#sign-in")

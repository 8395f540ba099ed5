"""The session of a person in the log viewer: it survives a reload, and scripts cannot read it."""

from collections.abc import Iterator

import pytest
from selenium import webdriver

from tests.e2e.viewer.page import ViewerPage
from tests.support.openid_provider import OpenIDProvider, Person, openid_provider
from tests.support.service import AUDIT_LOG, Service, free_port

KEPT = "return [localStorage.length, sessionStorage.length, document.cookie]"


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, OpenIDProvider]]:
    port = free_port()
    page = f"http://127.0.0.1:{port}"
    with openid_provider(tmp_path_factory.mktemp("provider"), page) as provider:
        environ = {"SSL_CERT_FILE": str(provider.authority)}
        command = [AUDIT_LOG, "serve", "--port", str(port)]
        data = tmp_path_factory.mktemp("signing") / "data"
        with Service(command, port, data, provider.settings(page), environ=environ).wait_until_up() as running:
            yield running, provider


@pytest.fixture
def person(signing: tuple[Service, OpenIDProvider]) -> Iterator[Person]:
    """Somebody who signed in with another browser."""
    service, provider = signing
    person = Person(provider, service.url)
    person.sign_in("auditor")
    yield person
    person.browser.close()


def give_session(browser: webdriver.Chrome, person: Person, service: Service) -> None:
    """Give the cookie of the session to this browser."""
    browser.get(f"{service.url}/health")
    for cookie in person.browser.cookies.jar:
        if cookie.name == "audit-log-session":
            kept = {"name": cookie.name, "value": cookie.value, "path": "/", "httpOnly": True, "sameSite": "Strict"}
            browser.add_cookie(kept)


def test_a_session_survives_a_reload_without_a_secret_that_scripts_can_read(
    browser: webdriver.Chrome, signing: tuple[Service, OpenIDProvider], person: Person
) -> None:
    give_session(browser, person, signing[0])
    for _ in range(2):
        page = ViewerPage(browser, signing[0].url, "last=all").loaded()
        assert not page.all("#sign-in")
        assert page.find("#who").text == f"{signing[1].url}#auditor"
        assert browser.execute_script(KEPT) == [0, 0, ""]
    page.button("Sign out").click()
    page.find("#sign-in")
    browser.refresh()
    page.find("#sign-in")


def test_signing_out_everywhere_ends_the_sessions_of_other_browsers(
    browser: webdriver.Chrome, signing: tuple[Service, OpenIDProvider], person: Person
) -> None:
    give_session(browser, person, signing[0])
    page = ViewerPage(browser, signing[0].url, "last=all").loaded()
    page.button("Sign out everywhere").click()
    page.find("#sign-in")
    assert not page.all("#sign-out-everywhere")
    assert person.token().status_code == 401


def test_the_view_is_kept_on_the_way_through_the_provider(
    browser: webdriver.Chrome, signing: tuple[Service, OpenIDProvider], person: Person
) -> None:
    page = ViewerPage(browser, signing[0].url, "customer_id=7&last=all")
    assert page.button("Sign in with your organization")
    browser.execute_script("sessionStorage.setItem('audit-log-view', location.hash)")  # as its click does
    give_session(browser, person, signing[0])
    browser.get(f"{signing[0].url}/")  # where the provider's answer leads
    page.loaded()
    assert page.view()["customer_id"] == "7"
    assert browser.execute_script(KEPT) == [0, 0, ""]
    page.button("Sign out").click()
    page.find("#sign-in")

"""/docs in a real browser: it shows every operation, tries one out, and asks no other host for anything."""

from collections.abc import Iterator

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from core.auth.tokens import DEFAULT_SCOPES
from tests.support.browser import chromium, hosts_asked_by, log_of, paths_asked_by
from tests.support.builders import new_event
from tests.support.prefix_proxy import prefix_proxy
from tests.support.service import Service, get, post
from tests.support.waiting import SECONDS


@pytest.fixture(scope="module")
def only_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path_factory.mktemp("browser") / "profile") as driver:
        yield driver


@pytest.fixture
def browser(only_browser: webdriver.Chrome) -> webdriver.Chrome:
    """The browser of all tests of the page, which has kept nothing of the test before."""
    only_browser.get("about:blank")
    only_browser.execute_cdp_cmd("Network.clearBrowserCache", {})
    only_browser.execute_cdp_cmd("Network.clearBrowserCookies", {})
    log_of(only_browser, "browser")
    log_of(only_browser, "performance")
    return only_browser


class DocsPage:
    """What a reader does with the page."""

    def __init__(self, browser: webdriver.Chrome, url: str) -> None:
        self._browser = browser
        browser.get(f"{url}/docs")
        self.find(".opblock")

    def find(self, selector: str) -> WebElement:
        """The first visible element, as soon as there is one."""

        def visible(browser: webdriver.Chrome) -> WebElement | None:
            found = browser.find_elements(By.CSS_SELECTOR, selector)
            return next((element for element in found if element.is_displayed()), None)

        found = WebDriverWait(self._browser, SECONDS).until(visible, f"{selector} is not on the page")
        assert found is not None
        return found

    def operations(self) -> set[tuple[str, str]]:
        blocks = self._browser.find_elements(By.CSS_SELECTOR, ".opblock")
        return {
            (
                block.find_element(By.CSS_SELECTOR, ".opblock-summary-method").text,
                block.find_element(By.CSS_SELECTOR, ".opblock-summary-path").get_attribute("data-path") or "",
            )
            for block in blocks
        }

    def authorize(self, token: str) -> None:
        self.find(".auth-wrapper .authorize").click()
        self.find(".modal-ux input").send_keys(token)
        self.find(".modal-ux button.authorize").click()
        self.find(".modal-ux button.btn-done").click()

    def authorize_by_oauth(self, client_id: str) -> None:
        """Let the page get a token by client credentials."""
        self.find(".auth-wrapper .authorize").click()
        flow = "//div[contains(@class, 'auth-container')][.//h4[contains(., 'OAuth2')]]"
        dialog = self._browser.find_element(By.XPATH, flow)
        dialog.find_element(By.CSS_SELECTOR, "input[id^='client_id']").send_keys(client_id)
        for scope in DEFAULT_SCOPES:  # a client has the others only if they were named
            dialog.find_element(By.CSS_SELECTOR, f"label[for^='{scope}']").click()
        dialog.find_element(By.CSS_SELECTOR, "button.authorize").click()
        logout = f"{flow}//button[contains(., 'Logout')]"
        WebDriverWait(self._browser, SECONDS).until(lambda browser: browser.find_elements(By.XPATH, logout))
        self.find(".modal-ux button.btn-done").click()

    def try_out(self, operation_id: str) -> tuple[str, str]:
        """Open an operation and execute it as it is prefilled: the status and the body that the page shows."""
        block = f"[id$='-{operation_id}']"
        self.find(f"{block} .opblock-summary-control").click()
        self.find(f"{block} .try-out__btn").click()
        self.find(f"{block} .execute").click()
        answer = f"{block} .live-responses-table .response"
        return self.find(f"{answer} .response-col_status").text, self.find(f"{answer} .response-col_description").text


def test_the_page_shows_every_operation_and_tries_one_out(browser: webdriver.Chrome, service: Service) -> None:
    described = get(f"{service.url}/openapi.json").json()["paths"]
    page = DocsPage(browser, service.url)
    assert page.operations() == {(method.upper(), path) for path, methods in described.items() for method in methods}

    page.authorize(service.token())
    status, body = page.try_out(described["/event"]["get"]["operationId"])
    assert status.split()[0] == "200"
    assert '"total_count"' in body

    assert log_of(browser, "browser") == []
    assert hosts_asked_by(browser) == {f"127.0.0.1:{service.port}"}


@pytest.mark.parametrize("names_prefix", [True, False])
def test_the_page_works_below_a_path_of_a_proxy(
    browser: webdriver.Chrome, service: Service, *, names_prefix: bool
) -> None:
    with prefix_proxy(service.url, "/audit", names_prefix=names_prefix) as url:
        page = DocsPage(browser, url)
        page.authorize(service.token())
        status, body = page.try_out("query_events")
        assert status.split()[0] == "200", body
        paths = paths_asked_by(browser)
    assert "/audit/event" in paths
    assert {path.split("/")[1] for path in paths} == {"audit"}


def test_links_lead_below_the_path_that_a_proxy_names(service: Service) -> None:
    with prefix_proxy(service.url, "/audit", names_prefix=True) as url:
        authorization = {"Authorization": f"Bearer {service.token()}"}
        posted = post(f"{url}/event", json=new_event(event_type="docs.proxy"), headers=authorization)
        assert posted.headers["Location"] == f"/audit/event/{posted.json()['event_id']}"
        assert get(f"{url}/openapi.json").json()["servers"] == [{"url": "/audit"}]


@pytest.mark.parametrize("below_a_path", [False, True])
def test_the_page_gets_a_token_by_oauth(browser: webdriver.Chrome, service: Service, *, below_a_path: bool) -> None:
    with prefix_proxy(service.url, "/audit", names_prefix=False) as proxied:
        page = DocsPage(browser, proxied if below_a_path else service.url)
        page.authorize_by_oauth("anyone")
        status, body = page.try_out("query_events")
        assert status.split()[0] == "200", body

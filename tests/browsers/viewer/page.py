"""What somebody does with the log viewer, and sees of it."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.support.builders import new_event
from tests.support.service import Service
from tests.support.waiting import SECONDS, until

# One request for all elements: `is_displayed` and `accessible_name` take one for each, the former with its program.
_VISIBLE = """
  const named = (element) => {
    const ids = element.getAttribute("aria-labelledby")?.split(" ") ?? [];
    const labels = ids.map((id) => document.getElementById(id)?.textContent);
    return [element.textContent, element.ariaLabel, element.title, ...labels].join(" ");
  };
  return [...document.querySelectorAll(arguments[0])].filter((element) => {
    const { width, height } = element.getBoundingClientRect();
    return element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && width > 0 && height > 0
      && arguments[1].every((word) => named(element).includes(word));
  });
"""


class ViewerPage:
    """The page at `/`, reloaded with this view behind #, and in this language."""

    def __init__(self, browser: WebDriver, url: str, view: str = "", *, lang: str = "") -> None:
        self.browser = browser
        browser.get("about:blank")  # another view alone would not reload the page
        browser.get(f"{url}/{lang and f'?lang={lang}'}#{view}")

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """What `condition` gives as soon as it is true."""
        stale = [StaleElementReferenceException]  # the page replaced it meanwhile
        wait = WebDriverWait(self.browser, SECONDS, poll_frequency=0.05, ignored_exceptions=stale)
        return wait.until(lambda _: condition(), what)

    def all(self, selector: str, words: str = "") -> list[WebElement]:
        """The visible elements, of which the text or a label has these words."""
        found: list[WebElement] = self.browser.execute_script(_VISIBLE, selector, words.split())
        return found

    def find(self, selector: str) -> WebElement:
        """The first visible element, as soon as there is one."""
        found: list[WebElement] = self.until(lambda: self.all(selector), f"{selector} is not on the page")
        return found[0]

    def reads(self, selector: str, text: str) -> None:
        """Wait until the first visible element has this text: counts come after the list."""
        try:
            self.until(lambda: self.find(selector).text == text, "")
        except TimeoutException:
            raise AssertionError(f"{selector} reads {self.find(selector).text!r} and not {text!r}") from None

    def button(self, name: str, inside: str = "body") -> WebElement:
        """The visible button that says so, to eyes or to a screen reader."""

        def named() -> WebElement | None:
            found = self.all(f"{inside} button", words=name)
            return next((button for button in found if button.accessible_name == name), None)

        found: WebElement = self.until(named, f"there is no button {name}")
        return found

    def signed_out(self) -> "ViewerPage":
        """End the session that an open service began by itself."""
        self.loaded().button("Sign out").click()
        self.find("#sign-in")
        return self

    def loaded(self) -> "ViewerPage":
        """Wait until the requested data is shown."""
        self.until(
            lambda: not self.all("body.loading") and (self.all("#events, #empty, #problem")), "nothing is loaded"
        )
        return self

    def rows(self) -> list[list[str]]:
        """The texts of the table's cells."""
        script = (
            "return [...document.querySelectorAll('#events tbody tr')].map(r => [...r.cells].map(c => c.textContent))"
        )
        rows: list[list[str]] = self.browser.execute_script(script)
        return rows

    def cells(self, column: str) -> list[str]:
        """The texts of the cells of a column."""
        script = "return [...document.querySelectorAll(`#events tbody .c-${arguments[0]}`)].map(c => c.textContent)"
        texts: list[str] = self.browser.execute_script(script, column)
        return texts

    def types(self) -> list[str]:
        return self.cells("type")

    def type_filter(self, text: str) -> None:
        """Type into the line of filters."""
        self.find("[name=filter]").send_keys(text)

    def facet(self, group: str) -> tuple[str, dict[str, str]]:
        """What a group of facets counted, and its values with their counts."""
        [section] = [found for found in self.all(".facet") if found.accessible_name == group]
        note = section.find_element(By.CLASS_NAME, "facet-note").text
        buttons = section.find_elements(By.CSS_SELECTOR, "button")
        texts = [
            [part.text for part in button.find_elements(By.CSS_SELECTOR, "bdi, .facet-count")] for button in buttons
        ]
        return note, dict(texts)

    def narrow(self, group: str, value: str) -> None:
        """Click on a value of a group of facets."""
        xpath = f"//section[@aria-label='{group}']//button[.//bdi='{value}']"
        self.until(lambda: self.browser.find_elements(By.XPATH, xpath), f"there is no {value}")
        self.browser.find_element(By.XPATH, xpath).click()

    def shows(self, count: int) -> None:
        """Wait until there are so many events in the table."""
        self.until(lambda: len(self.rows()) == count, f"there are not {count} events but {len(self.rows())}")

    def chips(self) -> list[str]:
        """Field, operator unless it is equality, and value of each filter."""
        script = """
          return [...document.querySelectorAll("#chips .chip")].map((chip) => {
            const chosen = chip.querySelector("select")?.selectedOptions[0];
            const parts = [chip.firstChild, chosen?.value ? chosen : null, chip.querySelector("bdi")];
            return parts.filter(Boolean).map((part) => part.textContent.trim()).join(" ");
          });
        """
        chips: list[str] = self.browser.execute_script(script)
        return chips

    def focused(self) -> WebElement:
        return self.browser.switch_to.active_element

    def view(self) -> dict[str, str]:
        """What the address says."""
        return dict(parse_qsl(urlsplit(self.browser.current_url).fragment))

    def keys(self, *keys: str) -> None:
        ActionChains(self.browser).send_keys(*keys).perform()


def post(service: Service, *events: dict[str, Any]) -> list[str]:
    """Post events and wait until they are stored; their ids."""
    with service.client() as client:
        accepted = client.post("/events", json={"events": events}).raise_for_status().json()["accepted"]
        ids: list[str] = [event["event_id"] for event in accepted]
        assert len(ids) == len(events)
        until(lambda: client.get(f"/event/{ids[-1]}").status_code == 200)
    return ids


def numbered(count: int, customer: int, **fields: Any) -> list[dict[str, Any]]:
    return [new_event(customer_id=customer, event_data={"number": number}, **fields) for number in range(count)]


def until_proven(service: Service, event_id: str) -> None:
    """Wait until a signed checkpoint has the event."""
    with service.client() as client:
        until(lambda: client.get(f"/event/{event_id}/proof").status_code == 200)

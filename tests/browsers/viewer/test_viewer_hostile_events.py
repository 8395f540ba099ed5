"""What an event holds is text to the log viewer, whatever it says."""

from typing import Any
from urllib.parse import urlencode

from selenium import webdriver

from tests.browsers.viewer.page import ViewerPage, post, until_proven
from tests.support.browser import log_of
from tests.support.builders import new_event
from tests.support.service import Service

HOSTILE: dict[str, Any] = {
    "img": "<img src=x onerror=\"window.ran = 'img'\">",
    "script": "</script><script>window.ran = 'script'</script>",
    "address": "javascript:window.ran='address'",
    "__proto__": {"polluted": "yes"},
    "constructor": {"prototype": {"polluted": "yes"}},
    "toString": 1,
    "<b onclick=\"window.ran = 'key'\">": ["{{7*7}}", "${7*7}"],
    "turned": "invoice\u202efdp.exe\u200b",
    "long": "z" * 100_000,
    "wide": list(range(5000)),
    "": {"": "\ufeff"},
}
HOSTILE_TYPE = '"><svg onload="window.ran=1">\u202e'


OPEN_ALL = """
const done = arguments[0];
const step = () => {
  const closed = document.querySelector("#detail .tree > li:last-child details:not([open]) > summary");
  if (!closed) return done();
  closed.click();
  setTimeout(step);
};
step();
"""


def test_what_an_event_holds_is_shown_and_never_run(browser: webdriver.Chrome, service: Service) -> None:
    deep: Any = "the bottom"
    for _ in range(100):
        deep = [deep]
    data = {**HOSTILE, "deep": deep}
    [event_id] = post(service, new_event(event_type=HOSTILE_TYPE, customer_id=9004, event_data=data))
    until_proven(service, event_id)  # the browser logs the 404 before
    log_of(browser, "browser")  # what others left
    page = ViewerPage(browser, service.url, f"customer_id=9004&event={event_id}").loaded()
    page.shows(1)
    shown = page.find("#detail").text
    for text in (HOSTILE["img"], HOSTILE["script"], HOSTILE["address"], *list(HOSTILE)[:7], "{{7*7}}"):
        assert text in shown, text
    page.reads("#detail h2", HOSTILE_TYPE.replace("\u202e", "\\u202e"))
    assert page.types()[0] == HOSTILE_TYPE.replace("\u202e", "\\u202e")
    assert "invoice\\u202efdp.exe\\u200b" in shown
    assert "Show all 100,000 characters" in shown
    assert browser.execute_script("return document.querySelectorAll('#detail li').length") < 500
    browser.execute_async_script(OPEN_ALL)
    assert "the bottom" in str(page.find("#detail").get_property("textContent"))
    page.type_filter("svg")
    page.all("[role=option]")[0].click()
    page.until(lambda: len(page.chips()) == 2, "the type is no filter")
    assert page.chips()[1] == "type " + HOSTILE_TYPE.replace("\u202e", "\\u202e")
    page.shows(1)
    assert browser.execute_script("return [window.ran ?? null, ({}).polluted ?? null]") == [None, None]
    assert browser.execute_script("return document.querySelectorAll('img, iframe, #detail script, svg').length") == 0
    assert log_of(browser, "browser") == []


def test_conventional_fields_links_and_preferences_are_text_as_well(
    browser: webdriver.Chrome, service: Service
) -> None:
    img = HOSTILE["img"]
    data = {
        "actor": {"id": img, "name": HOSTILE["script"]},
        "action": img,
        "outcome": img,
        "targets": [{"id": img, "name": HOSTILE["turned"]}],
        "context": {"ip": img, "session": img, "user_agent": img},
        "changes": [{"path": img, "from": {"x": img}, "to": HOSTILE["script"]}, None, 3, {"to": "z" * 100_000}],
    }
    [event_id] = post(service, new_event(customer_id=9068, event_data=data))
    until_proven(service, event_id)  # the browser logs the 404 before
    log_of(browser, "browser")
    named = urlencode({"name": img, "columns": f"{img},time,event,actor,outcome,__proto__,constructor.name"})
    page = ViewerPage(browser, service.url, f"customer_id=9068&last=24h&event={event_id}&{named}").loaded()
    page.shows(1)
    page.reads("#view-name", img)
    assert browser.title.removesuffix(" · Audit log") == img
    assert img in [head.text for head in page.all("#events th")]
    assert page.cells("actor") == [HOSTILE["script"]]
    assert "invoice\\u202efdp.exe\\u200b" in page.find("#detail h2").text
    assert [cell.text for cell in page.all(".changes tbody th")] == [img, "value"]
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert img in str(page.browser.execute_script("return document.getElementById('report').textContent"))
    page.button(f"All from {img}", "#detail").click()
    page.until(lambda: page.view().get("event_data.context.ip") == img, "the address is no filter")
    page.loaded().shows(1)
    browser.execute_script("localStorage.setItem('audit-log.time-zone', '<b>/../nowhere')")
    page = ViewerPage(browser, service.url, "customer_id=9068&last=24h&stack=__proto__").loaded()
    page.shows(1)
    assert page.find("#range").text.endswith(" UTC")
    assert page.facet("Actor") == ("all 1 matching", {HOSTILE["script"]: "1"})
    assert browser.execute_script("return [window.ran ?? null, ({}).polluted ?? null]") == [None, None]
    assert browser.execute_script("return document.querySelectorAll('img, iframe, body script, svg').length") == 0
    assert log_of(browser, "browser") == []


def test_if_the_page_made_html_of_a_text_the_browser_would_refuse(browser: webdriver.Chrome, service: Service) -> None:
    ViewerPage(browser, service.url)
    script = "try { document.body.innerHTML = '<img src=x>'; return 'made' } catch (error) { return error.name }"
    assert browser.execute_script(script) == "TypeError"

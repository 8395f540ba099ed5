"""What the log viewer takes from the catalogue of event types."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from selenium import webdriver

from tests.browsers.viewer.page import ViewerPage, post
from tests.support.builders import new_event
from tests.support.service import Service

TYPES: dict[str, Any] = {
    "doc.changed": {
        "x-audit-log": {
            "sentences": {"en": "{actor} touched {target} in {place.room}", "de": "{actor} hat {target} angefasst"},
            "failures": {"en": "{actor} could not touch {target}"},
            "fields": {"actor": "operator.login", "target": "thing"},
        }
    },
    "beat": {"title": "Heart beat"},
}


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("catalogue")
    for name, content in TYPES.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    with Service.start(tmp_path_factory.mktemp("data"), catalogue=str(folder)) as running:
        yield running


def changed(customer: int, **data: Any) -> dict[str, Any]:
    usual = {"operator": {"login": "ada"}, "thing": "Budget", "place": {"room": "A1"}, "actor": "nobody"}
    return new_event(event_type="doc.changed", customer_id=customer, event_data={**usual, **data})


def test_sentences_and_fields_are_those_of_the_catalogue(browser: webdriver.Chrome, described: Service) -> None:
    post(described, changed(1))
    page = ViewerPage(browser, described.url, "customer_id=1&columns=time,event,actor,target")
    page.shows(1)
    assert page.cells("event") == ["ada touched Budget in A1"]
    page.reads("#events .c-event strong", "ada")
    assert (page.cells("actor"), page.cells("target")) == (["ada"], ["Budget"])


def test_a_failure_is_never_told_as_a_success(browser: webdriver.Chrome, described: Service) -> None:
    post(described, changed(2, outcome="failure"))
    page = ViewerPage(browser, described.url, "customer_id=2")
    page.shows(1)
    assert page.cells("event") == ["ada could not touch Budget"]


def test_an_event_without_a_value_of_the_sentence_gets_the_usual_one(
    browser: webdriver.Chrome, described: Service
) -> None:
    post(described, changed(3, place={}))
    page = ViewerPage(browser, described.url, "customer_id=3")
    page.shows(1)
    assert page.cells("event") == ["ada changed doc Budget"]


def test_a_title_describes_an_event_that_names_nobody(browser: webdriver.Chrome, described: Service) -> None:
    post(described, new_event(event_type="beat", customer_id=4, event_data={"number": 1}))
    page = ViewerPage(browser, described.url, "customer_id=4")
    page.shows(1)
    assert page.cells("event") == ["Heart beat"]


def test_what_an_event_puts_into_a_sentence_stays_text(browser: webdriver.Chrome, described: Service) -> None:
    hostile = "<img src=x onerror=alert(1)>{actor}\u202e"
    post(described, changed(5, thing=hostile, operator={"login": "{target}"}))
    page = ViewerPage(browser, described.url, "customer_id=5")
    page.shows(1)
    assert page.cells("event") == ["{target} touched <img src=x onerror=alert(1)>{actor}\\u202e in A1"]
    assert page.all("#events img") == []


def test_it_is_fetched_once_and_again_by_its_tag(browser: webdriver.Chrome, described: Service) -> None:
    post(described, changed(6))
    asked = (
        "return performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('/catalogue'))"
        ".map(({ transferSize, encodedBodySize }) => [transferSize, encodedBodySize])"
    )
    for _ in range(2):
        page = ViewerPage(browser, described.url, "customer_id=6")
        page.shows(1)
        page.keys("r")
        page.loaded()
        [(transferred, body)] = browser.execute_script(asked)
    assert transferred < body  # a 304 carries none

import re

import pytest

from core.wiring import Services
from functions.pages.docs import TYPES, docs, docs_file, openapi_operation
from functions.routes import ROUTES
from tests.support.fakes import Answer, FakeGateway


def ask_file(services: Services, name: str, method: str = "GET") -> Answer:
    return FakeGateway(services).call(docs_file, method, "/docs/{file}", path_parameters={"file": name}, token=None)


def test_the_description_needs_no_token_and_names_every_path(services: Services) -> None:
    answer = FakeGateway(services).call(openapi_operation(lambda: ROUTES), path="/openapi.json", token=None)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json["paths"].keys() == {route.path for route in ROUTES}


def test_the_page_loads_only_files_that_are_served_beside_it(services: Services) -> None:
    page = FakeGateway(services).call(docs, path="/docs", token=None)
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    names = re.findall(r'(?:src|href)="([^"]+)"', page.body.decode())
    assert set(names) == {"./", "openapi.json", *(f"docs/{name}" for name in TYPES)}


def test_the_page_may_talk_to_no_other_host(services: Services) -> None:
    policy = FakeGateway(services).call(docs, path="/docs", token=None).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy


@pytest.mark.parametrize("name", TYPES)
def test_a_file_of_the_page_comes_whole_with_its_type_and_may_be_kept(services: Services, name: str) -> None:
    answer = ask_file(services, name)
    assert (answer.status, answer.headers["Content-Type"]) == (200, TYPES[name])
    assert int(answer.headers["Content-Length"]) == len(answer.body) > 0
    assert answer.headers["Cache-Control"] == "public, max-age=3600"


def test_a_picture_arrives_as_it_is(services: Services) -> None:
    assert ask_file(services, "favicon-32x32.png").body.startswith(b"\x89PNG\r\n")
    assert ask_file(services, "favicon-32x32.png", "HEAD").body == b""


@pytest.mark.parametrize("name", ["", "docs.html", "../docs.py", "..%2fdocs.py", "/etc/passwd", "LICENSE.swagger-ui"])
def test_no_other_file_can_be_had(services: Services, name: str) -> None:
    assert ask_file(services, name).status == 404

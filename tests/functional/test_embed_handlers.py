"""The page for iframes of other origins, and the script of the custom element: who may use them."""

import re
from pathlib import Path

import pytest

from core.errors import InvalidSettingsError
from core.settings import Settings
from core.wiring import Services
from functions.pages import embed, viewer
from tests.support.fakes import Answer, FakeGateway

APP, OTHER = "https://app.example.org", "http://127.0.0.1:3000"
SCRIPT = Path(viewer.__file__).with_name("static") / "embed.js"


@pytest.fixture
def embedding(settings: Settings) -> Services:
    return Services(settings.model_copy(update={"embed_origins": (APP, OTHER)}))


def ask(services: Services, *origins: str) -> Answer:
    query = [("origin", origin) for origin in origins]
    return FakeGateway(services).call(embed.embed, path="/embed", query=query, token=None)


def ancestors(answer: Answer) -> str:
    policy = answer.headers["Content-Security-Policy"]
    [found] = re.findall(r"frame-ancestors ([^;]+)", policy)
    return str(found)


@pytest.mark.parametrize("origin", [APP, OTHER])
def test_an_origin_of_the_setting_may_embed_the_page(embedding: Services, origin: str) -> None:
    answer = ask(embedding, origin)
    assert (answer.status, ancestors(answer)) == (200, origin)
    assert f'data-embed="{origin}"' in answer.body.decode()


@pytest.mark.parametrize(
    "origins",
    [
        (),
        ("",),
        ("*",),
        ("null",),
        (f"{APP}/",),
        (APP.upper(),),
        (f"{APP}:443",),
        ("https://evil.example.org",),
        (f"{APP}.evil.example.org",),
        (f"{APP} https://evil.example.org",),
        (f"{APP}; script-src *",),
        (APP, APP),
        (APP, "https://evil.example.org"),
    ],
    ids=repr,
)
def test_any_other_origin_may_not(embedding: Services, origins: tuple[str, ...]) -> None:
    answer = ask(embedding, *origins)
    assert (answer.status, ancestors(answer)) == (200, "'none'")
    assert 'data-embed=""' in answer.body.decode()


def test_the_answer_names_no_other_customer_of_the_operator(embedding: Services) -> None:
    for answer in (ask(embedding, APP), ask(embedding), ask(embedding, "https://evil.example.org")):
        assert OTHER not in answer.body.decode() + repr(answer.headers)


def test_by_default_no_page_may_embed_the_log(services: Services) -> None:
    assert ancestors(ask(services, APP)) == "'none'"


def test_the_viewer_itself_is_never_framed(embedding: Services) -> None:
    answer = FakeGateway(embedding).call(viewer.viewer, path="/", query=[("origin", APP)], token=None)
    assert ancestors(answer) == "'none'"
    assert "data-embed" not in answer.body.decode()


def test_inside_another_page_the_rest_of_the_policy_is_that_of_the_viewer(embedding: Services) -> None:
    alone = FakeGateway(embedding).call(viewer.viewer, path="/", token=None).headers["Content-Security-Policy"]
    assert ask(embedding, APP).headers["Content-Security-Policy"] == alone.replace("frame-ancestors 'none'", "") + (
        f"frame-ancestors {APP}"
    )


def test_pages_of_every_origin_may_load_the_script_of_the_element(services: Services) -> None:
    answer = FakeGateway(services).call(embed.embed_script, path="/embed.js", token=None)
    assert answer.body == SCRIPT.read_bytes()
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_the_script_of_the_element_makes_no_html_and_keeps_nothing() -> None:
    unsafe = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|srcdoc|Storage|document\.cookie|\"\*\""
    assert re.findall(unsafe, SCRIPT.read_text()) == []


@pytest.mark.parametrize(
    "origins",
    [
        "*",
        "https://app.example.org/",
        "https://app.example.org/path",
        "https://*.example.org",
        "https://App.example.org",
        "app.example.org",
        "null",
        "https://a.example.org;script-src",
        "https://a.example.org,https://b.example.org",
        "https://user@a.example.org",
        "https://a.example.org:port",
        "javascript:alert(1)",
        f"{APP} 'unsafe-inline'",
    ],
)
def test_a_setting_that_is_no_list_of_origins_stops_the_start(origins: str) -> None:
    with pytest.raises(InvalidSettingsError, match="AUDIT_LOG_EMBED_ORIGINS: must be origins"):
        Settings.from_environ({"AUDIT_LOG_EMBED_ORIGINS": origins})


def test_origins_with_a_port_and_addresses_are_origins() -> None:
    origins = "https://a.example.org http://localhost:3000 http://[::1]:8080 http://127.0.0.1"
    settings = Settings.from_environ({"AUDIT_LOG_EMBED_ORIGINS": origins})
    assert settings.embed_origins == tuple(origins.split())

"""Which pages may call the API from a browser: none, unless their origin is configured (the Fetch standard's CORS)."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from werkzeug.test import Client

from chalice_config.app import app as chalice_app
from core.errors import InvalidSettingsError
from core.settings import Settings
from core.wiring import Services
from functions.routes import ROUTES
from functions.runtime import _process_services
from local_runner.http.application import Application
from local_runner.http.wsgi import WSGIApplication
from tests.conftest import SECRET
from tests.support.builders import proxy_event
from tests.support.fakes import FakeQueue, FakeStore

CONSOLE, OTHER = "https://console.example.org", "https://evil.example.org"
ORIGINS = f"{CONSOLE} http://localhost:3000"
PATHS = sorted({route.path for route in ROUTES})

Ask = Callable[..., tuple[int, dict[str, str]]]
"""Method, path and headers in; status and headers (in lower case) out."""


def of_local_runner(origins: str, data_dir: Path) -> Ask:
    store = FakeStore()
    environ = {"AUDIT_LOG_DATA_DIR": str(data_dir), "AUDIT_LOG_JWT_SECRET": SECRET, "AUDIT_LOG_CORS_ORIGINS": origins}
    services = Services(Settings.from_environ(environ), publisher=FakeQueue(), reader=store, writer=store, checks={})
    client = Client(WSGIApplication(Application(services)))

    def ask(method: str, path: str, **headers: str) -> tuple[int, dict[str, str]]:
        answer = client.open(path, method=method, headers=_named(headers))
        return answer.status_code, {name.lower(): value for name, value in answer.headers.items()}

    return ask


PARAMETERS = {
    "event_id": "1",
    "stream_id": "stream-0000000000000001",
    "rule_id": "rule-0000000000000001",
    "file": "nothing.js",
    "level": "0",
    "n1": "x001",
    "n2": "x000",
    "n3": "x000",
    "n4": "000",
}


def of_chalice(origins: str, data_dir: Path, patch: pytest.MonkeyPatch) -> Ask:
    patch.setenv("AUDIT_LOG_DATA_DIR", str(data_dir))
    patch.setenv("AUDIT_LOG_JWT_SECRET", SECRET)
    patch.setenv("AUDIT_LOG_QUEUE_URL", "amqp://127.0.0.1:1/")  # so that no test starts the threads of a pipeline
    patch.setenv("AUDIT_LOG_CORS_ORIGINS", origins)

    def ask(method: str, path: str, **headers: str) -> tuple[int, dict[str, str]]:
        resource = path if path in PATHS else "/docs/{file}"
        event = proxy_event(method, path, headers=_named(headers), path_parameters=PARAMETERS)
        event["requestContext"] |= {"httpMethod": method, "resourcePath": resource, "identity": {}}
        answer = chalice_app({**event, "resource": resource}, None)
        return answer["statusCode"], {name.lower(): value for name, value in answer["headers"].items()}

    return ask


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-").title(): value for name, value in headers.items()}


@pytest.fixture(params=["local runner", "chalice"])
def ask_with(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Ask]]:
    """Given origins, a way to ask the service; both ways answer alike."""
    _process_services.cache_clear()
    if request.param == "chalice":
        yield lambda origins: of_chalice(origins, tmp_path, monkeypatch)
    else:
        yield lambda origins: of_local_runner(origins, tmp_path)
    _process_services.cache_clear()


@pytest.fixture
def ask(ask_with: Callable[[str], Ask]) -> Ask:
    return ask_with(ORIGINS)


def _cors(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith("access-control-") or name == "vary"}


def test_it_is_off_by_default(ask_with: Callable[[str], Ask]) -> None:
    ask = ask_with("")
    for path in ("/health", "/event"):
        assert _cors(ask("GET", path, origin=CONSOLE)[1]) == {}
    status, headers = ask("OPTIONS", "/event", origin=CONSOLE, access_control_request_method="POST")
    assert (status, headers["allow"]) == (405, "GET, HEAD, POST")
    assert _cors(headers) == {}


@pytest.mark.parametrize("origin", ORIGINS.split())
def test_a_configured_origin_may_read_good_answers_and_errors(ask: Ask, origin: str) -> None:
    for method, path, expected in [
        ("GET", "/health", 200),
        ("GET", "/access-token", 200),
        ("GET", "/event", 401),
        ("POST", "/event", 401),
        ("GET", "/docs/nothing.js", 404),
        ("DELETE", "/event", 405),
    ]:
        status, headers = ask(method, path, origin=origin)
        assert status == expected
        assert headers["access-control-allow-origin"] == origin
        assert headers["vary"] == "Origin"
        assert headers["access-control-expose-headers"] == "ETag, Link, Location, Retry-After, X-Request-Id"


@pytest.mark.parametrize(
    "origin",
    [
        OTHER,
        "null",
        CONSOLE + ".evil.org",
        CONSOLE + ":8443",
        CONSOLE.replace("https", "http"),
        CONSOLE.upper(),
        CONSOLE + "/",
        f"{CONSOLE}, {OTHER}",
        "*",
        "",
    ],
)
def test_another_origin_may_not(ask: Ask, origin: str) -> None:
    for method, path in [("GET", "/health"), ("GET", "/event"), ("DELETE", "/event")]:
        assert _cors(ask(method, path, origin=origin)[1]) == {"vary": "Origin"}
    status, headers = ask("OPTIONS", "/event", origin=origin, access_control_request_method="POST")
    assert (status, _cors(headers)) == (405, {"vary": "Origin"})


def test_without_an_origin_a_cache_learns_that_it_matters(ask: Ask) -> None:
    assert _cors(ask("GET", "/health")[1]) == {"vary": "Origin"}


@pytest.mark.parametrize("path", PATHS)
def test_every_path_answers_the_question_whether_a_page_may_call_it(ask: Ask, path: str) -> None:
    status, headers = ask("OPTIONS", path, origin=CONSOLE, access_control_request_method="GET")
    methods = {route.method for route in ROUTES if route.path == path}
    assert status == 200
    assert set(headers["access-control-allow-methods"].split(", ")) - {"HEAD"} == methods
    assert headers["access-control-allow-origin"] == CONSOLE
    assert headers["vary"] == "Origin"
    assert {"Authorization", "Content-Encoding", "Content-Type", "Idempotency-Key", "If-Match"} == set(
        headers["access-control-allow-headers"].split(", ")
    )
    assert int(headers["access-control-max-age"]) > 0


def test_cookies_are_never_allowed_along(ask: Ask) -> None:
    for method in ("GET", "OPTIONS"):
        assert "access-control-allow-credentials" not in ask(method, "/event", origin=CONSOLE)[1]


def test_what_the_local_runner_refuses_before_a_handler_is_readable_too(tmp_path: Path) -> None:
    ask = of_local_runner(ORIGINS, tmp_path)
    for method, path, expected in [
        ("GET", "/nowhere", 404),
        ("PUT", "/health", 405),
        ("GET", "/health?" + "a=b&" * 201, 400),
    ]:
        status, answered = ask(method, path, origin=CONSOLE)
        assert (status, answered["access-control-allow-origin"]) == (expected, CONSOLE)
        assert _cors(ask(method, path, origin=OTHER)[1]) == {"vary": "Origin"}


@pytest.mark.parametrize(
    "origins",
    [
        "*",
        "https://*.example.org",
        "https://console.example.org/",
        "https://console.example.org/page",
        "https://user@console.example.org",
        "https://console.example.org?x",
        "console.example.org",
        "null",
        "file:///etc",
        f"{CONSOLE} *",
        f"{CONSOLE},{OTHER}/",
    ],
)
def test_a_wildcard_or_anything_else_than_plain_origins_is_refused_at_start(origins: str) -> None:
    with pytest.raises(InvalidSettingsError, match="AUDIT_LOG_CORS_ORIGINS: must be origins"):
        Settings.from_environ({"AUDIT_LOG_CORS_ORIGINS": origins})

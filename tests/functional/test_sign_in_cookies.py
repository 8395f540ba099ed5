"""The cookie of a sign-in that fails: removed, in the local runner and in the Chalice application."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.test import Client

from chalice_config.app import app as chalice_app
from core.auth.sign_in import Attempt
from core.settings import Settings
from core.wiring import Services
from functions.runtime import _process_services
from local_runner.http.application import Application
from local_runner.http.wsgi import WSGIApplication
from tests.conftest import SECRET
from tests.support.builders import proxy_event
from tests.support.fakes import FakeQueue, FakeStore

PATH = "/session/callback"
REMOVED = "__Host-audit-log-sign-in=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"
NOWHERE = "https://127.0.0.1:1"
ENVIRON = {
    "AUDIT_LOG_JWT_SECRET": SECRET,
    "AUDIT_LOG_AUTH": "clients",
    "AUDIT_LOG_QUEUE_URL": "amqp://127.0.0.1:1/",  # so that no test starts the threads of a pipeline
    "AUDIT_LOG_TRUSTED_ISSUER": NOWHERE,
    "AUDIT_LOG_TRUSTED_AUDIENCE": "audit-log",
    "AUDIT_LOG_TRUSTED_JWKS_URL": f"{NOWHERE}/jwks",
    "AUDIT_LOG_PUBLIC_URL": "https://audit.example.org",
    "AUDIT_LOG_SIGN_IN_CLIENT_ID": "viewer",
    "AUDIT_LOG_SIGN_IN_ROLES": "auditor=*",
}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """A client of the local runner whose identity provider is down."""
    store = FakeStore()
    settings = Settings.from_environ({**ENVIRON, "AUDIT_LOG_DATA_DIR": str(tmp_path)})
    services = Services(settings, publisher=FakeQueue(), reader=store, writer=store, checks={})
    yield Client(WSGIApplication(Application(services)), use_cookies=False)
    services.close()


def test_an_answer_without_an_attempt_is_a_page_that_removes_the_cookie(client: Client) -> None:
    answer = client.get(PATH)
    assert (answer.status_code, answer.headers.getlist("Set-Cookie")) == (403, [REMOVED])
    assert "has not begun the sign-in" in answer.text


def test_an_attempt_ends_even_if_the_provider_is_down(client: Client) -> None:
    attempt = Attempt.new()
    cookie = f"__Host-audit-log-sign-in={attempt.state}.{attempt.nonce}.{attempt.verifier}"
    answer = client.get(PATH, query_string={"state": attempt.state, "code": "c"}, headers={"Cookie": cookie})
    assert (answer.status_code, answer.headers.getlist("Set-Cookie")) == (503, [REMOVED])
    assert answer.headers["Retry-After"]
    assert "cannot be read" in answer.text


def test_chalice_sends_the_same_cookies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**ENVIRON, "AUDIT_LOG_DATA_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    _process_services.cache_clear()
    event = proxy_event("GET", PATH)
    event["requestContext"] |= {"httpMethod": "GET", "resourcePath": PATH, "identity": {}}
    answer = chalice_app(event, None)
    _process_services.cache_clear()
    assert (answer["statusCode"], answer["multiValueHeaders"]) == (403, {"Set-Cookie": [REMOVED]})

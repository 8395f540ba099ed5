"""The handlers that Lambda and Chalice name, in a separate process, since they share the services of their process."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.service import environment
from tests.support.waiting import SECONDS

ROOT = Path(__file__).parents[2]

START = """
import json, time
from functions import create_event, get_event, health, query_events, token
from tests.support.builders import new_event, proxy_event

def answer(handler, *parts, **more):
    return json.loads(handler(proxy_event(*parts, **more), None)["body"])

bearer = answer(token.handler, "GET", "/access-token")["token"]
"""
POST = """
posted = answer(create_event.handler, "POST", token=bearer, body=new_event(event_type="module"))
"""
FIND = """
deadline = time.monotonic() + 90
found = []
while not found and time.monotonic() < deadline:
    found = answer(query_events.handler, token=bearer, query=[("event_type", "module")])["events"]
    time.sleep(0.01)
"""
GET = """
got = answer(get_event.handler, token=bearer, path_parameters={"event_id": posted["event_id"]})
readiness = answer(health.ready_handler, "GET", "/ready")
"""
TELL = """
print(json.dumps({name: globals().get(name) for name in ["posted", "found", "got", "readiness"]}))
"""
REFUSED = """
import json
from functions import health
from tests.support.builders import proxy_event
print(json.dumps(health.handler(proxy_event(), None)))
"""
OPEN_IN_LAMBDA = """
import json, pkgutil
from importlib import import_module
import functions
from chalice_config import app as chalice
from core.errors import InvalidSettingsError
from tests.support.builders import proxy_event

def refused(handler, event):
    try:
        return handler(event, None)["statusCode"] == 500
    except InvalidSettingsError as exc:
        return "AUDIT_LOG_AUTH=clients" in str(exc)

modules = [import_module(module.name) for module in pkgutil.walk_packages(functions.__path__, "functions.")]
named = {f"{module.__name__}.{name}": part for module in modules for name, part in vars(module).items()
         if callable(part) and (name == "handler" or name.endswith("_handler"))
         and name not in {"lambda_handler", "plain_handler"}}
named |= {f"chalice.{function.name}": getattr(chalice, function.handler_string.split(".")[1])
          for function in chalice.app.pure_lambda_functions}
event = proxy_event("GET", "/access-token")
event["resource"] = "/access-token"
event["requestContext"] |= {"httpMethod": "GET", "resourcePath": "/access-token"}
named["chalice.app"] = chalice.app
print(json.dumps({name: refused(handler, event) for name, handler in named.items()}))
"""


def run(program: str, data_dir: Path, **settings: str) -> Any:
    """What a program prints as JSON, run with nothing else running."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT,
        env=environment(data_dir, **settings),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_an_event_goes_from_a_token_to_a_page_within_two_seconds(tmp_path: Path) -> None:
    told = run(START + POST + FIND + GET + TELL, tmp_path / "data")
    assert told["found"] == [told["got"]]
    assert told["got"]["event_id"] == told["posted"]["event_id"]
    assert (told["got"]["event_type"], told["got"]["recorded_by"]) == ("module", "anonymous")
    assert told["readiness"]["status"] == "ready"


def test_what_was_accepted_is_stored_even_when_the_process_ends_at_once(tmp_path: Path) -> None:
    posted = run(START + POST + TELL, tmp_path)["posted"]
    [found] = run(START + FIND + TELL, tmp_path)["found"]
    assert found["event_id"] == posted["event_id"]


@pytest.mark.parametrize(
    "settings", [{"jwt_secret": "hunter2"}, {"jwt_secrt": "hunter2"}, {"queue_url": "hunter2://"}, {"auth": "hunter2"}]
)
def test_settings_that_are_wrong_are_a_500_without_a_word_of_them(tmp_path: Path, settings: dict[str, str]) -> None:
    response = run(REFUSED, tmp_path, **settings)
    assert response["statusCode"] == 500
    assert "hunter2" not in str(response)
    assert "AUDIT_LOG" not in str(response)


def test_no_handler_gives_a_token_to_anyone_in_lambda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "tests")
    monkeypatch.setenv("STAGE", "tests")
    refused = run(OPEN_IN_LAMBDA, tmp_path, queue_url="sqs://sqs.eu-central-1.amazonaws.com/123456789012/events")
    assert len(refused) > 20
    assert {name for name, was_refused in refused.items() if not was_refused} == set()

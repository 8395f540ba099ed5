"""Imports of the handlers: each imports what it uses. Cost per library: docs/explanation/performance.md."""

import subprocess
import sys
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.support.cold_starts import HANDLERS, ColdStart, Deployment, cold_start

ROOT = Path(__file__).parents[2]
MODELS = {"annotated_types", "orjson", "pydantic", "pydantic_core", "typing_extensions", "typing_inspection"} | {
    "uuid_utils"
}
TOKENS = {"jwt", "cryptography", "http.client"}  # PyJWT imports what it finds, and its own HTTP client
STORE = {"sqlalchemy", "asyncio", "sqlite3"}

OWN = {"audit_log_client", "core", "functions", "local_runner"}

IMPORTED = {
    "token": MODELS | TOKENS,
    "oauth_token": MODELS | TOKENS,
    "create_event": MODELS | TOKENS,
    "create_events": MODELS | TOKENS,
    "query_events": MODELS | TOKENS,
    "get_event": MODELS | TOKENS,
    "consume_events": MODELS,
    "health": MODELS,
    "pages.docs": MODELS,
    "jwks": MODELS,
    "event_summary": MODELS | TOKENS,
    "event_feed": MODELS | TOKENS,
    "pages.viewer": MODELS,
}
CALLED = {
    "query_events": STORE,
    "get_event": STORE,
    "event_summary": STORE,
    "event_feed": STORE,
    "consume_events": STORE,
}
"""What the first call adds."""
CALLED_WITH_CLIENTS = CALLED | {
    "token": STORE,  # and the rate limits only after a wrong secret
    "oauth_token": STORE,
    "create_event": STORE,  # whether the client of the token was disabled
    "create_events": STORE,
}
HEAVY_PARTS_OF_PYTHON = {"asyncio", "difflib", "http.client", "multiprocessing", "sqlite3"}


@pytest.fixture(scope="module")
def deployments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Deployment]:
    return {auth: Deployment(tmp_path_factory.mktemp(auth), auth) for auth in ("open", "clients", "list")}


@cache
def libraries() -> frozenset[str]:
    """The top-level packages of all installed distributions but the project's, which tests may have installed."""
    return frozenset(name for name in packages_distributions() if not name.startswith("_")) - OWN


def watched(modules: frozenset[str]) -> set[str]:
    roots = {name.partition(".")[0] for name in modules}
    return {*(roots & libraries() - sys.stdlib_module_names), *(modules & HEAVY_PARTS_OF_PYTHON)}


def answered(start: ColdStart) -> bool:
    return start.answer is not None and start.answer.get("statusCode", 200) in {200, 202}


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_handler_imports_what_it_uses_and_nothing_else(handler: str, deployments: dict[str, Deployment]) -> None:
    start = deployments["open"].cold_start(handler)
    assert answered(start)
    assert watched(start.imported) == IMPORTED[handler]
    assert watched(start.loaded) == IMPORTED[handler] | CALLED.get(handler, set())


@pytest.mark.parametrize("handler", sorted(CALLED_WITH_CLIENTS.keys() - CALLED.keys()))
def test_with_clients_those_who_ask_for_them_need_the_store(handler: str, deployments: dict[str, Deployment]) -> None:
    start = deployments["clients"].cold_start(handler)
    assert answered(start)
    assert watched(start.loaded) == IMPORTED[handler] | CALLED_WITH_CLIENTS[handler]


@pytest.mark.parametrize("handler", ["create_event", "create_events"])
def test_with_a_list_of_revoked_tokens_accepting_needs_no_store(
    handler: str, deployments: dict[str, Deployment]
) -> None:
    start = deployments["list"].cold_start(handler)
    assert answered(start)
    assert watched(start.loaded) == IMPORTED[handler]


def test_importing_the_handlers_builds_nothing(tmp_path: Path) -> None:
    cold_start("functions.routes", before=["functions.consume_events"], cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_shared_secret_needs_no_cryptography(deployments: dict[str, Deployment]) -> None:
    start = deployments["open"].cold_start("create_event", without=["cryptography"])
    assert answered(start)


@pytest.mark.parametrize(
    "settings",
    [
        {"jwt_key_file": "/dev/null"},
        {
            "trusted_issuer": "https://id.example.org",
            "trusted_audience": "audit-log",
            "trusted_jwks_url": "https://id.example.org/jwks.json",
        },
    ],
    ids=["key file", "identity provider"],
)
def test_a_key_pair_without_cryptography_is_refused(settings: dict[str, str], tmp_path: Path) -> None:
    deployment = Deployment(tmp_path)
    deployment.settings |= {f"AUDIT_LOG_{name.upper()}": value for name, value in settings.items()}
    start = deployment.cold_start("create_event", without=["cryptography"])
    assert start.answer is not None
    assert start.answer["statusCode"] == 500
    assert "settings_invalid" in start.log


def test_a_function_that_queues_nothing_does_not_pay_for_the_client_of_its_queue() -> None:
    program = (
        "import sys; from core.queues.brokers import broker; from core.settings import Settings\n"
        "url = 'sqs://sqs.eu-central-1.amazonaws.com/123456789012/events'; settings = Settings(queue_url=url)\n"
        "broker(settings).publisher(url); print('core.queues.sqs.client' in sys.modules, 'botocore' in sys.modules)"
    )
    output = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True).stdout
    assert output == b"True False\n"


def test_the_service_starts_without_the_library_of_its_client() -> None:
    """Which verifies what witnesses answer, and takes a sixth of the processor time of a start."""
    start = cold_start("local_runner.server")
    assert watched(start.imported) >= {"uvicorn", "sqlalchemy"}
    assert not watched(start.imported) & {"httpx", "aiohttp"}
    assert not any(name.startswith("audit_log_client") for name in start.imported)

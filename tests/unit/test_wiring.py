import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import InvalidSettingsError
from core.settings import Settings
from core.stores.database import Database
from core.stores.engine import open_engine
from core.stores.migrations.upgrade import migrate
from core.stores.sql import SqlEventStore
from core.wiring import Services
from functions.runtime import _process_services, process_services
from tests.support.fakes import FakeQueue, FakeStore

ROOT = Path(__file__).parents[2]
ENTRY_POINT = "[audit_log.pipelines]\ntested = a_pipeline_of_the_tests:start\n"
PIPELINE = """
from core.wiring import Services

def start(settings):
    return Services(settings, checks={})
"""


@pytest.fixture
def no_process_services() -> Iterator[None]:
    """This process has no services before the test, and none of the test's afterwards."""
    _process_services.cache_clear()
    yield
    _process_services.cache_clear()


def test_a_part_is_built_once(settings: Settings) -> None:
    services = Services(settings)
    parts: list[object] = [services.reader, services.writer, services.reader]
    assert isinstance(parts[0], SqlEventStore)
    assert len(set(map(id, parts))) == 1
    assert services.issuer is services.issuer
    assert services.verifier is services.verifier


def test_a_part_that_is_given_goes_before_one_that_would_be_built(settings: Settings) -> None:
    queue, store, database = FakeQueue(), FakeStore(), Database(settings.store_url)
    services = Services(settings, publisher=queue, reader=store, checks={}, database=database)
    assert (services.publisher, services.reader, services.checks) == (queue, store, {})
    assert services.database is database
    assert isinstance(services.writer, SqlEventStore)


def test_nothing_is_built_before_it_is_needed(settings: Settings, tmp_path: Path) -> None:
    services = Services(settings)
    services.verifier.verify(services.issuer.issue("me")[0])
    assert services.reader
    assert list(tmp_path.iterdir()) == []


def test_tokens_need_a_secret_and_the_error_says_how_to_get_one() -> None:
    with pytest.raises(InvalidSettingsError, match=r"AUDIT_LOG_JWT_SECRET is not set: .*openssl rand"):
        _ = Services(Settings()).issuer


def test_the_store_is_ready_when_its_tables_are_there(settings: Settings) -> None:
    with closing(Services(settings.model_copy(update={"queue_url": "amqp://127.0.0.1:1"}))) as services:
        migrate(services.database.engine)
        assert services.checks["store"]() == {"database": "sqlite"}


def test_a_queue_that_is_not_there_is_named_by_its_scheme(settings: Settings) -> None:
    with pytest.raises(InvalidSettingsError, match="there is no queue for memory:// here"):
        _ = Services(settings).publisher


def test_a_client_library_that_is_not_installed_is_named_with_its_extra() -> None:
    program = (
        "import sys; sys.modules['boto3'] = None\n"
        "from core.queues.brokers import broker; from core.settings import Settings\n"
        "broker(Settings(queue_url='sqs://sqs.eu-central-1.amazonaws.com/123456789012/events'))"
    )
    refused = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "boto3 is not installed: pip install 'audit-log-service[aws]'" in refused.stderr


@pytest.mark.parametrize(
    ("url", "told"), [("not a url", "is not a database URL"), ("oracle://host/db", "oracle is not supported")]
)
def test_a_database_that_is_not_known_is_refused(url: str, told: str) -> None:
    with pytest.raises(InvalidSettingsError, match=told):
        open_engine(url)


@pytest.mark.usefixtures("no_process_services")
def test_the_process_gets_its_services_from_the_entry_point_of_its_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = tmp_path / "a_pipeline_of_the_tests-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: a-pipeline-of-the-tests\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINT)
    (tmp_path / "a_pipeline_of_the_tests.py").write_text(PIPELINE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("AUDIT_LOG_QUEUE_URL", "tested://")
    assert process_services().settings.queue_url == "tested://"
    assert process_services() is process_services()


@pytest.mark.usefixtures("no_process_services")
def test_a_process_without_a_pipeline_for_its_queue_gets_no_services(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIT_LOG_QUEUE_URL", "unknown://")
    for _ in range(2):
        with pytest.raises(InvalidSettingsError, match="there is no queue for unknown:// here"):
            process_services()

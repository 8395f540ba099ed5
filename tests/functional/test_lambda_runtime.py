"""The services in a Lambda process: secrets are read and read again, metrics are lines of the log."""

import logging
from typing import TYPE_CHECKING, Any

import pytest

from core.auth.sealing import SecretSeal
from core.aws.cloudwatch import accepted_between
from core.aws.database import iam_password
from core.aws.metrics import LoggedMetrics
from core.aws.secrets import read_secret, resolve_secrets
from core.domain.streams import Stream
from core.errors import (
    ClientNotFoundError,
    DeliveryDelayedError,
    InvalidFieldsError,
    InvalidSettingsError,
    MetricsUnavailableError,
    SecretUnavailableError,
)
from core.ports.queue import QueueStatistics
from core.ports.telemetry import CounterName, HistogramName
from core.settings import Settings
from core.stores.engine import open_engine
from core.stores.sql import SqlEventStore
from core.wiring import Services
from functions.lambda_runtime import SECRETS_KEY, SECRETS_SECONDS, LambdaServices
from functions.operations.clients import execute
from functions.operations.maintenance import reconcile
from tests.conftest import SECRET
from tests.support.builders import event
from tests.support.streams import make_stream

if TYPE_CHECKING:
    from collections.abc import Callable

ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:audit-log-AbCdEf"
KEY_ARN = f"{ARN}-streams"
ENVIRON = {
    "AUDIT_LOG_AUTH": "clients",
    "AUDIT_LOG_QUEUE_URL": "sqs://sqs.eu-central-1.amazonaws.com/123456789012/events",
    "AUDIT_LOG_JWT_SECRET": ARN,
    "OTHER": ARN,
}


class FakeSecrets:
    """Secrets Manager with two secrets. It can be switched off."""

    def __init__(self) -> None:
        self.text = SECRET
        self.key = SECRET[::-1]
        self.down = False
        self.reads = 0
        self.now = 0.0

    def read(self, arn: str) -> str:
        self.reads += 1
        if self.down:
            raise SecretUnavailableError("down")
        return {ARN: self.text, KEY_ARN: self.key}[arn]

    def clock(self) -> float:
        return self.now


@pytest.fixture
def secrets() -> FakeSecrets:
    return FakeSecrets()


@pytest.fixture
def services_of(secrets: FakeSecrets) -> LambdaServices:
    return LambdaServices(ENVIRON, secrets.read, secrets.clock)


def secret_of(services: Services) -> str:
    assert services.settings.jwt_secret is not None
    return services.settings.jwt_secret.get_secret_value()


def test_only_settings_are_resolved(secrets: FakeSecrets) -> None:
    assert resolve_secrets(ENVIRON, secrets.read) == {**ENVIRON, "AUDIT_LOG_JWT_SECRET": SECRET}


def test_a_secret_is_read_once_and_again_when_it_may_have_changed(
    services_of: LambdaServices, secrets: FakeSecrets
) -> None:
    first = services_of()
    assert services_of() is first
    assert secrets.reads == 1
    secrets.now += SECRETS_SECONDS
    assert services_of() is first
    assert secrets.reads == 2
    secrets.text = f"{SECRET[::-1]} {SECRET}"
    assert services_of() is first
    secrets.now += SECRETS_SECONDS
    assert secret_of(services_of()) == secrets.text


def test_what_was_read_counts_while_secrets_cannot_be_read(services_of: LambdaServices, secrets: FakeSecrets) -> None:
    first = services_of()
    secrets.down = True
    secrets.now += SECRETS_SECONDS
    assert services_of() is first


def test_without_a_secret_nothing_starts_and_the_next_request_tries_again(
    services_of: LambdaServices, secrets: FakeSecrets
) -> None:
    secrets.down = True
    with pytest.raises(SecretUnavailableError):
        services_of()
    secrets.down = False
    assert secret_of(services_of()) == SECRET


def sealed_stream(key: str) -> Stream:
    stream = make_stream()
    return stream.model_copy(update={"sealed": SecretSeal([key]).seal(stream.stream_id, {})})


def test_the_key_of_secrets_of_streams_is_read_once_one_is_needed_and_again_when_it_may_have_changed(
    secrets: FakeSecrets,
) -> None:
    services_of = LambdaServices({**ENVIRON, SECRETS_KEY: KEY_ARN}, secrets.read, secrets.clock)
    streams = services_of().streams
    assert secrets.reads == 1
    streams.open_outlet(sealed_stream(secrets.key))
    streams.open_outlet(sealed_stream(secrets.key))
    assert secrets.reads == 2
    secrets.key = SECRET
    secrets.now += SECRETS_SECONDS
    streams.open_outlet(sealed_stream(SECRET))


def test_a_key_of_secrets_of_streams_that_cannot_be_read_delays_streams_and_nothing_else(secrets: FakeSecrets) -> None:
    services_of = LambdaServices({**ENVIRON, SECRETS_KEY: KEY_ARN}, secrets.read, secrets.clock)
    services = services_of()
    secrets.down = True
    with pytest.raises(DeliveryDelayedError):
        services.streams.open_outlet(sealed_stream(secrets.key))
    assert services_of() is services
    secrets.down, secrets.key = False, "too short"
    with pytest.raises(DeliveryDelayedError, match="AUDIT_LOG_SECRETS_KEY: must have at least 32 bytes"):
        services.streams.open_outlet(sealed_stream(SECRET))


def test_a_server_that_refuses_is_told_as_unavailable_without_the_name_of_the_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
    with pytest.raises(SecretUnavailableError) as refusal:
        read_secret(ARN)
    assert ARN not in str(refusal.value)


def test_open_tokens_are_refused_in_lambda(secrets: FakeSecrets) -> None:
    with pytest.raises(InvalidSettingsError, match="AUDIT_LOG_AUTH=clients"):
        LambdaServices({**ENVIRON, "AUDIT_LOG_AUTH": ""}, secrets.read)()


@pytest.mark.parametrize("url", ["postgresql://user:word@host/db", "postgresql://host/db", "sqlite:///file.db"])
def test_only_a_user_without_a_password_gets_one_of_iam(url: str) -> None:
    assert iam_password(url) is None


def test_a_password_of_iam_is_signed_for_its_database_and_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "tests")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    password = iam_password("postgresql://audit_log@proxy.example.org/audit_log")
    assert password is not None
    assert password().startswith("proxy.example.org:5432/?Action=connect&DBUser=audit_log&X-Amz-Algorithm")


def test_each_connection_gets_a_new_password() -> None:
    asked: list[str] = []

    def password() -> str:
        asked.append("x")
        return "made"

    engine = open_engine("postgresql://user:old@127.0.0.1:9/none", password)
    given: list[object] = []
    connect: Callable[..., Any] = engine.dialect.connect

    def connecting(*arguments: object, **parameters: object) -> Any:
        given.append(parameters["password"])
        return connect(*arguments, **parameters)

    engine.dialect.connect = connecting  # type: ignore[method-assign]
    for _ in range(2):
        with pytest.raises(Exception, match="refused"):
            engine.connect()
    assert (given, len(asked)) == (["made", "made"], 2)


def test_what_is_accepted_counts_in_the_minute_of_its_reception(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    events = [event(1), event(2), event(3, received_at="2026-01-31T12:01:00Z")]
    LoggedMetrics("dev").record(events)
    first, second = (vars(record) for record in caplog.records)
    assert (first["EventsAccepted"], first["event_ids"]) == (2, [events[0].event_id, events[1].event_id])
    assert second["EventsAccepted"] == 1
    assert second["_aws"] == {
        "Timestamp": 1769860860000,
        "CloudWatchMetrics": [
            {
                "Namespace": "AuditLog",
                "Dimensions": [["Stage"]],
                "Metrics": [{"Name": "EventsAccepted", "Unit": "Count"}],
            }
        ],
    }
    assert second["Stage"] == "dev"


def test_what_is_counted_is_a_line_unless_it_is_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    metrics = LoggedMetrics("dev", lambda: 1.5)
    for what in CounterName:
        metrics.count(what, 0)
    metrics.count(CounterName.ACCEPTED, 7)
    assert not caplog.records
    metrics.count(CounterName.STORED, 7)
    (record,) = (vars(record) for record in caplog.records)
    assert (record["EventsStored"], record["_aws"]["Timestamp"]) == (7, 1500)


def test_what_is_measured_is_a_line_for_each_hundred_values(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    LoggedMetrics("dev").measure(HistogramName.STORE_SECONDS, [0.5] * 101)

    first, second = (vars(record) for record in caplog.records)
    assert (first["StoreSeconds"], second["StoreSeconds"]) == ([0.5] * 100, [0.5])
    assert first["_aws"]["CloudWatchMetrics"][0]["Metrics"] == [{"Name": "StoreSeconds", "Unit": "Seconds"}]
    caplog.clear()
    LoggedMetrics("dev").measure(HistogramName.BATCH_EVENTS, [7])
    assert vars(caplog.records[0])["_aws"]["CloudWatchMetrics"][0]["Metrics"] == [
        {"Name": "BatchEvents", "Unit": "Count"}
    ]


def test_what_nobody_can_account_for_is_a_metric(
    settings: Settings, sqlite_store: SqlEventStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    now = event(1).received_at.timestamp() + 3600
    sqlite_store.add([event(1), event(2)])
    statistics = QueueStatistics(waiting=1, dead_letters=2)
    services = Services(settings, queue_statistics=lambda: statistics, clock=lambda: now)
    asked: list[tuple[str, int, int]] = []

    def accepted(stage: str, start: int, end: int) -> int:
        asked.append((stage, start, end))
        return 8

    result = reconcile(services, "dev", accepted)
    services.close()
    assert result == {
        "accepted": 8, "stored": 2, "repeated": 0, "dead_lettered": 2, "in_flight": 1, "dropped": 0, "difference": 3,
    }  # fmt: skip
    assert [vars(record)["EventsUnaccounted"] for record in caplog.records if record.msg == "metric_emitted"] == [3]
    ((stage, start, end),) = asked
    assert (stage, end - start) == ("dev", 24 * 60)
    assert end * 60 < now - 14 * 60, "what is younger may be on its way"


def test_without_cloudwatch_nothing_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "tests")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(MetricsUnavailableError):
        accepted_between("dev", 0, 1)


@pytest.fixture
def administered(settings: Settings, sqlite_store: SqlEventStore) -> Services:
    assert sqlite_store.check()  # the tables exist
    return Services(settings)


def test_the_operator_registers_rotates_and_disables(administered: Services) -> None:
    made = execute({"act": "create", "name": "billing", "customers": [42]}, administered)
    client = administered.authenticator.authenticate(made["client_id"], made["client_secret"], now=administered.clock())
    assert client.customers == (42,)
    rotated = execute({"act": "rotate", "client_id": made["client_id"]}, administered)
    assert rotated["client_secret"] != made["client_secret"]
    assert execute({"act": "disable", "client_id": made["client_id"]}, administered) == {"client_id": made["client_id"]}
    with pytest.raises(ClientNotFoundError):
        execute({"act": "disable", "client_id": "client-none"}, administered)
    with pytest.raises(InvalidFieldsError, match="scopes events:delete: use events:write, events:read"):
        execute({"act": "create", "name": "billing", "scopes": ["events:delete"]}, administered)
    administered.close()

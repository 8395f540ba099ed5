"""The list of revoked tokens outside of the database: written with each change, read without a database."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from core.auth.client_registry import ClientRegistry, new_client
from core.aws.revocation_list import SecretRevocationList
from core.errors import InvalidTokenError, SecretUnavailableError
from core.settings import Settings
from core.stores.clients import SqlClientStore
from core.stores.database import Database
from core.stores.engine import open_engine
from core.stores.sql import SqlEventStore
from core.wiring import Services
from functions.operations.maintenance import migrate

ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:revocations-AbCdEf"
NOW = 1_700_000_000
MAX_MINUTES = 60


class FakeSecretsManager:
    """Boto3's client of Secrets Manager, with one secret. It can be switched off."""

    def __init__(self) -> None:
        self.value = '{"first_valid_iat":{}}'
        self.down = False

    def get_secret_value(self, SecretId: str) -> dict[str, Any]:  # noqa: N803 - the name of AWS
        self._require_up(SecretId, "GetSecretValue")
        return {"SecretString": self.value}

    def put_secret_value(self, SecretId: str, SecretString: str) -> dict[str, Any]:  # noqa: N803 - as above
        self._require_up(SecretId, "PutSecretValue")
        self.value = SecretString
        return {}

    def _require_up(self, arn: str, operation: str) -> None:
        assert arn == ARN
        if self.down:
            raise ClientError({"Error": {"Code": "InternalServiceError", "Message": "down"}}, operation)


class Clock:
    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def secrets() -> FakeSecretsManager:
    return FakeSecretsManager()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def listed(secrets: FakeSecretsManager, clock: Clock) -> SecretRevocationList:
    return SecretRevocationList(ARN, MAX_MINUTES, clock, lambda _arn: secrets)


@pytest.fixture
def clients(settings: Settings, sqlite_store: SqlEventStore, listed: SecretRevocationList) -> Iterator[SqlClientStore]:
    assert sqlite_store.check()  # the tables exist
    engine = open_engine(settings.store_url)
    yield SqlClientStore(engine, listed)
    engine.dispose()


@pytest.fixture
def registry(clients: SqlClientStore, clock: Clock) -> ClientRegistry:
    return ClientRegistry(clients, clock)


def added(registry: ClientRegistry) -> str:
    client, _ = new_client("billing", ["events:write"], None, NOW)
    registry.add(client)
    return client.client_id


def test_disabled_clients_and_revoked_tokens_are_listed_as_the_store_has_them(
    registry: ClientRegistry, clients: SqlClientStore, listed: SecretRevocationList
) -> None:
    disabled, rotated, _untouched = added(registry), added(registry), added(registry)
    registry.disable(disabled)
    registry.rotate(rotated, keep_previous=False)
    assert listed.revocations() == clients.revocations() == {disabled: float("inf"), rotated: NOW + 1}


def test_a_client_leaves_the_list_when_its_last_token_has_expired(
    registry: ClientRegistry, listed: SecretRevocationList, clock: Clock
) -> None:
    disabled, rotated = added(registry), added(registry)
    registry.disable(disabled)
    registry.rotate(rotated, keep_previous=False)
    clock.now += MAX_MINUTES * 60
    added(registry)
    assert set(listed.revocations()) == {disabled, rotated}
    clock.now += 60
    added(registry)
    assert listed.revocations() == {}


def test_a_change_whose_list_cannot_be_written_is_not_made(
    registry: ClientRegistry, clients: SqlClientStore, secrets: FakeSecretsManager
) -> None:
    client_id = added(registry)
    secrets.down = True
    with pytest.raises(SecretUnavailableError, match="try again later"):
        registry.disable(client_id)
    assert clients.revocations() == {}
    secrets.down = False
    registry.disable(client_id)
    assert clients.revocations() == {client_id: float("inf")}


@pytest.mark.parametrize("value", ["", "[]", "{}", '{"first_valid_iat":[]}', '{"first_valid_iat":{"client-1":"x"}}'])
def test_a_list_that_someone_has_damaged_is_an_error_and_never_an_empty_list(
    listed: SecretRevocationList, secrets: FakeSecretsManager, value: str
) -> None:
    secrets.value = value
    with pytest.raises(SecretUnavailableError, match="cannot be read as JSON"):
        listed.revocations()


def test_tokens_are_rejected_by_the_list_without_a_database(
    settings: Settings, registry: ClientRegistry, listed: SecretRevocationList, clock: Clock
) -> None:
    client_id = added(registry)
    elsewhere = settings.model_copy(update={"auth": "clients", "database_url": "postgresql://nobody@127.0.0.1:9/none"})
    services = Services(elsewhere, clock=clock, revocations=listed)
    token, _ = services.issuer.issue(client_id)
    assert services.verifier.verify(token).sub == client_id
    registry.disable(client_id)
    clock.now += 30
    with pytest.raises(InvalidTokenError, match="revoked"):
        services.verifier.verify(token)


def test_a_migration_lists_what_was_revoked_before_there_was_a_list(
    settings: Settings, registry: ClientRegistry, secrets: FakeSecretsManager, listed: SecretRevocationList
) -> None:
    client_id = added(registry)
    registry.disable(client_id)
    secrets.value = json.dumps({"first_valid_iat": {}})
    services = Services(settings, database=Database(settings.store_url, revocation_list=listed))
    migrate(services)
    services.close()
    assert listed.revocations() == {client_id: float("inf")}

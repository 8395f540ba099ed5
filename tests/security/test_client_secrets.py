"""The secrets of clients: guessed, stolen with the database, replaced, taken away."""

import base64
import hashlib
import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.auth.clients import Authenticator, create, rotate
from core.domain.audit_events import audit_event
from core.errors import InvalidClientError
from core.ports.telemetry import CounterName
from core.settings import Settings
from core.stores.clients import SqlClientStore
from core.stores.engine import open_engine
from core.stores.migrations.upgrade import migrate
from functions import token
from local_runner.cli.main import app
from tests.conftest import SECRET
from tests.security.shop import NOW, Shop

SCOPES = ["events:read", "events:write"]


@pytest.fixture
def shop(settings: Settings) -> Shop:
    return Shop(settings)


def refused_with(shop: Shop, client_id: str, secret: str) -> tuple[int, str, str]:
    answer = shop.login(client_id, secret)
    return answer["statusCode"], answer["body"], json.dumps(answer["headers"])


def test_the_right_secret_gets_a_token_as_a_control_of_all_below(shop: Shop) -> None:
    assert shop.login(shop.client.client_id, shop.secret)["statusCode"] == 200


def test_tokens_that_are_issued_denied_and_refused_are_counted(shop: Shop) -> None:
    token_text = shop.login(shop.client.client_id, shop.secret)["token"]
    shop.login(shop.client.client_id, "als_wrong")
    shop.login(shop.disabled.client_id, shop.disabled_secret)
    assert shop.read(token_text) == 200
    assert shop.read(token_text + "x") == 401
    assert shop.meter.counts == {CounterName.TOKEN_ISSUED: 1, CounterName.TOKEN_DENIED: 2, CounterName.TOKEN_REFUSED: 1}


def test_unknown_disabled_and_wrong_are_told_apart_by_nothing(shop: Shop) -> None:
    """No client id can be found out: status, body and headers are the same, and so are the steps."""
    answers, calls = set(), set()
    for client_id, secret in [
        (shop.client.client_id, "als_wrong"),
        (shop.client.client_id, ""),
        (shop.client.client_id, shop.client.secret_digest),
        (shop.client.client_id, shop.secret[:-1]),
        (shop.client.client_id, shop.secret + "x"),
        (shop.client.client_id, shop.secret.upper()),
        (shop.client.client_id.upper(), shop.secret),
        (shop.disabled.client_id, shop.disabled_secret),
        (shop.disabled.client_id, "als_wrong"),
        ("client-0123456789abcdef", "als_wrong"),
        ("", ""),
        ("' OR 1=1 --", "x"),
        ("x" * 10_000, "x" * 10_000),
    ]:
        shop.clients.calls.clear()
        answers.add(refused_with(shop, client_id, secret))
        calls.add(tuple(shop.clients.calls))
    assert len(answers) == 1
    assert answers.pop()[0] == 401
    assert calls == {("client",)}


@pytest.mark.parametrize(
    "value",
    [
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic YQ",
        "Basic /////w==",
        "Basic Og==",
        "Basic OjpA",
        "Bearer x",
        "basic",
        "é",
    ],
)
def test_a_header_that_is_no_basic_authentication(shop: Shop, value: str) -> None:
    assert shop.answer(token.issue_token, headers={"Authorization": value})["statusCode"] == 401


def test_a_digest_of_all_zeros_does_not_open_a_client_without_a_second_secret(shop: Shop) -> None:
    authenticator = Authenticator(shop.clients)
    for secret in ("0" * 64, "", "\x00" * 32, "None"):
        with pytest.raises(InvalidClientError):
            authenticator.authenticate(shop.client.client_id, secret, now=NOW.timestamp())


def test_two_secrets_count_while_they_are_replaced_and_a_third_ends_the_first(shop: Shop) -> None:
    client_id, secrets = shop.client.client_id, [shop.secret]
    for _ in range(2):
        client, secret = rotate(shop.clients.by_id[client_id], keep_previous=True, at=NOW)
        shop.clients.by_id[client_id] = client
        secrets.append(secret)
        counting = [shop.login(client_id, old)["statusCode"] for old in secrets[-3:]]
    assert counting == [401, 200, 200]
    assert len(set(secrets)) == 3


def test_a_leaked_secret_is_dropped_at_once(shop: Shop) -> None:
    client, leaked = rotate(shop.client, keep_previous=True, at=NOW)
    client, secret = rotate(client, keep_previous=False, at=NOW)
    shop.change(client)
    for old in (leaked, shop.secret):
        assert shop.login(client.client_id, old)["statusCode"] == 401
    assert shop.login(client.client_id, secret)["statusCode"] == 200


def test_rotation_does_not_bring_a_disabled_client_back(shop: Shop) -> None:
    client, secret = rotate(shop.clients.by_id[shop.disabled.client_id], keep_previous=False, at=NOW)
    shop.clients.by_id[client.client_id] = client
    assert shop.login(client.client_id, secret)["statusCode"] == 401


def test_secrets_have_256_bits_and_a_mark_that_scanners_find() -> None:
    secrets = {create("x", SCOPES, None, at=NOW)[1] for _ in range(100)}
    assert len(secrets) == 100
    for secret in secrets:
        assert len(base64.urlsafe_b64decode(secret.removeprefix("als_") + "=")) == 32
        assert secret.startswith("als_")


def test_a_secret_is_in_no_repr_and_no_digest_is_either(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shop.login(shop.client.client_id, shop.secret)
    shop.login(shop.client.client_id, shop.secret + "x")
    seen = repr(shop.client) + str(shop.client) + caplog.text
    assert shop.secret not in seen
    assert shop.client.secret_digest not in seen


@pytest.fixture
def sql_clients(settings: Settings) -> Iterator[SqlClientStore]:
    engine = open_engine(settings.store_url)
    migrate(engine)
    yield SqlClientStore(engine)
    engine.dispose()


def test_whoever_steals_the_database_has_no_secret(tmp_path: Path) -> None:
    """The commands that an operator types, and every byte that they leave in the data directory."""
    environ = {"AUDIT_LOG_DATA_DIR": str(tmp_path), "AUDIT_LOG_JWT_SECRET": SECRET}

    def run(*words: str) -> dict[str, str]:
        result = CliRunner().invoke(app, ["client", *words], env=environ, catch_exceptions=False)
        assert result.exit_code == 0
        lines = (line.split(":", 1) for line in result.stdout.splitlines() if ":" in line)
        return {name: value.strip() for name, value in lines}

    CliRunner().invoke(app, ["migrate"], env=environ, catch_exceptions=False)
    printed = [run("create", "--name", "billing")]
    client_id = printed[0]["client_id"]
    printed += [run("rotate", client_id), run("rotate", client_id, "--now")]
    run("disable", client_id)
    stolen = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert client_id.encode() in stolen
    for entry in printed:
        assert entry["client_secret"].encode() not in stolen
        assert entry["client_secret"].removeprefix("als_").encode() not in stolen
    assert hashlib.sha256(printed[-1]["client_secret"].encode()).hexdigest().encode() in stolen


def test_last_use_is_noted_for_a_right_secret_only(sql_clients: SqlClientStore) -> None:
    client, secret = create("billing", SCOPES, None, at=NOW)
    sql_clients.save_client(client, audit_event("client.created", client.client_id, at=NOW))
    authenticator = Authenticator(sql_clients)

    def last_used() -> datetime | None:
        found = sql_clients.client(client.client_id)
        return found.last_used_at if found else None

    with pytest.raises(InvalidClientError):
        authenticator.authenticate(client.client_id, "wrong", now=NOW.timestamp())
    assert last_used() is None
    for seconds, noted in [(0, 0), (30, 0), (61, 61)]:  # not each time: that would be a write per token
        authenticator.authenticate(client.client_id, secret, now=(NOW + timedelta(seconds=seconds)).timestamp())
        assert last_used() == NOW + timedelta(seconds=noted)

"""Limits on failed logins and on requests, counted in this process or in Redis."""

import logging
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from werkzeug.test import Client, TestResponse

from core.auth import clients
from core.auth.rate_limits import RateLimiter
from core.errors import InvalidSettingsError, RateLimitedError
from core.settings import Settings
from core.wiring import Services
from local_runner.bootstrap import prepare
from local_runner.http.application import Application
from local_runner.http.wsgi import WSGIApplication
from tests.conftest import SECRET
from tests.support.builders import basic, new_event
from tests.support.fakes import FakeClients, FakeQueue, FakeStore
from tests.support.skipping import skip_or_fail
from tests.support.waiting import SECONDS

REDIS = "redis://127.0.0.1:6379/15"
HOME, AWAY = "192.0.2.7", "198.51.100.7"


class Door:
    """The application in front of two clients, `good` and `other`."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        now = datetime.now(UTC)
        (self.good, self.secret), (self.other, self.other_secret) = (
            clients.create(name, ["events:read", "events:write"], None, at=now) for name in ("good", "other")
        )
        environ = {"DATA_DIR": str(data_dir), "JWT_SECRET": SECRET, "AUTH": "clients"}
        environ |= {name.upper(): value for name, value in settings.items()}
        self.queue, store = FakeQueue(), FakeStore()
        self.services = Services(
            Settings.from_environ({f"AUDIT_LOG_{name}": value for name, value in environ.items()}),
            publisher=self.queue, reader=store, writer=store, clients=FakeClients(self.good, self.other), checks={},
        )  # fmt: skip
        self._client = Client(WSGIApplication(Application(self.services)))

    def log_in(self, client_id: str, secret: str, address: str = HOME) -> TestResponse:
        return self._client.get(
            "/access-token", headers=basic(client_id, secret), environ_overrides={"REMOTE_ADDR": address}
        )

    def fail(self, times: int, client_id: str | None = None, address: str = HOME) -> list[int]:
        """The statuses of logins with a wrong secret."""
        return [self.log_in(client_id or self.good.client_id, "wrong", address).status_code for _ in range(times)]

    def post(self, client_id: str) -> TestResponse:
        token, _ = self.services.issuer.issue(client_id)
        return self._client.post("/event", json=new_event(), headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def door(tmp_path: Path) -> Callable[..., Door]:
    return lambda **settings: Door(tmp_path, **settings)


def assert_limited(answer: TestResponse, within: int = 60) -> None:
    assert answer.status_code == 429
    assert answer.content_type == "application/problem+json"
    assert 1 <= int(answer.headers["Retry-After"]) <= within
    assert answer.headers["Retry-After"] in answer.text


def test_guesses_are_limited_after_ten_failures_and_the_right_secret_gets_in(
    door: Callable[..., Door],
) -> None:
    at = door()
    assert at.fail(10) == [401] * 10
    assert_limited(at.log_in(at.good.client_id, "wrong"))
    assert at.log_in(at.good.client_id, at.secret).status_code == 200
    assert_limited(at.log_in(at.good.client_id, "wrong"))


def test_nobody_locks_a_client_out_from_elsewhere(door: Callable[..., Door]) -> None:
    at = door()
    at.fail(11, address=AWAY)
    assert at.log_in(at.good.client_id, at.secret, HOME).status_code == 200


def test_another_client_behind_the_same_address_goes_on(door: Callable[..., Door]) -> None:
    at = door()
    at.fail(11)
    assert at.log_in(at.other.client_id, at.other_secret).status_code == 200


def test_an_address_that_tries_many_client_ids_is_limited_at_ten_times_as_many(door: Callable[..., Door]) -> None:
    at = door(rate_limit_failed_logins="3/minute")
    assert [at.fail(1, f"client-{number}")[0] for number in range(30)] == [401] * 30
    assert_limited(at.log_in("client-31", "wrong"))
    assert at.log_in(at.good.client_id, at.secret).status_code == 200  # the address may be that of a proxy
    assert at.log_in(at.good.client_id, at.secret, AWAY).status_code == 200


def test_impossible_client_ids_count_as_one(door: Callable[..., Door]) -> None:
    at = door(rate_limit_failed_logins="3/minute")
    assert [at.fail(1, f"{number} \N{SNOWMAN}")[0] for number in range(4)] == [401, 401, 401, 429]


def test_a_successful_login_is_not_counted_and_forgives_nothing(door: Callable[..., Door]) -> None:
    at = door()
    assert [at.log_in(at.good.client_id, at.secret).status_code for _ in range(30)] == [200] * 30
    at.fail(9)
    assert at.log_in(at.good.client_id, at.secret).status_code == 200
    assert at.fail(2) == [401, 429]


def test_a_login_by_oauth_counts_for_the_same_limit(door: Callable[..., Door]) -> None:
    at = door(rate_limit_failed_logins="3/minute")
    form = {"grant_type": "client_credentials", "client_id": at.good.client_id, "client_secret": "wrong"}
    client = Client(WSGIApplication(Application(at.services)))
    answers = [client.post("/oauth2/token", data=form, environ_overrides={"REMOTE_ADDR": HOME}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert at.fail(1) == [429]


def test_the_last_failure_that_is_allowed_is_put_on_record_once(door: Callable[..., Door]) -> None:
    at = door()
    at.fail(9)
    assert at.queue.events == []
    at.fail(5)
    (event,) = at.queue.events
    assert (event.event_type, event.customer_id) == ("audit-log.login.failing", -1)
    assert event.event_data == {"subject": at.good.client_id, "address": HOME}


def test_a_full_queue_does_not_turn_a_refused_login_into_an_error(door: Callable[..., Door]) -> None:
    at = door()
    at.queue.capacity = 0
    assert at.fail(11) == [401] * 10 + [429]


def test_the_window_ends_when_the_answer_said_so(door: Callable[..., Door]) -> None:
    at = door(rate_limit_failed_logins="2/second")
    at.fail(2)
    limited = at.log_in(at.good.client_id, "wrong")
    assert_limited(limited, within=2)
    time.sleep(int(limited.headers["Retry-After"]) + 0.1)
    assert at.fail(1) == [401]


def test_requests_are_not_limited_by_default(door: Callable[..., Door]) -> None:
    at = door()
    assert {at.post(at.good.client_id).status_code for _ in range(100)} == {202}


def test_a_client_with_too_many_requests_is_told_to_wait_and_the_others_go_on(door: Callable[..., Door]) -> None:
    at = door(rate_limit_requests="5/minute")
    assert [at.post(at.good.client_id).status_code for _ in range(5)] == [202] * 5
    assert_limited(at.post(at.good.client_id))
    assert len(at.queue.events) == 5
    assert at.post(at.other.client_id).status_code == 202


# Redis


@pytest.fixture
def address() -> Iterator[str]:
    """An address of this test alone; its counters in Redis are removed afterwards."""
    try:
        with socket.create_connection(("127.0.0.1", urlsplit(REDIS).port or 0), SECONDS):
            pass
    except OSError:
        skip_or_fail("needs Redis: docker run --publish 127.0.0.1:6379:6379 redis, or apt-get install redis-server")
    redis = pytest.importorskip("redis").Redis.from_url(REDIS)
    address = f"test-{secrets.token_hex(8)}"
    yield address
    for key in redis.scan_iter(f"*{address}*"):
        redis.delete(key)
    redis.close()


def limiter(storage: str) -> RateLimiter:
    rates = {"rate_limit_failed_logins": "3/minute", "rate_limit_requests": "2/minute"}
    return RateLimiter(Settings.model_validate({"rate_limit_storage": storage, **rates}))


def test_two_hosts_share_the_counts_in_redis(address: str) -> None:
    one, other = limiter(REDIS), limiter(REDIS)
    assert [host.count_failed_login("client", address) for host in (one, other, one)] == [False, False, True]
    for host in (one, other):
        with pytest.raises(RateLimitedError) as limited:
            host.refuse_login_after_failures("client", address)
        assert 1 <= limited.value.retry_after <= 60
    one.count_request(address)
    other.count_request(address)
    with pytest.raises(RateLimitedError):
        one.count_request(address)
    limiter("memory://").refuse_login_after_failures("client", address)  # which another storage knows nothing of


@pytest.fixture
def silent() -> Iterator[str]:
    """A Redis that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("storage", ["refused", "silent"])
def test_while_redis_is_down_the_service_goes_on_without_limits_and_says_so_now_and_then(
    door: Callable[..., Door], silent: str, caplog: pytest.LogCaptureFixture, storage: str
) -> None:
    url = silent if storage == "silent" else "redis://:hunter2@127.0.0.1:1"
    at = door(rate_limit_storage=url, rate_limit_requests="5/minute")
    with caplog.at_level(logging.ERROR):
        assert {at.post(at.good.client_id).status_code for _ in range(20)} == {202}
        assert at.fail(12) == [401] * 12
        assert at.log_in(at.good.client_id, at.secret).status_code == 200
    assert {record.message for record in caplog.records} == {"rate_limit_storage_unavailable"}
    assert len(caplog.records) < 5  # every five seconds, and not at each of 92 uses
    assert "hunter2" not in str(caplog.records[0].__dict__)


def test_a_start_says_that_redis_is_away(
    door: Callable[..., Door], silent: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        door(rate_limit_storage=silent).services.require_usable()
    assert [record.message for record in caplog.records] == ["rate_limit_storage_unavailable"]


@pytest.mark.parametrize(
    "storage",
    [
        "rdis://localhost",
        "async+memory://",
        "memcached://localhost:11211",
        "redis://localhost:port",
        "http://localhost",
    ],
)
def test_a_storage_that_cannot_be_is_refused_at_start(tmp_path: Path, storage: str) -> None:
    settings = Settings.from_environ(
        {"AUDIT_LOG_DATA_DIR": str(tmp_path), "AUDIT_LOG_RATE_LIMIT_STORAGE": f"{storage}/hunter2"}
    )
    with pytest.raises(InvalidSettingsError, match="AUDIT_LOG_RATE_LIMIT_STORAGE: use memory://") as refused:
        Services(prepare(settings), publisher=FakeQueue()).require_usable()
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("rate", ["10", "0/minute", "ten/minute", "10/fortnight", "10/minute;100/hour", "-1/minute"])
def test_a_rate_that_is_none_is_refused_at_start(rate: str) -> None:
    with pytest.raises(InvalidSettingsError, match="must be a rate"):
        Settings.from_environ({"AUDIT_LOG_RATE_LIMIT_REQUESTS": rate})

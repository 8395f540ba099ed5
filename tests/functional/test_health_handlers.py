import pytest

from core import __version__
from core.errors import StoreUnavailableError
from core.settings import Settings
from core.stores.sql import SqlEventStore
from core.wiring import Services
from functions.health import health, ready
from tests.support.fakes import Answer, FakeGateway, FakeStore


def depth() -> dict[str, object]:
    return {"waiting": 3}


def failing() -> dict[str, object]:
    raise StoreUnavailableError("The event store is away.")


def ask_ready(services: Services) -> Answer:
    return FakeGateway(services).call(ready, path="/ready", token=None)


def test_a_process_that_answers_is_healthy_whatever_it_depends_on(settings: Settings) -> None:
    answer = FakeGateway(Services(settings, checks={"store": failing})).call(health, path="/health", token=None)
    assert (answer.status, answer.json) == (200, {"status": "ok", "version": __version__})


def test_a_service_is_ready_when_every_part_is(settings: Settings) -> None:
    answer = ask_ready(Services(settings, checks={"queue": depth, "store": dict}))
    assert answer.status == 200
    assert answer.json == {
        "status": "ready",
        "checks": {"queue": {"status": "ok", "waiting": 3}, "store": {"status": "ok"}},
    }


def test_without_its_queue_the_service_is_unavailable(settings: Settings) -> None:
    answer = ask_ready(Services(settings, checks={"queue": failing, "store": dict}))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
    assert answer.json == {
        "status": "unavailable",
        "checks": {"queue": {"status": "failing", "reason": "The event store is away."}, "store": {"status": "ok"}},
    }


def test_a_part_behind_the_queue_that_fails_is_named_and_events_are_still_welcome(settings: Settings) -> None:
    answer = ask_ready(Services(settings, checks={"queue": depth, "store": failing}))
    assert answer.status == 200
    assert answer.json == {
        "status": "degraded",
        "checks": {
            "queue": {"status": "ok", "waiting": 3},
            "store": {"status": "failing", "reason": "The event store is away."},
        },
    }


def test_a_check_that_breaks_is_an_error_of_our_own(settings: Settings) -> None:
    def broken() -> dict[str, object]:
        raise ZeroDivisionError("secret")

    answer = ask_ready(Services(settings, checks={"store": broken}))
    assert answer.status == 500
    assert b"secret" not in answer.body


def test_a_real_store_is_checked_by_reading_its_table(settings: Settings, sqlite_store: SqlEventStore) -> None:
    answer = ask_ready(Services(settings, checks={"store": sqlite_store.check}))
    assert answer.json["checks"] == {"store": {"status": "ok", "database": "sqlite"}}


@pytest.mark.parametrize("operation", [health, ready])
def test_a_probe_may_ask_with_head(settings: Settings, store: FakeStore, operation: object) -> None:
    gateway = FakeGateway(Services(settings, reader=store, writer=store, checks={}))
    answer = gateway.call(operation, "HEAD", token=None)  # type: ignore[arg-type]  # either of the two
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 0

"""A client that was shut out: how long what it has still counts, and what an outage of the store does to that.

But for the tests at the end, the process does not poll: it asks within requests, as in Lambda.
"""

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from core.auth.clients import STATUS_LIMIT_SECONDS, STATUS_SECONDS, disable, rotate
from core.auth.last_answer import PATIENCE_SECONDS
from core.auth.tokens import WRITE
from core.settings import Settings
from functions import query_events
from tests.security.shop import NOW, Shop

HALF_A_MINUTE = 30
PROMPT_SECONDS = 60.0
"""Bound that leaves room for pauses of the machine: what hangs does so without end, or each of 100 requests for 2 s."""


@pytest.fixture
def shop(settings: Settings) -> Shop:
    return Shop(settings)


@pytest.fixture
def polling(settings: Settings) -> Iterator[Shop]:
    """A shop whose process polls, as a server does."""
    shop = Shop(settings)
    shop.services.poll()
    yield shop
    shop.services.close()


def test_a_disabled_client_gets_no_token_at_once_and_its_old_one_ends_within_half_a_minute(shop: Shop) -> None:
    token = shop.token()
    assert (shop.read(token), shop.write(token)) == (200, 202)
    shop.change(disable(shop.client, at=NOW))
    assert shop.login()["statusCode"] == 401
    shop.clock.now += HALF_A_MINUTE
    assert (shop.read(token), shop.write(token)) == (401, 401)
    assert len(shop.queue.events) == 1


def test_a_token_of_a_disabled_client_that_was_never_seen_before_does_not_count_at_all(shop: Shop) -> None:
    token = shop.token()
    shop.change(disable(shop.client, at=NOW))
    assert shop.read(token) == 401


@pytest.mark.parametrize("keep_previous", [True, False])
def test_a_rotation_that_revokes_the_old_secret_ends_its_tokens(shop: Shop, *, keep_previous: bool) -> None:
    """Within half a minute; a new token is good at once, in the same second and on a host whose clock is behind."""
    old = shop.login()["token"]
    assert shop.write(old) == 202
    rotated, secret = rotate(shop.client, keep_previous=keep_previous, at=NOW + timedelta(seconds=10.9))
    shop.change(rotated)
    for seconds in (10.95, 9):
        shop.clock.now = NOW.timestamp() + seconds
        new = shop.login(secret=secret)["token"]
        shop.clock.now = NOW.timestamp() + 10 + HALF_A_MINUTE
        assert (shop.write(old), shop.write(new)) == (202 if keep_previous else 401, 202)


def test_a_disabled_client_cannot_keep_its_token_alive_by_using_it(shop: Shop) -> None:
    token = shop.token()
    shop.change(disable(shop.client, at=NOW))
    for _ in range(10):
        shop.clock.now += HALF_A_MINUTE / 10
        shop.read(token)
    assert shop.read(token) == 401


def test_while_the_store_is_down_events_are_taken_in(shop: Shop) -> None:
    token = shop.token()
    shop.clients.down = True
    for _ in range(3):
        shop.clock.now += HALF_A_MINUTE
        assert shop.write(token) == 202


def test_while_the_store_is_down_a_client_known_as_disabled_stays_out(shop: Shop) -> None:
    token = shop.token()
    shop.change(disable(shop.client, at=NOW))
    assert shop.read(token) == 401
    shop.clients.down = True
    for _ in range(3):
        shop.clock.now += HALF_A_MINUTE
        assert (shop.read(token), shop.write(token)) == (401, 401)


def test_a_client_disabled_during_an_outage_is_out_after_it(shop: Shop) -> None:
    token = shop.token()
    assert shop.read(token) == 200
    shop.clients.down = True
    shop.change(disable(shop.client, at=NOW))
    shop.clock.now += HALF_A_MINUTE
    assert shop.read(token) == 200
    shop.clients.down = False
    shop.clock.now += HALF_A_MINUTE
    assert shop.read(token) == 401


def test_while_the_store_is_down_nobody_gets_a_token(shop: Shop) -> None:
    """A 503: neither a token for the asking, nor a 401 that would count as a failure."""
    shop.clients.down = True
    for _ in range(20):
        assert shop.login()["statusCode"] == 503
    shop.clients.down = False
    assert shop.login()["statusCode"] == 200


def test_a_client_narrowed_to_less_gets_less_from_its_next_token_on(shop: Shop) -> None:
    token = shop.token()
    shop.change(shop.client.model_copy(update={"scopes": (WRITE,), "customers": (7,)}))
    answer = shop.login()
    assert answer["scope"] == WRITE
    assert (shop.read(token), shop.write(token, customer_id=42)) == (
        200,
        202,
    )  # until it ends
    token = answer["token"]
    assert (shop.read(token), shop.write(token, customer_id=42), shop.write(token, customer_id=7)) == (403, 403, 202)


def test_a_hundred_requests_ask_the_store_once(shop: Shop) -> None:
    """Otherwise any holder of a token could load the database by sending it."""
    token = shop.token()
    shop.clients.calls.clear()
    for _ in range(100):
        shop.write(token)
    assert shop.clients.calls == ["revocations"]


def test_a_store_that_hangs_holds_up_one_request_for_a_moment_and_then_none(shop: Shop) -> None:
    token = shop.token()
    assert shop.write(token) == 202
    shop.clock.now += STATUS_SECONDS
    with shop.clients.hanging():
        started = time.monotonic()
        assert shop.write(token) == 202
        assert time.monotonic() - started < PATIENCE_SECONDS + PROMPT_SECONDS
        started = time.monotonic()
        assert [shop.write(token) for _ in range(100)] == [202] * 100
        assert time.monotonic() - started < PROMPT_SECONDS


def test_after_twelve_hours_without_an_answer_no_token_counts_until_there_is_one(shop: Shop) -> None:
    token = shop.token(valid_minutes=1800)
    assert shop.write(token) == 202
    shop.clients.down = True
    shop.clock.now += STATUS_LIMIT_SECONDS
    assert shop.write(token) == 202
    shop.clock.now += 1
    answer = shop.answer(query_events.query_events, token=token)
    assert (answer["statusCode"], answer["headers"]["Retry-After"]) == (503, "2")
    assert "revoked tokens have been unknown for more than 12 h" in answer["body"]
    assert shop.write(token) == 503
    shop.clients.down = False
    shop.clock.now += STATUS_SECONDS
    assert shop.write(token) == 202


def test_a_process_that_polls_knows_before_its_first_request_who_is_disabled(polling: Shop) -> None:
    gone, _ = polling.services.issuer.issue(polling.disabled.client_id)
    with polling.clients.hanging():
        assert polling.write(gone) == 401
        assert polling.write(polling.token()) == 202


def test_in_a_process_that_polls_no_request_asks_the_store(polling: Shop) -> None:
    asked = len(polling.clients.calls)
    with polling.clients.hanging():
        started = time.monotonic()
        for number in range(100):
            polling.clock.now += HALF_A_MINUTE
            token, _ = polling.services.issuer.issue(f"never-seen-before-{number}")
            assert polling.write(token) == 202
        assert time.monotonic() - started < PROMPT_SECONDS
    assert len(polling.clients.calls) - asked <= 1  # by the thread

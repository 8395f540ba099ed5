"""A client that was shut out: how long what it has still counts, and what an outage of the store does to that."""

import pytest

from core.clients import disable
from core.settings import Settings
from core.tokens import REMEMBERED_SECONDS, WRITE
from tests.security.shop import NOW, Shop


@pytest.fixture
def shop(settings: Settings) -> Shop:
    return Shop(settings)


def test_a_disabled_client_gets_no_token_at_once_and_its_old_one_ends_within_half_a_minute(shop: Shop) -> None:
    token = shop.token()
    assert (shop.read(token), shop.write(token)) == (200, 202)
    shop.change(disable(shop.client, at=NOW))
    assert shop.login()["statusCode"] == 401
    shop.clock.now += REMEMBERED_SECONDS
    assert (shop.read(token), shop.write(token)) == (401, 401)
    assert len(shop.queue.events) == 1


def test_a_token_of_a_disabled_client_that_was_never_seen_before_does_not_count_at_all(shop: Shop) -> None:
    token = shop.token()
    shop.change(disable(shop.client, at=NOW))
    assert shop.read(token) == 401


def test_a_disabled_client_cannot_keep_its_token_alive_by_using_it(shop: Shop) -> None:
    token = shop.token()
    shop.change(disable(shop.client, at=NOW))
    for _ in range(10):
        shop.clock.now += REMEMBERED_SECONDS / 10
        shop.read(token)
    assert shop.read(token) == 401


def test_while_the_store_is_down_events_are_taken_in(shop: Shop) -> None:
    token = shop.token()
    shop.clients.down = True
    for _ in range(3):
        shop.clock.now += REMEMBERED_SECONDS
        assert shop.write(token) == 202


def test_while_the_store_is_down_a_client_known_as_disabled_stays_out(shop: Shop) -> None:
    token = shop.token()
    shop.change(disable(shop.client, at=NOW))
    assert shop.read(token) == 401
    shop.clients.down = True
    for _ in range(3):
        shop.clock.now += REMEMBERED_SECONDS
        assert (shop.read(token), shop.write(token)) == (401, 401)


def test_a_client_disabled_during_an_outage_is_out_after_it(shop: Shop) -> None:
    token = shop.token()
    assert shop.read(token) == 200
    shop.clients.down = True
    shop.change(disable(shop.client, at=NOW))
    shop.clock.now += REMEMBERED_SECONDS
    assert shop.read(token) == 200
    shop.clients.down = False
    shop.clock.now += REMEMBERED_SECONDS
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


def test_a_hundred_requests_ask_the_store_about_the_client_once(shop: Shop) -> None:
    """Else whoever has a token could load the database by showing it."""
    token = shop.token()
    shop.clients.calls.clear()
    for _ in range(100):
        shop.write(token)
    assert shop.clients.calls == ["client"]

"""All destinations keep one contract: what arrives, what an answer means, and that no secret leaves them."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from core.errors import (
    DeliveryDelayedError,
    DeliveryError,
    DeliveryRefusedError,
    DestinationGoneError,
    MisconfiguredError,
)
from core.streams.destinations import http, otlp, s3, splunk
from core.streams.egress import Egress
from tests.support.builders import event
from tests.support.odd_events import odd_events
from tests.support.sites import HTTP_SITES, SITES, HttpSite, S3Site, Site, batch, http_date, site

MEANINGS = {
    DeliveryDelayedError: (408, 425, 429, 500, 502, 503, 504, 507, 599),
    DestinationGoneError: (410,),
    MisconfiguredError: (301, 302, 303, 304, 307, 308, 401, 402, 403, 404, 405, 407, 421),
    DeliveryRefusedError: (400, 406, 409, 411, 413, 414, 415, 418, 422, 431, 451),
}
CANARY = b"canary-of-the-other-side"


@pytest.fixture(params=SITES)
def any_site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    with site(request.param, tmp_path) as opened:
        yield opened
        opened.destination.close()


@pytest.fixture(params=[name for name in SITES if name != "directory"])
def answering_site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    with site(request.param, tmp_path) as opened:
        yield opened


@pytest.fixture(params=HTTP_SITES)
def http_site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HttpSite]:
    with site(request.param, tmp_path) as opened:
        assert isinstance(opened, HttpSite)
        yield opened


def test_events_arrive_whole_and_in_order(any_site: Site) -> None:
    events = list(odd_events(60))
    any_site.destination.send(batch(events[:50]))
    assert [arrival.event_ids for arrival in any_site.arrivals()] == [[each.event_id for each in events[:50]]]
    any_site.destination.send(batch(events[50:]))
    assert sum(len(arrival.event_ids) for arrival in any_site.arrivals()) == 60


def test_a_batch_that_is_sent_again_has_the_same_name(any_site: Site) -> None:
    events = [event(number) for number in range(3)]
    any_site.destination.send(batch(events))
    any_site.destination.send(batch(events))
    assert len({arrival.name for arrival in any_site.arrivals()}) == 1
    any_site.destination.send(batch(events[:2]))
    any_site.destination.send(batch(events[1:]))
    assert len({arrival.name for arrival in any_site.arrivals()}) == 3


def test_a_request_that_is_sent_again_has_the_same_bytes(http_site: HttpSite) -> None:
    for _ in range(2):
        http_site.destination.send(batch([event(1), event(2)]))
    first, second = http_site.receiver.requests
    assert first.body == second.body


@pytest.mark.parametrize(("meaning", "status"), [(error, each) for error, all_ in MEANINGS.items() for each in all_])
@pytest.mark.parametrize("name", ["webhook", "splunk", "otlp"])
def test_a_status_has_one_meaning(name: str, meaning: type[DeliveryError], status: int, tmp_path: Path) -> None:
    with site(name, tmp_path) as opened:
        opened.answer(status, [("Location", "http://127.0.0.1:9/")], CANARY if status != 304 else b"")
        with pytest.raises(DeliveryError) as failed:
            opened.destination.send(batch([event(1)]))
    assert type(failed.value) is meaning
    assert failed.value.status == status
    assert "canary" not in str(failed.value)


def test_the_pause_that_a_destination_asks_for_is_kept(http_site: HttpSite) -> None:
    in_a_minute = http_date(datetime.now(UTC) + timedelta(seconds=60))
    for value, low, high in (("7", 7, 7), (in_a_minute, 50, 60), ("soon", None, None)):
        http_site.answer(503, [("Retry-After", value)])
        with pytest.raises(DeliveryDelayedError) as delayed:
            http_site.destination.send(batch([event(1)]))
        pause = delayed.value.retry_after
        assert pause is None if low is None or high is None else low <= (pause or 0) <= high


@pytest.mark.parametrize(
    ("status", "meaning"), [(403, MisconfiguredError), (500, DeliveryDelayedError), (503, DeliveryDelayedError)]
)
def test_a_fault_loses_nothing_and_repeats_nothing_else(
    answering_site: Site, status: int, meaning: type[DeliveryError]
) -> None:
    answering_site.answer(status)
    with pytest.raises(meaning):
        answering_site.destination.send(batch([event(1)]))
    assert answering_site.arrivals() == []
    answering_site.recover()
    answering_site.destination.send(batch([event(1)]))
    assert [arrival.event_ids for arrival in answering_site.arrivals()] == [[event(1).event_id]]


def test_no_secret_is_in_an_error_a_log_record_or_a_representation(
    any_site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shown = [repr(any_site.destination), str(any_site.destination)]
    for status in (200, 301, 400, 403, 410, 503):
        try:
            any_site.answer(status, body=CANARY)
        except NotImplementedError:
            break
        try:
            shown.append(repr(any_site.destination.send(batch([event(1)]))))
        except DeliveryError as failed:
            shown += [repr(failed), str(failed), repr(failed.__cause__)]
    text = "\n".join([*shown, caplog.text])
    assert "canary" not in text
    assert not any(secret in text for secret in any_site.secrets)


@pytest.mark.parametrize("name", ["s3", "directory"])
def test_a_test_batch_leaves_stored_events_alone(name: str, tmp_path: Path) -> None:
    with site(name, tmp_path) as opened:
        opened.destination.send(batch([event(1)]))
        before = opened.arrivals()
        opened.destination.send(batch([event(2)], is_test=True))
        assert [each for each in opened.arrivals() if "/test/" not in each.name] == before


def test_secrets_are_hidden_in_settings_and_in_their_errors() -> None:
    canary = "canary secret"
    for model, values in (
        (http.Secrets, {"headers": {"X-Key": f" {canary}\n"}}),
        (http.Secrets, {"headers": {f"X {canary}": "a"}}),
        (http.Secrets, {"signing_secrets": [canary]}),
        (splunk.Secrets, {"token": f"{canary}\r\nX: y"}),
        (otlp.Secrets, {"headers": {"Host": canary}}),
        (s3.Secrets, {"access_key_id": canary}),
        (http.Config, {"url": f"https://user:{canary}@example.org/"}),
        (s3.Config, {"bucket": canary, "region": "eu-central-1"}),
    ):
        with pytest.raises(ValidationError) as refused:
            model.model_validate(values)
        assert canary not in str(refused.value)
    assert "hunter2" not in repr(splunk.Secrets.model_validate({"token": "hunter2"}))


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "webhook-id", "Connection", "X Y", ""])
def test_headers_that_the_service_sets_cannot_be_set(name: str) -> None:
    with pytest.raises(ValidationError):
        http.Secrets.model_validate({"headers": {name: "value"}})


def test_an_address_that_is_not_public_is_refused_before_anything_is_sent(http_site: HttpSite) -> None:
    module = {"http": http, "splunk": splunk, "otlp": otlp}[http_site.kind]
    secrets = module.Secrets(**({"token": "t"} if module is splunk else {}))
    with pytest.raises(MisconfiguredError, match="not public"):
        module.open_destination("stream-1", module.Config(url="https://169.254.169.254/"), secrets, Egress())


@pytest.mark.parametrize(
    ("config", "secrets", "allowed"),
    [
        ({}, {"access_key_id": "a", "secret_access_key": "b"}, True),
        ({}, {}, False),
        ({"endpoint": "https://s3.example.org"}, {"access_key_id": "a", "secret_access_key": "b"}, False),
    ],
)
def test_only_the_operator_may_use_the_role_of_the_service_or_another_server(
    config: dict[str, str],
    secrets: dict[str, str],
    allowed: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    settings = s3.Config.model_validate({"bucket": "audit-log", "region": "eu-central-1", **config})
    assert (s3.operator_only(settings, s3.Secrets.model_validate(secrets)) is None) is allowed


def test_with_object_lock_an_object_that_exists_is_taken_as_delivered() -> None:
    opened = S3Site(object_lock=True)
    for _ in range(2):
        opened.destination.send(batch([event(1)]))
    assert len(opened.arrivals()) == 1

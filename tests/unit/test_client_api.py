"""Calls of the service by the client, on good days and bad."""

import contextlib
import json
import socket
import ssl
import threading
from typing import Any

import httpx
import pytest
import trustme

from audit_log_client import Api, ClientSecret, Filters, RefusedError, Token, UnavailableError
from audit_log_client.credentials import Credentials
from tests.support.fakes import FakeClock
from tests.support.flaky import FlakyService, status, unreachable

LINE = b'{"event_id": "018f6b2e-7c1a-7d3e-9f00-0123456789ab", "event_type": "good"}'


@pytest.fixture
def flaky() -> FlakyService:
    return FlakyService()


@pytest.fixture
def pauses() -> list[float]:
    return []


def api(flaky: FlakyService, pauses: list[float], patience: float = 60, credentials: Credentials = None) -> Api:
    return Api("http://x", credentials, patience=patience, sleep=pauses.append, transport=flaky.transport)


@pytest.mark.parametrize(
    "fault",
    [unreachable, *(status(code) for code in (429, 502, 503, 504))],
    ids=["network", "429", "502", "503", "504"],
)
def test_what_passes_by_itself_is_tried_again(flaky: FlakyService, pauses: list[float], fault: Any) -> None:
    flaky.faults = [fault] * 3
    assert api(flaky, pauses).send([LINE]).accepted == {0: json.loads(LINE)["event_id"]}
    assert len(pauses) == 3
    assert all(pause <= most for pause, most in zip(pauses, (0.5, 1, 2), strict=True))


def test_an_event_whose_answer_was_lost_is_sent_again_as_the_same(flaky: FlakyService, pauses: list[float]) -> None:
    flaky.lost_answers = 1
    api(flaky, pauses).send([LINE])
    assert (flaky.batches, len(flaky.events)) == ([1, 1], 1)


def test_as_long_as_the_service_asks_for_is_waited(flaky: FlakyService, pauses: list[float]) -> None:
    flaky.faults = [status(503, Retry_After="7")]
    api(flaky, pauses).send([LINE])
    assert 7 <= pauses[0] <= 7.5


def test_the_reason_of_an_outage_is_reported_before_each_pause(flaky: FlakyService) -> None:
    full = httpx.Response(503, json={"detail": "The queue is full: try again later."})
    flaky.faults = [lambda _request: full, status(502), unreachable]
    said: list[str] = []
    with Api(
        "http://x", sleep=lambda _: None, on_retry=lambda exc: said.append(str(exc)), transport=flaky.transport
    ) as api:
        api.send([LINE])
    assert said[0] == "http://x is temporarily unavailable (status 503): The queue is full: try again later."
    assert said[1] == "http://x is temporarily unavailable (status 502): no reason was given."
    assert said[2].startswith("No answer from http://x (refused)")


def test_a_certificate_that_is_not_trusted_is_named() -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=_fail_handshake, args=(listener, context))
        thread.start()
        with pytest.raises(
            UnavailableError, match=r"certificate of https://127.0.0.1:\d+ is not trusted .*SSL_CERT_FILE"
        ):
            Api(f"https://127.0.0.1:{port}", patience=0).check()
        thread.join()


def _fail_handshake(listener: socket.socket, context: ssl.SSLContext) -> None:
    connection, _ = listener.accept()
    with contextlib.suppress(OSError), connection, context.wrap_socket(connection, server_side=True):
        pass


def test_patience_ends(flaky: FlakyService, pauses: list[float]) -> None:
    flaky.faults = [status(503, Retry_After="2")] * 100
    with pytest.raises(UnavailableError, match="status 503"):
        api(flaky, pauses, patience=10).send([LINE])
    assert 6 < sum(pauses) <= 10


def test_a_resource_that_is_about_to_exist_is_no_outage(flaky: FlakyService, pauses: list[float]) -> None:
    reports: list[UnavailableError] = []
    flaky.faults = [status(404, Retry_After="5")]
    with Api("http://x", sleep=pauses.append, on_retry=reports.append, transport=flaky.transport) as log:
        log.send([LINE])
    assert 5 <= pauses[0] <= 5.5
    assert "unavailable" not in str(reports[0])


def test_a_check_has_a_patience_of_its_own(flaky: FlakyService, pauses: list[float]) -> None:
    with api(flaky, pauses) as log:
        flaky.faults = [unreachable]
        with pytest.raises(UnavailableError, match="No answer"):
            log.check(patience=0)
        assert pauses == []
        flaky.faults = [unreachable]
        log.send([LINE])
    assert len(pauses) == 1


def test_an_address_where_nothing_answers_is_told(flaky: FlakyService, pauses: list[float]) -> None:
    flaky.faults = [unreachable]
    with pytest.raises(UnavailableError, match=r"No answer from http://x .*that the service is running"):
        api(flaky, pauses, patience=0).send([LINE])


def test_a_service_that_ends_the_connection_may_need_tls(flaky: FlakyService, pauses: list[float]) -> None:
    def hang_up(request: httpx.Request) -> httpx.Response:
        raise httpx.RemoteProtocolError("Server disconnected", request=request)

    flaky.faults = [hang_up]
    with pytest.raises(UnavailableError, match=r"\(Server disconnected\): try https:// in place of http://"):
        api(flaky, pauses, patience=0).send([LINE])


@pytest.mark.parametrize("code", [400, 401, 403, 404, 413, 500])
def test_what_trying_again_does_not_help_is_told_at_once(flaky: FlakyService, pauses: list[float], code: int) -> None:
    with api(flaky, pauses) as log:
        log.send([LINE])
        flaky.faults = [status(code)] * 2
        with pytest.raises(RefusedError, match=f"Status {code}") as caught:
            log.send([LINE])
    assert (caught.value.status, pauses) == (code, [])


def test_the_reason_for_a_refusal_is_the_service_s_own(flaky: FlakyService, pauses: list[float]) -> None:
    problem = {
        "detail": "The query string is not valid: see errors.",
        "errors": [{"loc": ["limit"], "msg": "must be more"}],
    }
    flaky.faults = [lambda _: httpx.Response(422, json=problem)]
    with pytest.raises(RefusedError, match=r"^The query string is not valid: limit must be more$"):
        api(flaky, pauses).page(Filters())


def test_what_of_a_batch_is_rejected_is_told_by_its_place(flaky: FlakyService, pauses: list[float]) -> None:
    bad = LINE.replace(b"good", b"bad")
    receipt = api(flaky, pauses).send([bad, LINE, bad])
    assert (list(receipt.accepted), receipt.rejected) == ([1], dict.fromkeys((0, 2), "event_type is bad"))
    assert api(flaky, pauses).send([bad, bad]).rejected == dict.fromkeys((0, 1), "event_type is bad")


def test_one_token_does_for_many_requests_until_it_expires(flaky: FlakyService, pauses: list[float]) -> None:
    log = api(flaky, pauses)
    log.send([LINE])
    log.send([LINE])
    assert len(flaky.tokens) == 1
    flaky.expires_in = 29  # too late to be used safely
    other = api(flaky, pauses)
    other.send([LINE])
    other.send([LINE])
    assert len(flaky.tokens) == 3


def test_a_token_that_counts_no_more_is_replaced(flaky: FlakyService, pauses: list[float]) -> None:
    log = api(flaky, pauses)
    log.send([LINE])
    flaky.revoke()
    assert log.send([LINE]).accepted
    assert pauses == []


def test_a_token_that_was_given_is_used_as_it_is(flaky: FlakyService, pauses: list[float]) -> None:
    flaky.tokens = ["theirs"]
    assert api(flaky, pauses, credentials=Token("theirs")).send([LINE]).accepted
    with pytest.raises(RefusedError, match="expired"):
        api(flaky, pauses, credentials=Token("old")).send([LINE])


def test_a_service_that_is_down_while_a_token_is_needed_is_waited_for(flaky: FlakyService, pauses: list[float]) -> None:
    flaky.faults = [unreachable, status(429, Retry_After="1"), status(503)]
    assert api(flaky, pauses, credentials=ClientSecret("id", "secret")).send([LINE]).accepted


def test_secrets_are_not_shown() -> None:
    assert "hidden" not in repr([ClientSecret("id", "hidden"), Token("hidden")])


def test_an_address_without_a_scheme_is_refused() -> None:
    with pytest.raises(ValueError, match="must begin with http"):
        Api("localhost:8000")


def feed_page(number: int, *, more: bool) -> httpx.Response:
    page = {"events": [], "count": 0, "next_cursor": f"cursor-{number}", "more": more, "skipped": 0}
    return httpx.Response(200, json=page)


def test_a_follower_asks_at_once_while_more_follow_and_after_an_interval_otherwise(pauses: list[float]) -> None:
    answers = iter([feed_page(1, more=True), feed_page(2, more=False), feed_page(3, more=False)])
    asked: list[tuple[str | None, list[float]]] = []
    clock = FakeClock()

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.url.params.get("after"), list(pauses)))
        assert request.url.params["wait"] == "20"
        clock.now += 2
        return next(answers)

    transport = httpx.MockTransport(answer)
    with Api("http://x", Token("t"), sleep=pauses.append, clock=clock, transport=transport) as api:
        pages = api.follow(Filters(), interval=5)
        assert [next(pages)["next_cursor"] for _ in range(3)] == ["cursor-1", "cursor-2", "cursor-3"]
    assert asked == [(None, []), ("cursor-1", []), ("cursor-2", [3])]


def test_a_follower_asks_at_once_again_if_the_service_has_waited(pauses: list[float]) -> None:
    clock = FakeClock()

    def answer(_: httpx.Request) -> httpx.Response:
        clock.now += 20
        return feed_page(1, more=False)

    transport = httpx.MockTransport(answer)
    with Api("http://x", Token("t"), sleep=pauses.append, clock=clock, transport=transport) as api:
        pages = api.follow(Filters(), interval=5)
        assert [next(pages)["next_cursor"] for _ in range(3)] == ["cursor-1"] * 3
    assert pauses == []


def test_a_follower_waits_for_a_service_that_is_away_and_reports_each_outage_once(pauses: list[float]) -> None:
    away = httpx.Response(503)
    answers = iter([away, away, feed_page(1, more=True), away, away, away, feed_page(2, more=True)])
    said: list[str] = []
    after: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        after.append(request.url.params.get("after"))
        return next(answers)

    transport = httpx.MockTransport(answer)
    with Api("http://x", Token("t"), patience=0, sleep=pauses.append, transport=transport) as api:
        pages = api.follow(Filters(), after="now", on_outage=lambda reason: said.append(str(reason)))
        assert [next(pages)["next_cursor"] for _ in range(2)] == ["cursor-1", "cursor-2"]
    assert after == ["now", "now", "now", "cursor-1", "cursor-1", "cursor-1", "cursor-1"]
    assert len(said) == 2
    assert pauses == [1.0] * 5


def test_a_cursor_of_another_state_of_the_log_is_refused_and_not_retried(pauses: list[float]) -> None:
    refusal = httpx.Response(409, json={"detail": "The log ends before this cursor."})
    with (
        Api("http://x", Token("t"), sleep=pauses.append, transport=httpx.MockTransport(lambda _: refusal)) as api,
        pytest.raises(RefusedError, match="ends before this cursor") as refused,
    ):
        next(api.follow(Filters(), after="cursor"))
    assert (refused.value.status, pauses) == (409, [])

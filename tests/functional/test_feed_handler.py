"""GET /event/feed: where it continues, which requests are refused, and what an answer says to whom."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import hypothesis
import pytest
from hypothesis import strategies as st
from sqlalchemy import delete, func, select

from core.auth.sealed_cursor import CursorSeal
from core.auth.tokens import WRITE
from core.settings import Settings
from core.stores.database import Database
from core.stores.schema import events
from core.wiring import Services
from functions.event_feed import event_feed
from functions.http.limits import MAX_RESPONSE_BYTES
from tests.support import databases
from tests.support.builders import event
from tests.support.fakes import Answer, FakeGateway, FakeStore

LINK = re.compile(r'<\?(?P<query>[^>]*)>; rel="next"')


class Log:
    """A real log in a SQLite file."""

    def __init__(self, settings: Settings) -> None:
        self.database = Database(settings.store_url)
        databases.copy_migrated(self.database.engine.url)
        self.services = Services(settings, database=self.database)
        self.gateway = FakeGateway(self.services)

    def store(self, *numbers: int, **fields: Any) -> None:
        self.database.events.add([event(number, **fields) for number in numbers])
        self.database.ledger.integrate()


@pytest.fixture
def log(settings: Settings) -> Iterator[Log]:
    log = Log(settings)
    yield log
    log.services.close()


def ask(gateway: FakeGateway, *, token: str | None = "", **query: Any) -> Answer:
    """The answer to these parameters; an empty `token` stands for that of the gateway."""
    parts: dict[str, Any] = {} if token == "" else {"token": token}
    pairs = [(name, str(value)) for name, value in query.items()]
    return gateway.call(event_feed, path="/event/feed", query=pairs, **parts)


def numbers(answer: Answer) -> list[int]:
    assert answer.status == 200, answer.body
    assert answer.json["count"] == len(answer.json["events"])
    return [each["event_data"]["number"] for each in answer.json["events"]]


def test_an_answer_has_the_events_as_they_are_stored_and_their_indices(log: Log) -> None:
    log.store(2, 1)
    answer = ask(log.gateway)
    assert [each.pop("index") for each in answer.json["events"]] == [0, 1]
    events = ask(log.gateway).json["events"]
    assert [{**event(n).model_dump(mode="json"), "index": index} for index, n in enumerate((1, 2))] == events
    assert {**answer.json, "events": [], "next_cursor": ""} == {
        "events": [], "count": 2, "next_cursor": "", "more": False, "skipped": 0,
    }  # fmt: skip
    assert answer.headers["Content-Type"] == "application/json"


def test_reading_goes_on_from_a_cursor_at_any_later_time_with_any_filter(log: Log) -> None:
    log.store(1, 2, 3)
    first = ask(log.gateway, limit=2)
    assert (numbers(first), first.json["more"]) == ([1, 2], True)
    second = ask(log.gateway, after=first.json["next_cursor"])
    assert (numbers(second), second.json["more"]) == ([3], False)
    end = second.json["next_cursor"]
    assert numbers(ask(log.gateway, after=end)) == []
    log.store(4, event_type="b", timestamp_utc=0)
    log.store(5)
    assert numbers(ask(log.gateway, after=end)) == [4, 5]
    assert numbers(ask(log.gateway, after=end, event_type="b")) == [4]


def test_who_follows_links_gets_everything_and_comes_to_an_end(log: Log) -> None:
    log.store(*range(10), event_type="a b&c")
    found: list[int] = []
    query: dict[str, Any] = {"limit": 3, "event_type": "a b&c"}
    for _ in range(4):
        answer = ask(log.gateway, **query)
        found += numbers(answer)
        link = LINK.fullmatch(answer.headers.get("Link", ""))
        assert (link is not None) is answer.json["more"]
        query = dict(parse_qsl(link["query"])) if link else {}
    assert (found, query) == (list(range(10)), {})


def test_from_now_on(log: Log) -> None:
    log.store(1)
    now = ask(log.gateway, after="now")
    assert (numbers(now), now.json["more"]) == ([], False)
    log.store(2)
    assert numbers(ask(log.gateway, after=now.json["next_cursor"])) == [2]


def test_an_index_leads_behind_its_event(log: Log) -> None:
    log.store(1, 2, 3)
    assert numbers(ask(log.gateway, after=0)) == [2, 3]
    assert numbers(ask(log.gateway, after=2)) == []


def test_a_limited_token_sees_its_customers_and_no_index(log: Log) -> None:
    log.store(1, 2, customer_id=1)
    log.store(3, customer_id=2)
    narrow = FakeGateway(log.services, customers=[2])
    answer = ask(narrow)
    assert numbers(answer) == [3]
    assert "index" not in answer.json["events"][0]
    assert numbers(ask(narrow, customer_id=1)) == []
    assert ask(narrow, after="1").errors == {"after": "must be a cursor: this token does not see indices"}
    wide = ask(log.gateway, limit=1).json["next_cursor"]
    assert numbers(ask(narrow, after=wide)) == [3]


def test_cursors_differ_where_nothing_was_stored_and_have_the_same_length_where_much_was(log: Log) -> None:
    narrow = FakeGateway(log.services, customers=[2])
    cursors = [ask(narrow).json["next_cursor"] for _ in range(3)]
    log.store(*range(1000), customer_id=1)
    cursors += [ask(narrow, after=cursor).json["next_cursor"] for cursor in cursors]
    assert len(set(cursors)) == 6
    assert {len(cursor) for cursor in cursors} == {44}


@pytest.mark.parametrize("after", ["x", "", "A" * 44, "NOW", "-1", "1.0", "é", "\x00", "\udcff"])
def test_what_is_no_cursor_is_refused_with_the_remedy(log: Log, after: str) -> None:
    answer = ask(log.gateway, after=after)
    assert answer.status == 422
    assert answer.errors == {"after": "is not a cursor: send next_cursor of the last answer unchanged, or now"}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"limit": 0}, ["limit"]), ({"limit": 1001}, ["limit"]), ({"limit": "x"}, ["limit"]), ({"wait": 26}, ["wait"]),
        ({"wait": -1}, ["wait"]),
        ({"cursor": "x"}, ["cursor"]), ({"after": "9" * 30}, ["after"]), ({"event_type[x]": "a"}, ["event_type[x]"]),
    ],
)  # fmt: skip
def test_a_parameter_that_would_be_ignored_is_refused(log: Log, query: dict[str, Any], names: list[str]) -> None:
    answer = ask(log.gateway, **query)
    assert (answer.status, list(answer.errors)) == (422, names)


def test_a_cursor_beyond_the_end_is_a_conflict_that_says_what_to_do(log: Log) -> None:
    log.store(1)
    seal = CursorSeal(log.database.feed.cursor_key())
    for after in (seal.seal(2), seal.seal(2**64 - 1), "1", str(2**63 - 1)):
        answer = ask(log.gateway, after=after)
        assert answer.status == 409
        assert "restored to an earlier state" in answer.json["detail"]


def test_an_answer_of_large_events_is_shorter_and_of_one_event_at_least(log: Log) -> None:
    for number in range(12):
        log.store(number, event_data={"number": number, "text": "x" * 255_000})
    found: list[int] = []
    sizes: list[int] = []
    after: dict[str, str] = {}
    for _ in range(12):
        answer = ask(log.gateway, limit=1000, **after)
        found += numbers(answer)
        sizes.append(len(answer.body))
        after = {"after": answer.json["next_cursor"]}
        if not answer.json["more"]:
            break
    assert found == list(range(12))
    assert max(sizes) <= MAX_RESPONSE_BYTES
    assert len(sizes) == 2


def test_an_answer_of_many_small_events_stays_within_the_bound(log: Log) -> None:
    log.store(*range(1000), event_data={"text": "x" * 2_000, "number": 0})
    answer = ask(log.gateway, limit=1000)
    assert MAX_RESPONSE_BYTES - 50_000 < len(answer.body) <= MAX_RESPONSE_BYTES


def test_reading_needs_a_token_with_the_scope_for_it(log: Log) -> None:
    assert ask(log.gateway, token=None).status == 401
    assert ask(FakeGateway(log.services, scopes=[WRITE])).status == 403


def test_a_store_that_is_down_is_no_end_of_the_feed(services: Services, store: FakeStore) -> None:
    store.down = True
    answer = ask(FakeGateway(services))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")


def test_events_without_a_ledger_are_in_the_feed_as_well(settings: Settings) -> None:
    off = Database(settings.store_url, with_commitments=False)
    databases.copy_migrated(off.engine.url)
    services = Services(settings.model_copy(update={"ledger": "off"}), database=off)
    off.events.add([event(1)])
    off.ledger.integrate()
    assert numbers(ask(FakeGateway(services))) == [1]
    services.close()


def test_where_no_request_can_be_held_one_that_would_wait_is_answered_at_once(log: Log) -> None:
    answer = ask(log.gateway, wait=25)
    assert (numbers(answer), answer.json["more"]) == ([], False)


STEPS = st.lists(
    st.tuples(st.sampled_from([1, 2, 3]), st.integers(1, 3)) | st.just(None), min_size=1, max_size=8
)  # fmt: skip
"""Each stores a batch of so many events of a customer, or deletes the oldest event of customer 2, as retention does."""


@hypothesis.settings(max_examples=20, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(steps=STEPS, limit=st.integers(1, 4), start=st.sampled_from(["", "now"]))
def test_answers_to_a_limited_token_are_the_same_without_the_events_of_others(
    settings: Settings,
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[int, int] | None],
    limit: int,
    start: str,
) -> None:
    def answers(visible: set[int]) -> list[tuple[Any, ...]]:
        """What a token for customer 2 is answered after each step, in a log with the events of these customers."""
        log = Log(settings.model_copy(update={"data_dir": tmp_path_factory.mktemp("log")}))
        narrow = FakeGateway(log.services, customers=[2])
        after: dict[str, str] = {"after": start} if start else {}
        seen: list[tuple[Any, ...]] = []
        for step, made in enumerate(steps):
            if made is None:
                _delete_oldest(log, customer_id=2)
            elif made[0] in visible:
                log.store(*(step * 10 + number for number in range(made[1])), customer_id=made[0])
            answer = ask(narrow, limit=limit, wait=25, **after)
            body, link = answer.json, answer.headers.pop("Link", "")
            cursor = body.pop("next_cursor")
            answer.headers.pop("X-Request-Id")
            seen.append((answer.status, body, answer.headers, len(cursor), link.replace(cursor, "")))
            after = {"after": cursor}
        log.services.close()
        return seen

    assert answers({1, 2, 3}) == answers({2})


def _delete_oldest(log: Log, customer_id: int) -> None:
    with log.database.engine.begin() as connection:
        oldest = connection.execute(select(func.min(events.c.event_id)).where(events.c.customer_id == customer_id))
        connection.execute(delete(events).where(events.c.event_id == oldest.scalar()))

"""POST /erasure with a real store: what it erases, for whom, in which steps, and what it refuses."""

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from core.auth.tokens import ERASE, READ, SCOPES, WRITE
from core.domain.queries import EventFilter, PageRequest
from core.stores import erasing, holds
from core.stores.holds import Hold
from core.stores.ledger.integration import Ledger
from core.stores.ledger.stored_tree import StoredTree
from core.stores.sql import SqlEventStore
from core.wiring import Services
from functions import event_feed, get_event, query_events
from functions.operations import erase_events
from tests.support import forked
from tests.support.builders import event, new_event
from tests.support.fakes import Answer, FakeGateway
from tests.support.service import AUDIT_LOG, Service, environment, get
from tests.support.waiting import SECONDS, until

ID = event(1).event_id


@pytest.fixture
def store(sqlite_store: SqlEventStore) -> SqlEventStore:
    sqlite_store.add(
        [event(number, customer_id=42 + number % 2, event_data={"n": f"secret-{number}"}) for number in range(20)]
    )
    return sqlite_store


@pytest.fixture
def engine(store: SqlEventStore) -> Engine:
    return store._engine  # noqa: SLF001 - the test's own


@pytest.fixture
def gateway(services: Services, store: SqlEventStore) -> FakeGateway:  # noqa: ARG001 - has the events
    return FakeGateway(services, scopes=[ERASE])


def ask(gateway: FakeGateway, body: Any = None, **fields: Any) -> Answer:
    content = {"reason": "asked to", **fields} if body is None else body
    return gateway.call(erase_events.erase_events, "POST", "/erasure", body=content)


def left(store: SqlEventStore) -> list[int]:
    """Numbers of the events that have their data."""
    return [number for number in range(20) if (found := store.get(event(number).event_id)) and found.event_data]


def test_listed_events_lose_their_data_in_all_files(gateway: FakeGateway, store: SqlEventStore, tmp_path: Path) -> None:
    answer = ask(gateway, event_ids=[ID.upper(), ID, event(2).event_id])
    assert (answer.status, answer.json["erased"], answer.json["complete"], answer.json["next"]) == (200, 2, True, None)
    assert answer.json["not_reached"][0] == "backups, and copies of the database"
    assert left(store) == [0, *range(3, 20)]
    content = b"".join(each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())
    assert (b'secret-1"' in content, b'secret-3"' in content) == (False, True)
    (record,) = store.find_page(EventFilter(event_types=("audit-log.events.erased",)), PageRequest()).events
    assert (record.event_data["by"], record.event_data["reason"]) == ("tests", "asked to")
    assert ask(gateway, event_ids=[ID]).json["erased"] == 0, "a repeat"


def test_an_erased_event_says_so_wherever_it_is_found(services: Services, store: SqlEventStore) -> None:
    services.reader, services.feed = store, services.database.feed
    gateway = FakeGateway(services, scopes=[ERASE, READ])
    Ledger(store._engine, StoredTree()).integrate()  # noqa: SLF001 - the test's own
    ask(gateway, event_ids=[ID])
    ask(gateway, event_ids=[event(2).event_id], whole=True)
    (second, first) = store.find_page(EventFilter(event_types=("audit-log.events.erased",)), PageRequest()).events
    by_id = {}
    for number, record, whole in ((1, first, False), (2, second, True)):
        event_id = event(number).event_id
        found = gateway.call(get_event.get_event, path="/event/{event_id}", path_parameters={"event_id": event_id}).json
        at = found["erased"].pop("at")
        assert abs(datetime.fromisoformat(at).timestamp() - time.time()) < 60
        assert (found["event_data"], found["erased"]) == ({}, {"by_event": record.event_id, "whole": whole})
        by_id[event_id] = {**found, "erased": {"at": at, **found["erased"]}}
    page = gateway.call(query_events.query_events, query=[("order", "asc")]).json["events"]
    feed = gateway.call(event_feed.event_feed, path="/event/feed").json["events"]
    for listed in (page, [{name: each[name] for name in each if name != "index"} for each in feed]):
        assert {each["event_id"]: each for each in listed if "erased" in each} == by_id
        assert len(listed) >= 20


def test_a_customer_is_erased_up_to_a_time_as_a_whole(gateway: FakeGateway, store: SqlEventStore) -> None:
    answer = ask(gateway, customer_id=42, before=event(10).timestamp_utc, whole=True)
    assert (answer.status, answer.json["erased"]) == (200, 5)
    assert left(store) == [number for number in range(20) if number % 2 or number >= 10]
    stone = store.get(event(0).event_id)
    assert stone is not None
    assert (stone.customer_id, stone.event_type) == (-1, "audit-log.erased")
    assert ask(gateway, customer_id=43).json["erased"] == 10, "up to now"


def test_a_large_erasure_is_continued_by_its_own_answer(
    gateway: FakeGateway, store: SqlEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "EVENTS", 4)
    monkeypatch.setattr(erase_events, "ERASE_SECONDS", 0)
    first = ask(gateway, customer_id=42)
    assert (first.status, first.json["erased"], first.json["complete"]) == (202, 4, False)
    assert abs(first.json["next"]["before"] - time.time()) < 60, "events after the first request stay"
    assert len(left(store)) == 16
    statuses, body = [202], first.json["next"]
    while body:
        answer = ask(gateway, body)
        statuses.append(answer.status)
        body = answer.json["next"]
    assert statuses == [202, 202, 202, 200]
    assert left(store) == list(range(1, 20, 2))


def test_an_erasure_is_complete_only_after_the_files_are_scrubbed(
    gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erase_events, "SCRUB_SECONDS", -1.0)
    answer = ask(gateway, event_ids=[ID])
    assert (answer.status, answer.json["erased"], answer.json["complete"]) == (202, 1, False)
    assert answer.json["not_reached"][-1] == "the search index and free pages of SQLite"
    monkeypatch.undo()
    answer = ask(gateway, answer.json["next"])
    assert (answer.status, answer.json["erased"], answer.json["complete"]) == (200, 0, True)


def test_a_token_limited_to_customers_erases_only_theirs(services: Services, store: SqlEventStore) -> None:
    narrow = FakeGateway(services, scopes=[ERASE], customers=[43])
    assert ask(narrow, customer_id=42).status == 403
    refused = ask(narrow, event_ids=[event(1).event_id, event(2).event_id])
    assert (refused.status, "1 of the ids belong to no stored event" in refused.errors["event_ids"]) == (422, True)
    unknown = ask(narrow, event_ids=[event(1).event_id, event(999).event_id])
    assert refused.errors == unknown.errors, "no answer shows whether others have an event"
    assert len(left(store)) == 20
    for _ in range(2):
        assert ask(narrow, event_ids=[ID], whole=True).status == 200, "also again, when it has no customer any more"
    assert ask(narrow, customer_id=43).json["erased"] == 9
    assert left(store) == list(range(0, 20, 2))


def test_a_limited_token_learns_nothing_of_what_others_erased_as_a_whole(
    gateway: FakeGateway, services: Services, store: SqlEventStore
) -> None:
    narrow = FakeGateway(services, "shop", scopes=[ERASE], customers=[43])
    stored, erased, unknown = event(2).event_id, event(4).event_id, event(999).event_id
    assert ask(gateway, event_ids=[erased, event(5).event_id], whole=True).json["erased"] == 2
    refused = {each: ask(narrow, event_ids=[each]) for each in (stored, erased, unknown)}
    assert {answer.status for answer in refused.values()} == {422}
    assert refused[stored].json == refused[erased].json == refused[unknown].json
    assert ask(narrow, event_ids=[event(1).event_id], whole=True).json["erased"] == 1
    assert ask(narrow, event_ids=[event(1).event_id], whole=True).json["erased"] == 0, "a repeat of its own"
    assert ask(narrow, event_ids=[event(5).event_id]).json == refused[unknown].json, (
        "of its customer, by another client"
    )
    assert len(left(store)) == 17


def test_ids_beyond_the_bound_are_not_looked_at(gateway: FakeGateway) -> None:
    assert ask(gateway, {"reason": "x", "event_ids": ["7"] * 50_000}).errors == {
        "event_ids": "must have at most 1000 items"
    }


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("scopes", [[WRITE], [READ], [WRITE, READ], []])
def test_other_scopes_do_not_erase(services: Services, scopes: list[str]) -> None:
    assert ask(FakeGateway(services, scopes=scopes), event_ids=[ID]).status == 403


@pytest.mark.usefixtures("store")
def test_no_default_has_the_scope(services: Services) -> None:
    assert ERASE in SCOPES
    assert ask(FakeGateway(services), event_ids=[ID]).status == 403


def test_a_hold_is_a_conflict_that_names_it(gateway: FakeGateway, store: SqlEventStore, engine: Engine) -> None:
    hold = holds.place(engine, Hold(customer_id=43), by="counsel", at=datetime.now(UTC))
    answer = ask(gateway, event_ids=[ID, event(2).event_id])
    assert (answer.status, hold.hold_id in answer.json["detail"]) == (409, True)
    assert len(left(store)) == 20
    (refused,) = store.find_page(EventFilter(event_types=("audit-log.hold.refused",)), PageRequest()).events
    assert refused.event_data == {"subject": hold.hold_id, "operation": "erase", "by": "tests"}


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ([], "", "must be a JSON object"),
        ({}, "reason", "is required"),
        ({"reason": "x"}, "event_ids", "either event_ids or customer_id"),
        ({"reason": "x", "event_ids": []}, "event_ids", "must not be empty"),
        ({"reason": "x", "event_ids": [ID] * 1001}, "event_ids", "at most 1000 items"),
        ({"reason": "x", "event_ids": ["7"]}, "event_ids.0", "must be a UUID"),
        ({"reason": "x", "event_ids": None}, "event_ids", "leave the field out"),
        ({"reason": "x", "event_ids": [ID], "customer_id": 42}, "event_ids", "either event_ids or customer_id"),
        ({"reason": "x", "event_ids": [ID], "before": 1}, "before", "goes together with customer_id"),
        ({"reason": "x", "customer_id": 42, "before": 4_000_000_000}, "before", "is in the future"),
        ({"reason": "x", "customer_id": "42"}, "customer_id", "must be a JSON integer"),
        ({"reason": "x", "event_ids": [ID], "whole": 1}, "whole", "must be true or false"),
        ({"reason": "", "event_ids": [ID]}, "reason", "must not be empty"),
        ({"reason": " ", "event_ids": [ID]}, "reason", "must not be blank"),
        ({"reason": "x", "event_ids": [ID], "all": True}, "all", "is not a field of an erasure"),
    ],
)
def test_a_wrong_request_says_what_to_change(
    gateway: FakeGateway, store: SqlEventStore, body: Any, field: str, message: str
) -> None:
    answer = ask(gateway, body)
    assert answer.status == 422
    assert message in answer.errors[field]
    assert len(left(store)) == 20


@pytest.mark.usefixtures("store")
def test_unknown_ids_and_the_service_itself_are_refused(gateway: FakeGateway) -> None:
    for field, value in (("event_ids", [event(99).event_id]), ("customer_id", -1)):
        answer = ask(gateway, **{field: value})
        assert (answer.status, list(answer.errors)) == (422, [field])


def test_a_registered_client_erases_by_a_running_service(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Service.start(data, auth="clients") as service:
        command = [AUDIT_LOG, "client", "create", "--name", "x", "--scope", WRITE, "--scope", ERASE]
        made = forked.run(command, env=environment(data), timeout=SECONDS, check=True)
        client, secret = re.findall(r"client-[0-9a-f]+|als_\S+", made.stdout)[:2]
        token = get(f"{service.url}/access-token", auth=(client, secret)).json()["token"]
        with httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {token}"}, timeout=SECONDS) as http:
            event_id = http.post("/event", json=new_event()).json()["event_id"]
            body = {"event_ids": [event_id], "reason": "asked to"}
            # 422: the event is not stored yet
            answer = until(lambda: (given := http.post("/erasure", json=body)).status_code != 422 and given)
    assert (answer.status_code, answer.json()["erased"]) == (200, 1)

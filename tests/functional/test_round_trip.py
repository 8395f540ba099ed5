"""Whatever is posted within the rules comes back equal, and can be found by what it holds."""

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.domain.models import MAX_TIMESTAMP
from core.settings import Settings
from core.stores.engine import open_engine
from core.stores.migrations.upgrade import migrate
from core.stores.sql import SqlEventStore
from core.wiring import Services
from functions.consume_events import consume_events
from functions.create_event import create_event
from functions.get_event import get_event
from functions.query_events import query_events
from tests.support.builders import new_event, sqs_event
from tests.support.fakes import FakeGateway, FakeQueue

SECRET = "a-secret-of-the-tests-that-is-long-enough"
UNNAMEABLE = re.compile(r'[.\[\]"\\\x00-\x1f\x7f]')

text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
integers = st.integers(-(2**63), 2**63 - 1)
scalars = st.none() | st.booleans() | integers | st.floats(allow_nan=False, allow_infinity=False) | text
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4), max_leaves=12
)
event_data = st.dictionaries(text, values, min_size=1, max_size=4)
events = st.fixed_dictionaries(
    {
        "event_type": st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=255),
        "customer_id": integers,
        "event_data": event_data,
    },
    optional={"timestamp_utc": st.integers(0, MAX_TIMESTAMP)},
)


class Handlers:
    """The handlers with a queue and a real store, each called in its turn."""

    def __init__(self, store: SqlEventStore, settings: Settings) -> None:
        self.new_customers = itertools.count(10**12)
        self._queue = FakeQueue()
        self._gateway = FakeGateway(Services(settings, publisher=self._queue, reader=store, writer=store))

    def keep(self, event: dict[str, Any]) -> str:
        """Post an event and consume its message; its id."""
        posted = self._gateway.call(create_event, "POST", body=event)
        assert posted.status == 202, posted.json
        messages = sqs_event(*self._queue.bodies)
        self._queue.events.clear()
        assert consume_events(messages, self._gateway.services) == {"batchItemFailures": []}
        event_id: str = posted.json["event_id"]
        return event_id

    def get(self, event_id: str) -> Any:
        return self._gateway.call(get_event, path_parameters={"event_id": event_id}).json

    def find(self, **query: str) -> list[Any]:
        answer = self._gateway.call(query_events, query=list(query.items()))
        assert answer.status == 200, answer.json
        found: list[Any] = answer.json["events"]
        return found


@pytest.fixture(scope="module")
def handlers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Handlers]:
    data_dir = tmp_path_factory.mktemp("round-trip")
    settings = Settings.from_environ({"AUDIT_LOG_DATA_DIR": str(data_dir), "AUDIT_LOG_JWT_SECRET": SECRET})
    engine = open_engine(settings.store_url)
    migrate(engine)
    yield Handlers(SqlEventStore(engine), settings)
    engine.dispose()


def as_text(value: object) -> str:
    """JSON in one form, in which true is not 1 and 5.0 is not 5."""
    return json.dumps(value, sort_keys=True)


def scalars_in(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every scalar at a path that can be named, with the path."""
    if isinstance(value, dict):
        for name, child in value.items():
            if name and not UNNAMEABLE.search(name):
                yield from scalars_in(child, f"{path}.{name}")
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from scalars_in(child, f"{path}[{index}]")
    else:
        yield path.removeprefix("."), value


@given(event=events)
@hypothesis.settings(max_examples=150)
def test_what_was_posted_comes_back_equal(handlers: Handlers, event: dict[str, Any]) -> None:
    event_id = handlers.keep(event)
    kept = handlers.get(event_id)
    assert as_text({name: kept[name] for name in event}) == as_text(event)
    found = handlers.find(customer_id=str(event["customer_id"]), event_type=event["event_type"])
    assert kept in found


@given(data=event_data, draw=st.data())
@hypothesis.settings(max_examples=80)
def test_an_event_is_found_by_what_it_holds_at_any_path(
    handlers: Handlers, data: dict[str, Any], draw: st.DataObject
) -> None:
    named = list(scalars_in(data))
    assume(named)
    path, value = draw.draw(st.sampled_from(named))
    customer = next(handlers.new_customers)
    event_id = handlers.keep(new_event(event_data=data, customer_id=customer))
    found = handlers.find(**{"customer_id": str(customer), f"event_data.{path}": json.dumps(value, ensure_ascii=False)})
    assert [event["event_id"] for event in found] == [event_id]


@given(value=scalars, wanted=scalars)
@hypothesis.settings(max_examples=80)
@hypothesis.example(value=True, wanted=1)
@hypothesis.example(value=5, wanted=5.0)
@hypothesis.example(value="5", wanted=5)
@hypothesis.example(value=2**53, wanted=2**53 + 1)
@hypothesis.example(value="null", wanted=None)
def test_an_event_is_not_found_by_what_it_does_not_hold(handlers: Handlers, value: Any, wanted: Any) -> None:
    customer = next(handlers.new_customers)
    event_id = handlers.keep(new_event(event_data={"a": value}, customer_id=customer))
    found = handlers.find(**{"customer_id": str(customer), "event_data.a": json.dumps(wanted, ensure_ascii=False)})
    equal = value == wanted and isinstance(value, bool) == isinstance(wanted, bool)
    assert [event["event_id"] for event in found] == ([event_id] if equal else [])

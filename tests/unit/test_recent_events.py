"""Recent events: finds the same conflicts as the store, within a bounded memory."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from core.domain.models import Event
from core.domain.recent_events import Content, RecentEvents
from tests.support.builders import event

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.0, -0.0, 1.0, 1.5, 2.0**53, 2.0**62, 2.0**63, 2**53, 2**62, 2**63 - 1, -(2.0**63), -(2**63)])
    | st.sampled_from(["", "1", "1.0", "e", "1e"]),
    lambda values: st.lists(values, max_size=2) | st.dictionaries(st.sampled_from("ab"), values, max_size=2),
    max_leaves=4,
)
EVENTS = st.builds(
    event,
    event_type=st.sampled_from(["a", "b"]),
    customer_id=st.integers(1, 2),
    timestamp_utc=st.sampled_from([1_769_860_800, 1]),  # the first one is the receive time
    event_data=VALUES.map(lambda value: {"value": value}),
)


@given(EVENTS, EVENTS)
def test_contents_are_equal_where_the_store_takes_a_repeat_for_one(first: Event, second: Event) -> None:
    assert Content.of(first).equals(Content.of(second)) is first.same_content(second)


def test_an_event_is_found_by_its_client_and_id_alone() -> None:
    recent, content = RecentEvents(), Content.of(event())
    recent.add("client", "id", content)
    assert recent.find("client", "id") == content
    assert recent.find("client", "other") is None
    assert recent.find("other", "id") is None


def test_the_first_content_stays() -> None:
    recent = RecentEvents()
    contents = [Content.of(event(customer_id=number)) for number in (1, 2)]
    for content in contents:
        recent.add("client", "id", content)
    assert recent.find("client", "id") == contents[0]


def test_the_last_receive_time_counts() -> None:
    recent = RecentEvents()
    contents = [Content.of(event(received_at=f"2026-01-31T12:00:0{number}Z")) for number in (1, 2)]
    for content in contents:
        recent.add("client", "id", content)
    found = recent.find("client", "id")
    assert found
    assert found.received_at == contents[1].received_at


def test_the_oldest_events_are_forgotten() -> None:
    recent, content = RecentEvents(capacity=2), Content.of(event())
    for number in "123":
        recent.add("client", number, content)
    assert [recent.find("client", number) for number in "123"] == [None, content, content]


def test_several_threads_may_add_and_find() -> None:
    recent, content = RecentEvents(capacity=10), Content.of(event())
    found: list[Content | None] = []

    def work(client: str) -> None:
        for number in range(200):
            recent.add(client, str(number), content)
            found.append(recent.find(client, "no such id"))

    threads = [threading.Thread(target=work, args=(client,)) for client in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [None] * 800
    assert sum(recent.find(client, str(number)) is not None for client in "abcd" for number in range(200)) == 10

"""What a filter finds. Every test names the events by their numbers."""

import string
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from core.domain.queries import DataFilter, EventFilter, JsonScalar, PageRequest
from core.ports.store import EventStore
from tests.support.builders import event

Find = Callable[..., list[int]]

TYPES = ("login", "Login", "log_n")
CUSTOMERS = (-1, 1, 2**63 - 1)
TIMES = (100, 200, 300)


EVERY = list(product(TYPES, CUSTOMERS, TIMES))
CONDITIONS: dict[str, list[Any]] = {
    "event_types": [(), ("login",), ("log_n", "Login"), ("login", "none such"), ("LOGIN",), ("log%",)],
    "customer_ids": [(), (1,), (-1, 2**63 - 1), (1, 7)],
    "start": [None, 101, 200, 301],
    "end": [None, 99, 200, 299],
    "visible_customers": [None, (), (1,), (-1, 7)],
}


def meant(conditions: Mapping[str, Any]) -> list[int]:
    """The numbers of the events of `EVERY` that hold all conditions, the oldest first."""
    wanted = EventFilter(**conditions)
    found = [
        (time, number)
        for number, (kind, customer, time) in enumerate(EVERY)
        if (not wanted.event_types or kind in wanted.event_types)
        and (not wanted.customer_ids or customer in wanted.customer_ids)
        and (wanted.start is None or time >= wanted.start)
        and (wanted.end is None or time <= wanted.end)
        and (wanted.visible_customers is None or customer in wanted.visible_customers)
    ]
    return [number for _, number in sorted(found)]


@pytest.fixture
def every_combination(event_store: EventStore) -> None:
    """One event for every type, customer and time; its number is its place in `EVERY`."""
    event_store.add(
        [
            event(number, event_type=kind, customer_id=customer, timestamp_utc=time)
            for number, (kind, customer, time) in enumerate(EVERY)
        ]
    )


@pytest.mark.usefixtures("every_combination")
@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in CONDITIONS.items() for value in values])
def test_a_condition_alone_finds_what_it_says(find_page: Find, name: str, value: object) -> None:
    assert find_page(**{name: value}) == meant({name: value})


@pytest.mark.usefixtures("every_combination")
def test_of_several_conditions_all_hold(find_page: Find) -> None:
    for values in product(*(some[:3] for some in CONDITIONS.values())):
        conditions = dict(zip(CONDITIONS, values, strict=True))
        assert find_page(**conditions) == meant(conditions), conditions


def test_reception_counts_up_to_and_with_a_millisecond(event_store: EventStore, find_page: Find) -> None:
    moments = [datetime(2026, 1, 31, 12, 0, 0, thousandth * 1000, UTC) for thousandth in (122, 123, 124)]
    # In the order of reception the times of the events themselves go down.
    event_store.add([event(n, received_at=at, timestamp_utc=100 - n) for n, at in enumerate(moments)])
    assert find_page(received_until=moments[1]) == [1, 0]


VALUES: list[Any] = [True, 1, "1", "true", None, "null", 5, 5.0, "5", 0, False, "", 2**53, 2**53 + 1, 0.1, [], {}, [5]]


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ((True,), [0]),
        ((1,), [1]),
        (("1",), [2]),
        (("true",), [3]),
        ((None,), [4]),
        (("null",), [5]),
        ((5,), [6, 7]),
        ((5.0,), [6, 7]),
        (("5",), [8]),
        ((0,), [9]),
        ((False,), [10]),
        (("",), [11]),
        ((2**53,), [12]),
        ((2**53 + 1,), [13]),
        ((0.1,), [14]),
        (("[]",), []),
        ((None, "1", 0.1), [2, 4, 14]),
        ((5, True), [0, 6, 7]),
    ],
)
def test_a_value_is_matched_with_its_type(
    event_store: EventStore, find_page: Find, wanted: tuple[JsonScalar, ...], numbers: list[int]
) -> None:
    event_store.add([event(number, event_data={"a": value}) for number, value in enumerate(VALUES)])
    event_store.add([event(len(VALUES), event_data={"b": "a is missing"})])
    assert find_page(data=(DataFilter(path=("a",), values=wanted),)) == numbers


@pytest.mark.parametrize(
    ("path", "numbers"),
    [
        (("a",), [0]),
        (("a", "b"), [1]),
        (("a", "b", "c"), [2]),
        (("a", 0), [3]),
        (("a", 1), [4]),
        (("a", 1, "b"), [5]),
        (("a", 0, 0), [6]),
        (("a", "0"), [7]),
        (("a b",), [8]),
        (("é😀",), [9]),
        (("$",), [10]),
        (("a", "$", "*"), [11]),
        (("%_'",), [12]),
        (("a", 999_999_999), []),
        (("A",), []),
        (("none",), []),
    ],
)
def test_a_path_leads_to_one_place(
    event_store: EventStore, find_page: Find, path: tuple[str | int, ...], numbers: list[int]
) -> None:
    data: list[dict[str, Any]] = [
        {"a": 7},
        {"a": {"b": 7}},
        {"a": {"b": {"c": 7}}},
        {"a": [7]},
        {"a": [0, 7]},
        {"a": [0, {"b": 7}]},
        {"a": [[7]]},
        {"a": {"0": 7}},
        {"a b": 7},
        {"é😀": 7},
        {"$": 7},
        {"a": {"$": {"*": 7}}},
        {"%_'": 7},
        {"a.b": 7},
    ]
    event_store.add([event(number, event_data=value) for number, value in enumerate(data)])
    assert find_page(data=(DataFilter(path=path, values=(7,)),)) == numbers


def test_every_name_that_a_path_may_have_is_found_and_comes_back(event_store: EventStore, find_page: Find) -> None:
    marks = [character for character in string.punctuation + " é\u2028😀" if character not in '"\\']
    names = ["", *marks, *(f"{mark}k" for mark in marks), *(f"k{mark}k" for mark in marks), "--", "a.b", "k[0]", "last"]
    event_store.add([event(number, event_data={"a": {name: 7}, "b": [name]}) for number, name in enumerate(names)])
    for number, name in enumerate(names):
        assert find_page(data=(DataFilter(path=("a", name), values=(7,)),)) == [number], name
        assert event_store.get(event(number).event_id) == event(number, event_data={"a": {name: 7}, "b": [name]})


def test_text_is_matched_to_the_letter_and_the_space(event_store: EventStore, find_page: Find) -> None:
    texts = ["a", "A", "a ", " a", "ä", "a\u0308", '"', "\\", "\\n", "%", "𝄞"]
    event_store.add([event(number, event_type=text, event_data={"a": text}) for number, text in enumerate(texts)])
    for number, text in enumerate(texts):
        assert find_page(data=(DataFilter(path=("a",), values=(text,)),)) == [number]
        assert find_page(event_types=(text,)) == [number]


@pytest.mark.parametrize(
    "value",
    [-5, -0.5, 0.0, 1e300, -(2**63), 5e-324, 1e16, 2**53 + 1, 10**16, 1.2345678901234568e18, 1234567890123456800],
)
def test_a_number_is_found_by_itself_and_its_equals_only(
    event_store: EventStore, find_page: Find, value: float
) -> None:
    event_store.add([event(number, event_data={"a": item}) for number, item in enumerate([value, -value or 1, "0"])])
    assert find_page(data=(DataFilter(path=("a",), values=(value,)),)) == [0]
    if abs(value) < 2**53 and value == int(value):
        assert find_page(data=(DataFilter(path=("a",), values=(int(value),)),)) == [0]


def test_an_integer_and_the_double_next_to_it_are_told_apart(event_store: EventStore, find_page: Find) -> None:
    """The double 1.2345678901234568e18 is 1234567890123456768, although it is printed with zeros in their place."""
    numbers = [1.2345678901234568e18, 1234567890123456768, 1234567890123456800]
    event_store.add([event(number, event_data={"a": value}) for number, value in enumerate(numbers)])
    for value, found in zip(numbers, [[0, 1], [0, 1], [2]], strict=True):
        assert find_page(data=(DataFilter(path=("a",), values=(value,)),)) == found


def test_deep_nesting_beside_it_does_not_hide_a_value(event_store: EventStore, find_page: Find) -> None:
    deep: dict[str, Any] = {"a": 1}
    for _ in range(120):
        deep = {"a": deep}
    event_store.add([event(1, event_data={"a": deep, "b": 7}), event(2, event_data={"b": 7, "c": [deep]})])
    assert find_page(data=(DataFilter(path=("b",), values=(7,)),)) == [1, 2]
    assert find_page(data=(DataFilter(path=("a",) * 122, values=(7,)),)) == []


def test_a_path_as_deep_as_a_query_may_go_is_followed(event_store: EventStore, find_page: Find) -> None:
    nested: Any = 7
    for _ in range(31):
        nested = {"a": nested}
    event_store.add([event(1, event_data=nested), event(2, event_data={"a": nested})])
    assert find_page(data=(DataFilter(path=("a",) * 31, values=(7,)),)) == [1]


def test_filters_on_several_paths_all_hold(event_store: EventStore, find_page: Find) -> None:
    event_store.add([event(number, event_data={"a": number % 2, "b": number % 3}) for number in range(12)])
    odd = DataFilter(path=("a",), values=(1,))
    of_three = DataFilter(path=("b",), values=(0, 2))
    assert find_page(data=(odd, of_three)) == [3, 5, 9, 11]
    assert find_page(data=(odd, of_three), start=event(4).timestamp_utc, end=event(9).timestamp_utc) == [5, 9]


def test_as_many_data_filters_as_a_query_may_have_are_taken(event_store: EventStore, find_page: Find) -> None:
    event_store.add([event(1, event_data={f"a{number}": number for number in range(100)})])
    assert find_page(data=tuple(DataFilter(path=(f"a{number}",), values=(number,)) for number in range(100))) == [1]
    assert find_page(data=(DataFilter(path=("a99",), values=tuple(range(100))),)) == [1]


def test_a_value_behind_thousands_of_others_is_found_and_counted(event_store: EventStore) -> None:
    many = list(range(3_000))
    event_store.add(
        [event(number, event_data={"many": many, "last": last}) for number, last in enumerate(("a", "b", "a"))]
    )
    wanted = EventFilter(data=(DataFilter(path=("last",), values=("a",)),))
    found = event_store.find_page(wanted, PageRequest())
    assert [each.event_data["last"] for each in found.events] == ["a", "a"]
    assert (found.total_count, event_store.find_page(wanted, PageRequest(limit=1)).total_count) == (2, 2)

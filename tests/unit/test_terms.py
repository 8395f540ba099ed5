"""Which values have a word in common: those that are equal as JSON, at the same path. Counts rest on it."""

import time
import tracemalloc
from itertools import combinations
from typing import Any

import pytest

from core.domain.queries import DataFilter, EventFilter
from core.stores.dialects.sqlite_terms import INCOMPLETE, MAX_VALUE_TERMS, index_terms, match_expression

DIFFERENT: list[dict[str, Any]] = [
    {"a": value}
    for value in (True, False, None, 1, 0, 1.5, "1", "True", "true", "None", "", 2**53, 2**53 + 1, [1], ["1"])
] + [{"b": 1}, {"a": {"0": 1}}, {"a": {"b": 1}}, {"": 1}, {"a.b": 1}]


def words_of(data: dict[str, Any]) -> set[str]:
    customer, kind, *values = index_terms(1, "type", data).split()
    assert customer != kind
    return set(values)


def test_what_differs_has_no_word_in_common() -> None:
    for one, other in combinations(DIFFERENT, 2):
        common = words_of(one) & words_of(other)
        assert not common, (one, other)


@pytest.mark.parametrize(("one", "other"), [(5, 5.0), (0, -0.0), (10**16, 1e16)])
def test_equal_numbers_are_one_word(one: float, other: float) -> None:
    assert words_of({"a": one}) == words_of({"a": other})


def test_a_filter_asks_for_the_words_of_what_it_means() -> None:
    customer, kind, value = index_terms(7, "login", {"a": [{"b": True}]}).split()
    wanted = EventFilter(
        customer_ids=(7, 8), visible_customers=(7,), event_types=("login",),
        data=(DataFilter(path=("a", 0, "b"), values=(True,)),),
    )  # fmt: skip
    assert match_expression(wanted) == f'("{customer}") AND ("{kind}") AND ("{value}" OR "{INCOMPLETE}")'


def test_an_event_with_more_values_than_words_says_so() -> None:
    assert INCOMPLETE not in words_of({"a": list(range(MAX_VALUE_TERMS - 1))})
    many = words_of({"a": list(range(MAX_VALUE_TERMS + 1)), "b": "not reached"})
    assert INCOMPLETE in many
    assert len(many) == MAX_VALUE_TERMS + 1


@pytest.mark.parametrize(
    "data",
    [{"k" * 130_000: [0] * 60_000}, {"a": [0] * 100_000}, {"a": ["x" * 100_000, "y" * 100_000]}],
    ids=["a long name above many values", "many values", "long values"],
)
def test_the_largest_events_cost_little(data: dict[str, Any]) -> None:
    tracemalloc.start()
    started = time.process_time()
    for _ in range(5):
        index_terms(1, "type", data)
    seconds, peak = time.process_time() - started, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seconds < 1
    assert peak < 5_000_000


def test_terms_stay_the_same_when_the_cache_starts_again() -> None:
    data = {"name": "admin", "list": [1, {"deep": None}]}
    before = words_of(data)
    for number in range(40_000):
        index_terms(1, "type", {"name": f"value {number}"})
    assert words_of(data) == before


def test_the_cache_of_terms_has_a_bound() -> None:
    tracemalloc.start()
    for number in range(100_000):
        index_terms(1, "type", {"name": f"value {number}"})
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept < 10_000_000

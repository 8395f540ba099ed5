"""Which values have a word in common: those that are equal as JSON, at the same path. Counts rest on it."""

from itertools import combinations
from typing import Any

import pytest

from core.queries import DataFilter, EventFilter
from core.stores.terms import expression, words

DIFFERENT: list[dict[str, Any]] = [
    {"a": value}
    for value in (True, False, None, 1, 0, 1.5, "1", "True", "true", "None", "", 2**53, 2**53 + 1, [1], ["1"])
] + [{"b": 1}, {"a": {"0": 1}}, {"a": {"b": 1}}, {"": 1}, {"a.b": 1}]


def words_of(data: dict[str, Any]) -> set[str]:
    customer, kind, *values = words(1, "type", data).split()
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
    customer, kind, value = words(7, "login", {"a": [{"b": True}]}).split()
    wanted = EventFilter(
        customer_ids=(7, 8), visible_customers=(7,), event_types=("login",),
        data=(DataFilter(path=("a", 0, "b"), values=(True,)),),
    )  # fmt: skip
    assert expression(wanted) == f'("{customer}") AND ("{kind}") AND ("{value}")'

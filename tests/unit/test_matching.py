"""The meaning of filters: what `matches` selects."""

import unicodedata
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.filter_text import parse
from core.domain.matching import fold, matches, values_at, words_of
from core.domain.queries import Condition, DataFilter, EventFilter, Operator, Step
from tests.support.builders import event
from tests.support.strategies import filters, json_values, scalars, stored_events, texts

DATA = {
    "actor": {"id": "u-17", "type": "user"},
    "targets": [{"id": "doc-1", "size": 5}, {"id": "doc-2", "size": 50}, "plain"],
    "ok": True,
    "none": None,
    "big": 2**63 - 1,
    "empty": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("targets[*].id", "doc-2", True),
        ("targets[0].id", "doc-2", False),
        ("targets[*]", "plain", True),
        ("targets[*].size[gte]", "50", True),
        ("targets[*].size[gt]", "50", False),
        ("targets[*].size[lt]", "6", True),
        ("targets[*].id[not]", "doc-2", False),
        ("targets[*].id[not]", "doc-3", True),
        ("targets[*].none[exists]", "false", True),
        ("targets[3][exists]", "false", True),
        ("empty[*][exists]", "false", True),
        ("empty[exists]", "true", True),
        ("actor[*].id", "u-17", False),
        ("actor.id[0]", "u", False),
        ("ok", "1", False),
        ("ok", "true", True),
        ("ok[gt]", "0", False),
        ("none", "null", True),
        ("none[exists]", "true", True),
        ("none[not]", "null", False),
        ("missing[exists]", "true", False),
        ("missing[exists]", "false", True),
        ("missing[not]", "x", True),
        ("missing[gt]", "0", False),
        ("actor.id[prefix]", "u-", True),
        ("actor.id[prefix]", "U-", False),
        ("actor.id[gt]", "u-16", True),
        ("actor.id[gt]", "5", False),
        ("big", str(2**63 - 1), True),
        ("big[gt]", str(2**63 - 2), True),
        ("targets[prefix]", "p", False),
    ],
)
def test_a_condition_on_the_data_holds_or_not(name: str, value: str, *, expected: bool) -> None:
    assert matches(event(1, event_data=DATA), parse([(f"event_data.{name}", value)])) is expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("event_type[prefix]", "user.", True),
        ("event_type[not]", "user.login", False),
        ("event_type[gte]", "user", True),
        ("customer_id[lt]", "43", True),
        ("customer_id[not]", "42", False),
        ("recorded_by", "tests", True),
        ("recorded_by[prefix]", "x", False),
        ("timestamp_utc", "2023-11-14T22:13:20Z", True),
        ("timestamp_utc[not]", "1700000000", False),
        ("timestamp_utc[gt]", "2023-11-14T22:13:19.999Z", True),
        ("received_at", "2026-01-31T12:00:00.123Z", True),
        ("received_at[gt]", "2026-01-31T12:00:00.1229Z", True),
        ("received_at[gt]", "2026-01-31T12:00:00.123Z", False),
        ("received_at[lte]", "2026-01-31T13:00:00.123+01:00", True),
        ("received_at[lt]", "1767225600", False),
        ("q", "LOGIN", True),
        ("q", "user login", True),
        ("q", '"user login"', False),
        ("q", '"user.login" zurich', True),
        ("q", "stadt", True),
        ("q", "tests", False),
    ],
)
def test_a_condition_on_a_field_holds_or_not(name: str, value: str, *, expected: bool) -> None:
    item = event(
        1,
        event_type="user.login",
        customer_id=42,
        timestamp_utc=1_700_000_000,
        received_at=datetime(2026, 1, 31, 12, 0, 0, 123_000, UTC),
        recorded_by="tests",
        event_data={"where": {"Stadt": ["Zürich"]}},
    )
    assert matches(item, parse([(name, value)])) is expected


@given(stored_events, filters)
def test_a_filter_holds_if_each_of_its_conditions_does(item: Any, wanted: EventFilter) -> None:
    alone = [EventFilter(data=(each,)) for each in wanted.data]
    alone += [EventFilter(conditions=(each,)) for each in wanted.conditions]
    alone += [EventFilter(words=(word,)) for word in wanted.words]
    columns = EventFilter.model_fields.keys() - {"data", "conditions", "words"}
    alone += [EventFilter(**{name: getattr(wanted, name)}) for name in columns]
    assert matches(item, wanted) is all(matches(item, each) for each in alone)


@given(json_values, st.lists(scalars, min_size=1, max_size=3))
def test_not_is_the_opposite_of_equal(value: Any, wanted: list[Any]) -> None:
    item = event(1, event_data={"a": value})
    for path in [("a",), ("a", None), ("a", 0), ("b",)]:
        equal = EventFilter(data=(DataFilter(path=path, values=tuple(wanted)),))
        unequal = Condition(field="event_data", operator="not", path=path, values=tuple(wanted))
        assert matches(item, equal) is not matches(item, EventFilter(conditions=(unequal,)))


@given(json_values, scalars)
def test_any_of_the_three_orders_holds_for_values_of_one_kind_with_an_order(value: Any, wanted: Any) -> None:
    item = event(1, event_data={"a": value})

    def holds(operator: Operator) -> bool:
        condition = Condition(field="event_data", operator=operator, path=("a",), values=(wanted,))
        return matches(item, EventFilter(conditions=(condition,)))

    is_number = [isinstance(each, int | float) and not isinstance(each, bool) for each in (value, wanted)]
    is_ordered = all(is_number) or (isinstance(value, str) and isinstance(wanted, str))
    assert [holds("gt"), holds("lt"), holds("gte") and holds("lte")].count(True) == int(is_ordered)
    assert holds("gte") == (holds("gt") or (holds("gte") and holds("lte")))


@given(json_values)
def test_any_element_leads_to_what_each_index_leads_to(value: Any) -> None:
    indexes = range(len(value) if isinstance(value, list) else 0)
    paths: list[tuple[Step, ...]] = [(index, "a") for index in indexes]
    assert list(values_at(value, (None, "a"))) == [found for path in paths for found in values_at(value, path)]


@given(texts, texts, texts)
def test_every_part_of_a_text_is_found_in_any_case_and_with_any_accents(before: str, part: str, after: str) -> None:
    item = event(1, event_data={"a": [{"b": before + part + after}]})
    for spelling in (part, part.upper(), unicodedata.normalize("NFD", part)):
        quoted = f'"{spelling.replace(chr(34), "")}"'
        if '"' not in part and words_of(quoted):
            assert matches(item, EventFilter(words=words_of(quoted)))


@given(texts, texts)
def test_folding_a_text_folds_its_parts(one: str, other: str) -> None:
    assert fold(one + other) == fold(one) + fold(other)
    assert fold(fold(one)) == fold(one)

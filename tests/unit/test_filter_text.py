"""The grammar of filters: which pairs mean what, and which are refused with which remedy."""

from datetime import UTC, datetime
from typing import Any

import pytest

from core.domain.filter_text import is_filter, parse
from core.domain.queries import Condition, DataFilter, EventFilter
from core.errors import InvalidFieldsError


def errors(*pairs: tuple[str, str]) -> dict[str, str]:
    with pytest.raises(InvalidFieldsError) as caught:
        parse(pairs)
    return {str(error["loc"][0]): error["msg"] for error in caught.value.errors}


def test_no_pair_is_a_filter_that_selects_everything() -> None:
    assert parse([]) == EventFilter()


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([("event_type", "b"), ("event_type", "a"), ("event_type", "b")], {"event_types": ("b", "a")}),
        ([("customer_id", "2"), ("customer_id", "-1")], {"customer_ids": (2, -1)}),
        ([("timestamp_start_utc", "5"), ("timestamp_end_utc", "9")], {"start": 5, "end": 9}),
        ([("timestamp_utc[gte]", "5"), ("timestamp_utc[lte]", "9")], {"start": 5, "end": 9}),
        ([("timestamp_utc[gt]", "5"), ("timestamp_utc[lt]", "9")], {"start": 6, "end": 8}),
        ([("timestamp_utc[gt]", "1970-01-01T00:00:05.1Z"), ("timestamp_utc[lt]", "1970-01-01T00:00:08.5Z")],
         {"start": 6, "end": 8}),
        ([("timestamp_utc", "7")], {"start": 7, "end": 7}),
        ([("timestamp_utc[gte]", "5"), ("timestamp_utc[gte]", "7")], {"start": 5}),
        ([("timestamp_start_utc", "5"), ("timestamp_utc[gt]", "7")], {"start": 8}),
        ([("event_data.a", "1"), ("event_data.b[0]", "x"), ("event_data.a", "null"), ("event_data.a", "true")],
         {"data": (DataFilter(path=("a",), values=(1, None, True)), DataFilter(path=("b", 0), values=("x",)))}),
        ([("event_data.targets[*].id", "7")], {"data": (DataFilter(path=("targets", None, "id"), values=(7,)),)}),
        ([('event_data."a[not]"', "1")], {"data": (DataFilter(path=("a[not]",), values=(1,)),)}),
        ([("q", 'Ärger  "Big Deal" ARGER')], {"words": ("arger", "big deal")}),
    ],
)  # fmt: skip
def test_pairs_that_databases_answer_have_fields_of_their_own(
    pairs: list[tuple[str, str]], expected: dict[str, Any]
) -> None:
    assert parse(pairs) == EventFilter(**expected)


@pytest.mark.parametrize(
    ("name", "texts", "condition"),
    [
        ("event_type[prefix]", ["user.", "admin."], ("event_type", "prefix", ("user.", "admin."))),
        ("event_type[not]", ["a"], ("event_type", "not", ("a",))),
        ("customer_id[gt]", ["5"], ("customer_id", "gt", (5,))),
        ("recorded_by", ["client-1"], ("recorded_by", "eq", ("client-1",))),
        ("timestamp_utc[not]", ["5"], ("timestamp_utc", "not", (5,))),
        ("received_at[gte]", ["1970-01-01T00:00:05Z"],
         ("received_at", "gte", (datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC),))),
        ("event_data.a[not]", ["1", "x"], ("event_data", "not", (1, "x"), ("a",))),
        ("event_data.a[0][gte]", ["1.5"], ("event_data", "gte", (1.5,), ("a", 0))),
        ("event_data.a[*][lt]", ["x"], ("event_data", "lt", ("x",), ("a", None))),
        ("event_data.a[prefix]", ["12"], ("event_data", "prefix", ("12",), ("a",))),
        ("event_data.a[exists]", ["false"], ("event_data", "exists", (False,), ("a",))),
    ],
)  # fmt: skip
def test_every_other_pair_is_one_condition(name: str, texts: list[str], condition: tuple[Any, ...]) -> None:
    expected = Condition(**dict(zip(("field", "operator", "values", "path"), condition, strict=False)))
    assert parse([(name, text) for text in texts]) == EventFilter(conditions=(expected,))


def test_several_times_that_are_equal_keep_their_span_for_the_index() -> None:
    condition = Condition(field="timestamp_utc", operator="eq", values=(9, 5))
    found = parse([("timestamp_utc", "9"), ("timestamp_utc", "5")])
    assert found == EventFilter(start=5, end=9, conditions=(condition,))


ALL = r"[not], [gt], [gte], [lt], [lte], [prefix] or [exists]"


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("event_type[like]", "x", ALL),
        ("event_type[NOT]", "x", ALL),
        ("event_type[]", "x", ALL),
        ("event_type[0]", "x", ALL),
        ("event_type[not][gt]", "x", ALL),
        ("event_type.a", "x", None),
        ("event_type[exists]", "true", "[not], [gt], [gte], [lt], [lte] or [prefix]"),
        ("customer_id[prefix]", "4", "[not], [gt], [gte], [lt] or [lte]"),
        ("received_at[exists]", "true", "[not], [gt], [gte], [lt] or [lte]"),
        ("event_data.a[like]", "x", ALL),
        ("event_data.a[-1]", "x", ALL),
        ("event_data.a[not].b", "x", "one operator may follow at the end"),
        ("event_data.a[gt][lt]", "x", "one operator may follow at the end"),
        ("event_data.[not]", "x", "must name a member"),
        ("timestamp_start_utc[gt]", "5", None),
        ("event_data.a[gt]", "true", "has no order"),
        ("event_data.a[exists]", "yes", "must be true or false"),
        ("customer_id[gt]", "x", "must be an integer"),
        ("received_at", "x", "RFC 3339"),
        ("timestamp_utc", "2026-01-31T12:00:00 02:00", "%2B"),
        ("q", " ", "must have a word"),
        ("q", '""', "must have a word"),
        ("q", "a b c d e f g h i j k", "at most 10 words of 100 characters"),
        ("q", "x" * 101, "at most 10 words of 100 characters"),
        ("q", "a\0", "NUL"),
        ("event_data.a[prefix]", "a\0", "NUL"),
    ],
)
def test_a_pair_that_means_nothing_is_refused_with_its_remedy(name: str, value: str, remedy: str | None) -> None:
    if remedy is None:  # the parameters of a route refuse it
        assert not is_filter(name)
    else:
        assert is_filter(name)
        assert remedy in errors((name, value))[name]


def test_all_that_is_wrong_is_named_at_once() -> None:
    assert errors(
        ("customer_id", "x"), ("event_data.a[gt]", "null"), ("event_data.a[lt]", "1"), ("q", "a"), ("q", "b")
    ).keys() == {"customer_id", "event_data.a[gt]", "q"}


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    assert errors(("timestamp_start_utc", "2"), ("timestamp_end_utc", "1")) == {
        "timestamp_start_utc": "must not be after timestamp_end_utc"
    }
    assert errors(("timestamp_utc[gt]", "5"), ("timestamp_utc", "5")).keys() == {"timestamp_utc[gt]"}


def test_a_name_that_is_not_utf_8_is_named_in_a_form_that_json_can_carry() -> None:
    assert errors(("event_data.\udcff", "1")).keys() == {"event_data.?"}

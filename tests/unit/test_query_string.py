from typing import Any

import pytest

from core.domain.queries import DataFilter
from core.errors import InvalidFieldsError
from functions.http.event_filters import CUSTOMER_ID, EVENT_TYPE
from functions.http.query_string import QueryString, data_path, data_value, event_type, integer, timestamp
from functions.query_events import LIMIT, PARAMETERS

ARABIC_FIVE = "\u0665"


def query(*pairs: tuple[str, str]) -> QueryString:
    return QueryString(pairs, PARAMETERS)


def errors(query_string: QueryString) -> dict[str, str]:
    with pytest.raises(InvalidFieldsError) as caught:
        query_string.raise_errors()
    return {str(error["loc"][0]): error["msg"] for error in caught.value.errors}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", ("a",)),
        ("admin_data.username", ("admin_data", "username")),
        ("items[0].name", ("items", 0, "name")),
        ("matrix[10][2]", ("matrix", 10, 2)),
        ("0", ("0",)),
        ("with space.é😀.$", ("with space", "é😀", "$")),
        (".".join("a" * 31), tuple("a" * 31)),
        ('"a.b"', ("a.b",)),
        ('"k[0]"', ("k[0]",)),
        ('a."b.c"[0]."d"', ("a", "b.c", 0, "d")),
        ('""', ("",)),
    ],
)
def test_a_path_is_read_into_its_steps(text: str, path: tuple[str | int, ...]) -> None:
    assert data_path(text) == path


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "must name a member"),
        ("a..b", "must name a member"),
        (".a", "must name a member"),
        ("a.", "must name a member"),
        ("[0]", "must name a member"),
        ("a[", "must name a member"),
        ("a[-1]", "must name a member"),
        ("a[x]", "must name a member"),
        ("a[0]b", "must name a member"),
        ("a[1234567890]", "must name a member"),
        ('a"b', "must name a member"),
        ('"a', "must name a member"),
        ('"a"b', "must name a member"),
        ('"a""b"', "must name a member"),
        ('"a.b', 'in double quotes: event_data."a.b"'),
        ("a\\b", "must not contain backslashes"),
        ('"a\\"b"', "must not contain backslashes"),
        ("a\nb", "must not contain backslashes"),
        ("a\n", "must not contain backslashes"),
        ("a\x7f", "must not contain backslashes"),
        (".".join("a" * 32), "at most 31 steps"),
        ("\udcff", "UTF-8"),
    ],
)
def test_a_path_that_no_database_can_follow_is_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        data_path(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("5", 5),
        ("-5", -5),
        ("5.0", 5.0),
        ("1e3", 1000.0),
        ('"5"', "5"),
        ('"true"', "true"),
        (r'"\u00e9"', "é"),
        ("", ""),
        ("True", "True"),
        ("05", "05"),
        ("+5", "+5"),
        (".5", ".5"),
        ("5 ", "5 "),
        (ARABIC_FIVE, ARABIC_FIVE),
        ("{}", "{}"),
        ("NaN", "NaN"),
        ("admin", "admin"),
    ],
)
def test_a_value_is_json_where_it_looks_like_it_and_else_text(text: str, value: object) -> None:
    read = data_value(text)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize("text", ['"', '"a" b', '"a', "1e400", str(2**63), r'"\ud800"', "\x00", "\udcff"])
def test_a_value_that_is_neither_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not one JSON value|must not contain NUL|must be UTF-8"):
        data_value(text)


def test_integers_are_read_within_their_bounds() -> None:
    assert [integer(text) for text in ["0", "-1", str(2**63 - 1), str(-(2**63))]] == [0, -1, 2**63 - 1, -(2**63)]
    assert integer("1", low=1) == 1


@pytest.mark.parametrize("text", ["", "1.0", "1e3", " 1", "+1", "1_000", ARABIC_FIVE, "--1", "-", "1\n"])
def test_what_is_no_integer_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be an integer, such as 42$"):
        integer(text)


@pytest.mark.parametrize(
    ("text", "low", "message"),
    [
        (str(2**63), 0, "must be at most 9223372036854775807"),
        ("9" * 5000, 0, "must be at most 9223372036854775807"),
        (str(-(2**63) - 1), -(2**63), "must be at least -9223372036854775808"),
        ("-" + "9" * 5000, -(2**63), "must be at least -9223372036854775808"),
        ("0", 1, "must be at least 1"),
    ],
)
def test_an_integer_out_of_bounds_is_refused_with_the_nearer_bound(text: str, low: int, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        integer(text, low=low)


@pytest.mark.parametrize("text", ["", "2026-01-01T00:00:00Z", "2026-01-31", "1e9", "1767225600.0"])
def test_a_date_is_refused_with_an_example_of_unix_seconds(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"^must be Unix seconds, an integer from 0 to 253402300799, such as 1767225600$"
    ):
        timestamp(text)


def test_a_limit_below_one_is_refused_with_the_maximum_of_a_page() -> None:
    asked = query(("limit", "0"))
    asked.one(LIMIT)
    assert errors(asked) == {"limit": "must be at least 1; more than 100 becomes 100"}


def test_times_and_types_are_held_to_the_rules_of_an_event() -> None:
    assert (timestamp("1700000000"), event_type("a b")) == (1_700_000_000, "a b")
    with pytest.raises(ValueError, match=r"^is beyond the year 9999: this looks like milliseconds"):
        timestamp("1700000000000")
    with pytest.raises(ValueError, match="at least 1 character"):
        event_type("")
    with pytest.raises(ValueError, match=r"unicode|UTF-8"):
        event_type("\udcff")


def test_values_come_in_order_and_each_once() -> None:
    asked = query(("customer_id", "2"), ("event_type", "b"), ("customer_id", "1"), ("customer_id", "2"))
    assert (asked.many(CUSTOMER_ID), asked.many(EVENT_TYPE)) == ((2, 1), ("b",))
    assert asked.one(LIMIT) is None


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("event_typ", "is not a parameter; did you mean event_type?"),
        ("Limit", "is not a parameter; did you mean limit?"),
        ("event_data", "is not a parameter; did you mean event_data.PATH?"),
        ("xyzzy", "is not a parameter"),
        ("", "is not a parameter"),
    ],
)
def test_an_unknown_parameter_is_refused(name: str, told: str) -> None:
    assert errors(query((name, "1"))) == {name: told}


def test_a_parameter_that_may_come_once_is_refused_when_it_comes_again() -> None:
    asked = query(("limit", "1"), ("limit", "1"))
    assert asked.one(LIMIT) is None
    assert errors(asked) == {"limit": "occurs 2 times: send it once"}


def test_all_that_is_wrong_is_told_at_once() -> None:
    asked = query(("customer_id", "x"), ("limit", "0"), ("event_data.a", '"'), ("event_data..b", "1"), ("foo", ""))
    assert asked.many(CUSTOMER_ID) == ()
    assert asked.one(LIMIT) is None
    assert asked.data_filters() == ()
    assert errors(asked).keys() == {"customer_id", "limit", "event_data.a", "event_data..b", "foo"}


def test_a_path_that_comes_again_matches_any_of_its_values() -> None:
    asked = query(("event_data.a", "1"), ("event_data.b[0]", "x"), ("event_data.a", "null"))
    assert asked.data_filters() == (
        DataFilter(path=("a",), values=(1, None)),
        DataFilter(path=("b", 0), values=("x",)),
    )


@pytest.mark.parametrize(
    "pair", [lambda number: ("event_data.a", str(number)), lambda number: (f"event_data.a{number}", "1")]
)
def test_more_data_filters_than_a_database_takes_are_refused(pair: Any) -> None:
    assert query(*map(pair, range(100))).data_filters()
    asked = query(*map(pair, range(101)))
    assert asked.data_filters() == ()
    assert errors(asked) == {"event_data": "occurs 101 times: at most 100 are accepted"}


def test_data_filters_are_unknown_where_there_are_none() -> None:
    assert errors(QueryString([("event_data.a", "1")], known=())) == {"event_data.a": "is not a parameter"}

"""Values of filters: what a text stands for, and which texts are refused with which remedy."""

from datetime import UTC, datetime

import pytest

from core.domain.filter_values import (
    SECOND,
    boolean,
    data_path,
    data_value,
    event_type,
    integer,
    moment,
    nanoseconds,
    ordered_value,
    seconds,
    text_value,
)
from core.domain.queries import Operator, Step

ARABIC_FIVE = "\u0665"


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
        ("targets[*].id", ("targets", None, "id")),
        ("m[*][0][*]", ("m", None, 0, None)),
        ("*", ("*",)),
    ],
)
def test_a_path_is_read_into_its_steps(text: str, path: tuple[Step, ...]) -> None:
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
        ("a[**]", "must name a member"),
        ("a[gt].b", "one operator may follow at the end"),
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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("1767225600", 1_767_225_600 * SECOND),
        ("2026-01-01T00:00:00Z", 1_767_225_600 * SECOND),
        ("2026-01-01t00:00:00z", 1_767_225_600 * SECOND),
        ("2026-01-01 01:30:00+01:30", 1_767_225_600 * SECOND),
        ("2025-12-31T19:00:00.5-05:00", 1_767_225_600 * SECOND + SECOND // 2),
        ("2026-01-01T00:00:00.123456789Z", 1_767_225_600 * SECOND + 123_456_789),
        ("9999-12-31T23:59:59Z", 253_402_300_799 * SECOND),
    ],
)
def test_a_time_is_unix_seconds_or_rfc_3339(text: str, expected: int) -> None:
    assert nanoseconds(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "1e9", "1767225600.0", "2026-01-31", "2026-01-31T12:00:00", "2026-01-31T12:00Z", "2026-13-01T00:00:00Z",
        "2026-01-31T12:00:60Z", "2026-01-31T12:00:00.Z", "2026-01-31T12:00:00.1234567890Z", "2026-01-31T12:00:00+0200",
        "2026-01-31T12:00:00+24:00", "today", f"2026-01-31T12:00:0{ARABIC_FIVE}Z",
    ],
)  # fmt: skip
def test_a_text_that_is_no_time_is_refused_with_both_forms(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be Unix seconds, .* such as 1767225600, or RFC 3339 .*00:00Z$"):
        nanoseconds(text)


def test_a_plus_that_became_a_space_is_refused_with_its_encoding() -> None:
    with pytest.raises(ValueError, match=r"send %2B for \+"):
        nanoseconds("2026-01-31T12:00:00 02:00")


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("1700000000000", "is beyond the year 9999: this looks like milliseconds"),
        ("-1", "must not be before 1970"),
        ("1969-12-31T23:59:59Z", "must not be before 1970"),
        ("0001-01-01T00:00:00+23:59", "must not be before 1970"),
    ],
)
def test_a_time_that_no_event_can_have_is_refused(text: str, remedy: str) -> None:
    with pytest.raises(ValueError, match=remedy):
        nanoseconds(text)


@pytest.mark.parametrize(
    ("operator", "expected"),
    [("gt", 1_767_225_600), ("gte", 1_767_225_601), ("lt", 1_767_225_601), ("lte", 1_767_225_600)],
)
def test_a_fraction_is_rounded_so_that_whole_units_compare_alike(operator: Operator, expected: int) -> None:
    assert seconds("2026-01-01T00:00:00.5Z", operator) == expected
    second = datetime(2026, 1, 1, tzinfo=UTC)
    thousandths = expected - 1_767_225_600
    assert moment("2026-01-01T00:00:00.0005Z", operator) == second.replace(microsecond=thousandths * 1000)


@pytest.mark.parametrize("operator", ["eq", "not"])
def test_equality_with_a_fraction_that_no_event_has_is_refused(operator: Operator) -> None:
    assert moment("2026-01-01T00:00:00.123Z", operator) == datetime(2026, 1, 1, 0, 0, 0, 123_000, UTC)
    with pytest.raises(ValueError, match="whole milliseconds"):
        moment("2026-01-01T00:00:00.1234Z", operator)
    with pytest.raises(ValueError, match="whole seconds"):
        seconds("2026-01-01T00:00:00.5Z", operator)


def test_a_receive_time_beyond_the_year_9999_is_refused() -> None:
    with pytest.raises(ValueError, match="must be Unix seconds"):
        moment("9999-12-31T23:59:59.9999Z", "lt")


def test_types_are_held_to_the_rules_of_an_event() -> None:
    assert event_type("a b") == "a b"
    with pytest.raises(ValueError, match="must not be empty"):
        event_type("")
    with pytest.raises(ValueError, match=r"unicode|UTF-8"):
        event_type("\udcff")


def test_values_in_an_order_are_numbers_and_texts() -> None:
    assert [ordered_value(text) for text in ("5", "-0.5", "b", '"true"')] == [5, -0.5, "b", "true"]
    for text in ("true", "null"):
        with pytest.raises(ValueError, match="has no order"):
            ordered_value(text)


def test_a_text_needs_no_quotes_even_if_it_looks_like_a_number() -> None:
    assert [text_value(text) for text in ("12", '"12"', "true", "")] == ["12", "12", "true", ""]


def test_a_boolean_is_true_or_false() -> None:
    assert (boolean("true"), boolean("false")) == (True, False)
    with pytest.raises(ValueError, match="must be true or false"):
        boolean("1")

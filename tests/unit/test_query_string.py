from typing import Any

import pytest

from core.domain.queries import DataFilter, EventFilter
from core.errors import InvalidFieldsError
from functions.http.query_string import Parameter, QueryString
from functions.query_events import LIMIT, PARAMETERS


def query(*pairs: tuple[str, str]) -> QueryString:
    return QueryString(pairs, PARAMETERS)


def errors(query_string: QueryString) -> dict[str, str]:
    with pytest.raises(InvalidFieldsError) as caught:
        query_string.raise_errors()
    return {str(error["loc"][0]): error["msg"] for error in caught.value.errors}


def test_a_limit_below_one_is_refused_with_the_maximum_of_a_page() -> None:
    asked = query(("limit", "0"))
    asked.one(LIMIT)
    assert errors(asked) == {"limit": "must be at least 1; more than 100 becomes 100"}


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
    assert asked.one(LIMIT) is None
    assert asked.filter() == EventFilter()
    assert errors(asked).keys() == {"customer_id", "limit", "event_data.a", "event_data..b", "foo"}


def test_a_path_that_comes_again_matches_any_of_its_values() -> None:
    asked = query(("event_data.a", "1"), ("event_data.b[0]", "x"), ("event_data.a", "null"))
    assert asked.filter().data == (
        DataFilter(path=("a",), values=(1, None)),
        DataFilter(path=("b", 0), values=("x",)),
    )


@pytest.mark.parametrize(
    "pair", [lambda number: ("event_data.a", str(number)), lambda number: (f"event_data.a{number}", "1")]
)
def test_more_data_filters_than_a_database_takes_are_refused(pair: Any) -> None:
    assert query(*map(pair, range(100))).filter().data
    asked = query(*map(pair, range(101)))
    assert asked.filter() == EventFilter()
    assert errors(asked) == {"event_data": "occurs 101 times: at most 100 are accepted"}


def test_data_filters_are_unknown_where_there_are_none() -> None:
    assert errors(QueryString([("event_data.a", "1")], known=())) == {"event_data.a": "is not a parameter"}


def test_a_required_parameter_that_is_missing_is_an_error_with_all_others() -> None:
    needed = Parameter("needed", int, {}, "", required=True)
    assert errors(QueryString([("other", "1")], [needed])) == {
        "other": "is not a parameter",
        "needed": "is required",
    }

"""Definitions of streams: accepted values, refusals, and the meaning of a filter in them."""

from typing import Any

import pytest
from pydantic import ValidationError

from core.domain.matching import matches
from core.domain.streams import StreamDefinition
from tests.support.builders import event as make_event

HTTP = {"kind": "http", "url": "https://hooks.example.org/audit"}


def define(**changes: Any) -> StreamDefinition:
    return StreamDefinition.model_validate({"name": "siem", "destination": HTTP, **changes})


def test_a_filter_is_read_like_the_query_string_of_a_listing() -> None:
    wanted = define(filter="event_type=user.login&event_data.outcome=failure&customer_id=1&customer_id=2").event_filter
    assert matches(make_event(event_type="user.login", customer_id=2, event_data={"outcome": "failure"}), wanted)
    assert not matches(make_event(event_type="user.login", customer_id=3, event_data={"outcome": "failure"}), wanted)
    assert not matches(make_event(event_type="user.login", customer_id=2, event_data={"outcome": "success"}), wanted)


def test_a_stream_without_a_filter_selects_all_events_of_its_customers() -> None:
    assert matches(make_event(customer_id=7), define().event_filter)
    assert matches(make_event(customer_id=7), define(customers=[7]).event_filter)
    assert not matches(make_event(customer_id=8), define(customers=[7]).event_filter)


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"filter": "event_type"}, "must be a query string"),
        ({"filter": "event_type=%ff"}, "must be a query string in UTF-8"),
        ({"filter": "customer_id=1&s3cr3t=red"}, "has in pair 2 a name that is no field: docs/reference/http.md"),
        ({"filter": "event_data.a[near]=1"}, "no operator"),
        ({"filter": "customer_id=x"}, "must be an integer"),
        ({"filter": "limit=5"}, "no field"),
        ({"format": "xml"}, "'native', 'cloudevents' or 'ocsf'"),
        ({"drop": ["a..b"]}, "must name a member"),
        ({"name": " siem"}, "must not begin or end with a space"),
        ({"name": ""}, "at least 1 character"),
        ({"customers": []}, "at least 1 item"),
        ({"batch": 0}, "greater than or equal to 1"),
        ({"destination": {"url": "https://x"}}, "must have a kind"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_a_definition_that_makes_no_sense_is_refused(changes: dict[str, Any], remedy: str) -> None:
    with pytest.raises(ValidationError, match=remedy):
        define(**changes)


def test_an_error_does_not_repeat_a_secret_in_the_wrong_place() -> None:
    with pytest.raises(ValidationError) as caught:
        define(token="s3cr3t", destination="s3cr3t", filter="s3cr3t")
    assert "s3cr3t" not in str(caught.value)

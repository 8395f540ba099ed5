"""Errors of pydantic in the words of this service: what the sender has to change, in terms of JSON."""

from typing import Any

import pytest
from pydantic import ValidationError

from core.domain.alert_rules import AlertRuleDefinition
from core.domain.field_errors import field_errors

RULE = {"name": "logins", "kind": "threshold", "threshold": 5, "window_seconds": 60}


@pytest.mark.parametrize(
    ("sent", "errors"),
    [
        ([], {"": "must be a JSON object"}),
        ({"name": "logins"}, {"kind": "is required"}),
        ({**RULE, "colour": "red"}, {"colour": "is not a field: leave it out"}),
        ({**RULE, "name": 5}, {"name": "must be a string"}),
        ({**RULE, "name": ""}, {"name": "must not be empty"}),
        ({**RULE, "name": "x" * 101}, {"name": "must have at most 100 characters"}),
        ({**RULE, "kind": "other"}, {"kind": "must be 'threshold', 'first_seen' or 'absence'"}),
        ({**RULE, "threshold": 0}, {"threshold": "must be at least 1"}),
        ({**RULE, "threshold": 1001}, {"threshold": "must be at most 1000"}),
        (
            {**RULE, "threshold": "5"},
            {"threshold": "must be a JSON integer, such as 42: no quotes, no fraction, no exponent"},
        ),
        ({**RULE, "group_by": "customer_id"}, {"group_by": "must be a JSON array"}),
        ({**RULE, "group_by": [f"event_data.{name}" for name in "abcd"]}, {"group_by": "must have at most 3 items"}),
        ({**RULE, "customers": []}, {"customers": "must not be empty"}),
        ({**RULE, "group_by": ["x"]}, {"group_by.0": "must be customer_id, event_type, recorded_by or a path such as "
                                                     "event_data.actor.id"}),
    ],
)  # fmt: skip
def test_an_error_says_what_to_change(sent: Any, errors: dict[str, str]) -> None:
    assert found(sent) == errors


def test_an_array_of_invalid_items_has_their_errors_only() -> None:
    assert list(found({**RULE, "customers": ["42", None]})) == ["customers.0", "customers.1"]


def test_no_error_has_the_words_of_python() -> None:
    sent = {**RULE, "name": None, "kind": [], "threshold": True, "group_by": {}, "customers": [2**63], "path": 1}
    for message in found(sent).values():
        assert not {"Input", "Tuple", "tuple", "dictionary", "String"} & {*message.split()}


def found(sent: Any) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        AlertRuleDefinition.model_validate(sent)
    return {".".join(map(str, each["loc"])): each["msg"] for each in field_errors(caught.value)}

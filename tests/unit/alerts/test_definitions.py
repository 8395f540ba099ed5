"""Definitions of alert rules: what cannot work is refused with the remedy."""

from typing import Any

import pytest
from pydantic import ValidationError

from core.domain.alert_rules import AlertRuleDefinition

THRESHOLD = {"name": "logins", "kind": "threshold", "threshold": 5, "window_seconds": 300}
FIRST_SEEN = {"name": "address", "kind": "first_seen", "path": "event_data.context.ip"}
ABSENCE = {"name": "heartbeat", "kind": "absence", "window_seconds": 300}


@pytest.mark.parametrize("fields", [THRESHOLD, FIRST_SEEN, ABSENCE, {**FIRST_SEEN, "forget_days": 30}])
def test_a_rule_of_each_kind_is_accepted(fields: dict[str, Any]) -> None:
    definition = AlertRuleDefinition.model_validate({**fields, "group_by": ["customer_id", "event_data.actor.id"]})
    assert definition.kind == fields["kind"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({**THRESHOLD, "kind": "anomaly"}, "'threshold', 'first_seen' or 'absence'"),
        ({**THRESHOLD, "window_seconds": 0}, "greater than or equal to 1"),
        ({**THRESHOLD, "window_seconds": 2_678_401}, "less than or equal to 2678400"),
        ({**THRESHOLD, "window_seconds": None}, "a rule of the kind threshold needs window_seconds"),
        ({**THRESHOLD, "threshold": 0}, "greater than or equal to 1"),
        ({**THRESHOLD, "threshold": 1001}, "less than or equal to 1000"),
        ({**THRESHOLD, "threshold": "5"}, "valid integer"),
        ({**THRESHOLD, "path": "event_type"}, "a rule of the kind threshold must not have path"),
        ({**FIRST_SEEN, "path": None}, "a rule of the kind first_seen needs path"),
        ({**FIRST_SEEN, "path": "context.ip"}, "a path such as event_data.actor.id"),
        ({**FIRST_SEEN, "path": "event_data."}, "must name a member"),
        ({**FIRST_SEEN, "window_seconds": 60}, "a rule of the kind first_seen must not have window_seconds"),
        ({**FIRST_SEEN, "forget_days": 0}, "greater than or equal to 1"),
        ({**ABSENCE, "threshold": 1}, "a rule of the kind absence must not have threshold"),
        ({**ABSENCE, "window_seconds": None}, "a rule of the kind absence needs window_seconds"),
        ({**ABSENCE, "filter": "event_type[like]=user"}, "is invalid"),
        ({**ABSENCE, "filter": "no filter"}, "must be a query string"),
        ({**ABSENCE, "filter": "limit=5"}, "is no field"),
        ({**ABSENCE, "group_by": ["customer_id"] * 2}, "must not name a field twice"),
        ({**ABSENCE, "group_by": ["event_data.a", "event_data.b", "event_data.c", "event_type"]}, "at most 3"),
        ({**ABSENCE, "group_by": ["event_data.targets[*].id"]}, "must lead to one value"),
        ({**ABSENCE, "group_by": ["received_at"]}, "must be customer_id, event_type, recorded_by or a path"),
        ({**ABSENCE, "customers": []}, "at least 1"),
        ({**ABSENCE, "name": " x"}, "must not begin or end with a space"),
        ({**ABSENCE, "severity": "high"}, "Extra inputs are not permitted"),
    ],
)
def test_what_cannot_work_is_refused_with_the_remedy(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        AlertRuleDefinition.model_validate(fields)
    assert message in str(refused.value)

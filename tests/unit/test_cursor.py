import base64
import json
from typing import Any

import pytest

from core.domain import cursor
from core.domain.queries import DataFilter, EventFilter, Order, Position
from core.errors import InvalidFieldsError
from tests.support.builders import event

PLACE = Position(timestamp_utc=1_700_000_000, event_id=event().event_id, offset=100)
FILTER = EventFilter(event_types=("user.login",), visible_customers=(1, 2))


def refusal(text: str, event_filter: EventFilter = FILTER, order: Order = "desc") -> str:
    with pytest.raises(InvalidFieldsError) as caught:
        cursor.decode(text, event_filter, order)
    assert caught.value.errors[0]["loc"] == ["cursor"]
    return caught.value.errors[0]["msg"]


def forged(**place: Any) -> str:
    """Build a cursor with a genuine fingerprint and a forged position."""
    genuine = cursor.encode(PLACE, FILTER, "desc")
    content = json.loads(base64.urlsafe_b64decode(genuine + "=="))
    content["position"] |= place
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def test_a_cursor_gives_back_its_place() -> None:
    assert cursor.decode(cursor.encode(PLACE, FILTER, "desc"), FILTER, "desc") == PLACE


def test_a_cursor_can_stand_in_a_url_as_it_is() -> None:
    text = cursor.encode(PLACE, FILTER, "asc")
    assert text.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "changed",
    [
        {"event_types": ()},
        {"event_types": ("user.logout",)},
        {"customer_ids": (1,)},
        {"start": 0},
        {"end": 0},
        {"data": (DataFilter(path=("a",), values=(1,)),)},
        {"visible_customers": None},
        {"visible_customers": (1, 2, 3)},
    ],
)
def test_a_cursor_of_another_listing_is_refused(changed: dict[str, Any]) -> None:
    text = cursor.encode(PLACE, FILTER, "desc")
    assert "another listing" in refusal(text, FILTER.model_copy(update=changed))


def test_a_cursor_of_the_other_order_is_refused() -> None:
    assert "another listing" in refusal(cursor.encode(PLACE, FILTER, "desc"), order="asc")


@pytest.mark.parametrize("text", ["", "x", "é", "not/base64", "AAAA", "e30", "bnVsbA", "a" * 10_001])
def test_a_text_that_is_no_cursor_is_refused(text: str) -> None:
    assert "is not a cursor" in refusal(text)


@pytest.mark.parametrize(
    "place",
    [{"timestamp_utc": 10**30}, {"timestamp_utc": -1}, {"event_id": "' OR 1"}, {"offset": -1}, {"offset": 2**63}],
)
def test_a_forged_place_that_no_event_has_is_refused(place: dict[str, Any]) -> None:
    assert cursor.decode(forged(), FILTER, "desc") == PLACE
    assert "is not a cursor" in refusal(forged(**place))

"""Masks leave values out or hash them, and change nothing else."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.domain.filter_values import data_path
from core.domain.matching import values_at
from core.streams.masking import keyed_hash, masked
from tests.support.builders import event
from tests.support.strategies import json_values, paths

KEY = b"k" * 32
DATA = {
    "actor": {"id": 7, "email": "ada@example.org"},
    "targets": [{"id": "a", "name": "Plan"}, {"id": "b"}, "c", None],
    "a.b": {"c": 1},
    "ip": "203.0.113.7",
}


def mask(drop: tuple[str, ...] = (), hash_: tuple[str, ...] = (), data: dict[str, Any] = DATA) -> dict[str, Any]:
    before = copy.deepcopy(data)
    found = masked(event(1, event_data=data), tuple(map(data_path, drop)), tuple(map(data_path, hash_)), KEY)
    assert data == before
    return found.event_data


def test_a_member_is_left_out_with_its_name() -> None:
    assert mask(("actor.email",)) == {**DATA, "actor": {"id": 7}}
    assert mask(("actor",)) == {name: value for name, value in DATA.items() if name != "actor"}
    assert mask(('"a.b".c',)) == {**DATA, "a.b": {}}


def test_a_path_with_any_element_reaches_all_of_them() -> None:
    assert mask(("targets[*].name",))["targets"] == [{"id": "a"}, {"id": "b"}, "c", None]
    assert mask(hash_=("targets[*].id",))["targets"] == [
        {"id": keyed_hash("a", KEY), "name": "Plan"}, {"id": keyed_hash("b", KEY)}, "c", None,
    ]  # fmt: skip


def test_an_element_that_is_left_out_becomes_null_and_the_others_keep_their_places() -> None:
    assert mask(("targets[1]",))["targets"] == [{"id": "a", "name": "Plan"}, None, "c", None]
    assert mask(("targets[*]",))["targets"] == [None] * 4


def test_a_path_that_leads_nowhere_changes_nothing() -> None:
    sent = event(1, event_data=DATA)
    nowhere = tuple(map(data_path, ("actor.id.x", "none", "targets.id", "ip[0]", "ip[*]", "actor[*]")))
    assert masked(sent, nowhere, nowhere, KEY) is sent
    assert mask(("targets[9]", "targets[*].none")) == DATA


def test_a_value_that_is_left_out_is_not_hashed() -> None:
    assert mask(("ip",), ("ip",)) == {name: value for name, value in DATA.items() if name != "ip"}


def test_equal_values_have_equal_hashes_under_one_key_only() -> None:
    assert keyed_hash(5, KEY) == keyed_hash(5.0, KEY)
    assert keyed_hash({"a": 1, "b": 2}, KEY) == keyed_hash({"b": 2, "a": 1}, KEY)
    different: tuple[Any, ...] = (1, True, "1", None, "", [], {}, [1], "true", 2**53, 2**53 + 1, "a", "A")
    assert len({keyed_hash(value, KEY) for value in different}) == len(different)
    assert keyed_hash("a", KEY) != keyed_hash("a", b"other" * 8)
    assert keyed_hash("ada@example.org", KEY) == "90c0a01fe4e6eab7"


@given(st.dictionaries(st.sampled_from("abA"), json_values, min_size=1), paths)
def test_no_value_stays_where_a_path_leads_and_all_others_do(data: dict[str, Any], path: list[Any]) -> None:
    before = copy.deepcopy(data)
    sent = event(1, event_data=data)
    dropped = masked(sent, [path], (), KEY).event_data
    hashed = masked(sent, (), [path], KEY).event_data
    assert data == before
    found = list(values_at(before, path))
    assert [value for value in values_at(dropped, path) if value is not None] == []
    assert list(values_at(hashed, path)) == [keyed_hash(value, KEY) for value in found]
    if not found:
        assert dropped == hashed == before

"""Canonical JSON against the published examples of RFC 8785, and as a function of the value."""

import json
import math
import struct
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.domain.canonical_json import canonical, canonical_texts, encode_double
from core.domain.strict_json import loads
from core.stores.json_text import to_decimal_json
from tests.support.builders import event

# The signs by which texts of orjson that are not canonical are found, in strings as well.
signs = st.text(st.sampled_from(':,[]{}".0e-+5\\su 😀'), max_size=8)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | signs
integers = st.integers(-(2**63), 2**63 - 1)
doubles = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70).map(float)
scalars = st.none() | st.booleans() | integers | doubles | text
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4), max_leaves=10
)
objects = st.dictionaries(text, values, max_size=4)


# testdata of github.com/cyberphone/json-canonicalization, Apache-2.0, by the author of RFC 8785.
@pytest.mark.parametrize(
    ("posted", "expected"),
    [
        ('[\n  56,\n  {\n    "d": true,\n    "10": null,\n    "1": [ ]\n  }\n]', '[56,{"1":[],"10":null,"d":true}]'),
        (
            '{"peach": "a", "péché": "b", "pêche": "c", "sin": "d"}',
            '{"peach":"a","péché":"b","pêche":"c","sin":"d"}',
        ),
        (
            '{"1": {"f": {"f": "hi","F": 5} ,"\\n": 56.0}, "10": { }, "": "empty", "a": { }, "111": [ { } ], "A": { }}',
            '{"":"empty","1":{"\\n":56,"f":{"F":5,"f":"hi"}},"10":{},"111":[{}],"A":{},"a":{}}',
        ),
        (r'{"Unnormalized Unicode":"\u1e0d\u0307"}', '{"Unnormalized Unicode":"ḍ̇"}'),
        (
            '{"numbers": [1E30, 4.50, 333333333.33333329, 2e-3, 0.000000000000000000000000001],'
            r'"escaping": "\u20ac$\u000F\u000aA' + r"'\u0042\u0022\u005c\\\"\/" + '", "literals": [null, true, false]}',
            (
                '{"escaping":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/","literals":[null,true,false],'
                '"numbers":[1e+30,4.5,333333333.3333333,0.002,1e-27]}'
            ),
        ),
        (
            r'{"\u20ac": "a", "\r": "b", "\ufb33": "c", "1": "d", "\ud83d\ude00": "e", "\u0080": "f", "\u00f6": "g"}',
            '{"\\r":"b","1":"d","\x80":"f","ö":"g","€":"a","😀":"e","\ufb33":"c"}',
        ),
        (
            r'{"\u20ac": 1, "1": 2, "\u0080": "Control\u007f", "\ud83d\ude02": 3, "\ufb33": 4, "</script>": 5}',
            '{"1":2,"</script>":5,"\x80":"Control\x7f","€":1,"😂":3,"\ufb33":4}',
        ),
    ],
)
def test_the_published_examples_have_their_published_text(posted: str, expected: str) -> None:
    assert canonical(json.loads(posted)).decode() == expected


# RFC 8785 appendix B.
@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("ffefffffffffffff", "-1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("c340000000000000", "-9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef4f", "999999999999999900000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("41b3de4355555554", "333333333.33333325"),
        ("41b3de4355555555", "333333333.3333333"),
        ("41b3de4355555556", "333333333.3333334"),
        ("41b3de4355555557", "333333333.33333343"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_a_double_has_its_published_text(bits: str, expected: str) -> None:
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical([value]).decode() == f"[{expected}]"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2**53 + 1, "9007199254740993"),
        (2**63 - 1, "9223372036854775807"),
        (-(2**63), "-9223372036854775808"),
        (1.2345678901234568e18, "1234567890123456768"),
        (1234567890123456800, "1234567890123456800"),
        (-(2.0**63), "-9223372036854775808"),
        (2.0**63, "9223372036854776000"),
        (5.0, "5"),
    ],
)
def test_a_number_that_equals_a_64_bit_integer_keeps_all_its_digits(value: float, expected: str) -> None:
    assert canonical([value]).decode() == f"[{expected}]"


@given(objects, objects)
@example({"a": 1234567890123456800}, {"a": 1.2345678901234568e18})
@example({"a": 2**53 + 1}, {"a": float(2**53)})
@example({"a": [True]}, {"a": [1]})
def test_two_values_have_one_text_exactly_if_they_have_the_same_content(one: Any, other: Any) -> None:
    same = event(event_data=one or {"": 0}).same_content(event(event_data=other or {"": 0}))
    assert (canonical(one or {"": 0}) == canonical(other or {"": 0})) == same


@given(doubles, st.sampled_from([-1, 0, 1]))
def test_a_double_and_an_integer_have_one_text_exactly_if_they_are_equal(double: float, difference: int) -> None:
    if abs(double) < 2.0**63:
        integer = max(-(2**63), min(2**63 - 1, int(double) + difference))
        assert (canonical([double]) == canonical([integer])) == (double == integer)


@given(doubles)
def test_the_text_of_a_double_reads_as_the_same_double(double: float) -> None:
    (text,) = json.loads(canonical([double]), parse_int=float)
    assert math.isclose(text, double, rel_tol=0, abs_tol=0)


def plainly(value: Any) -> str:
    """The canonical text by recursion and by Python's shortest digits, as RFC 8785 defines it."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{plainly(name)}:{plainly(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(plainly, value)) + "]"
    if isinstance(value, float):
        return encode_double(value)
    return orjson.dumps(value).decode()


@given(objects)
@example({'"': 1.5, "\\": ["\\", 1.5, '",1.5', -1.5e-9, -7, 8], "1.5": "1.5", "😀": {"\ufb33": ":1.5", "z": -0.0}})
def test_the_text_is_that_of_the_definition(value: dict[str, Any]) -> None:
    assert canonical(value).decode() == plainly(value)


@given(st.lists(objects, max_size=5))
@example([{"a": [True, False, None]}, {"a": 2.0}, {"a": "2.0,1e30"}, {"😀": 1e30, "\ufb33": 1e-7}, {"a": 0.5}])
def test_each_text_of_a_batch_is_that_of_the_definition(batch: list[dict[str, Any]]) -> None:
    assert [text.decode() for text in canonical_texts(batch)] == list(map(plainly, batch))


@given(objects)
def test_the_text_does_not_change_through_its_own_reading_nor_through_that_of_a_store(value: dict[str, Any]) -> None:
    text = canonical(value)
    assert canonical(orjson.loads(to_decimal_json(value))) == text
    if "\\u0000" not in text.decode():  # refused at the door
        assert canonical(loads(orjson.dumps(value))) == text

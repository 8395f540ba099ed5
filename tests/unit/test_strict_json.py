import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.domain.strict_json import MAX_DEPTH, _fast_path, _strict_loads, loads, loads_encoded
from core.errors import MalformedJSONError
from tests.support.builders import new_event


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{}", {}),
        (' [1, "a", true, null] ', [1, "a", True, None]),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("1.5e300", 1.5e300),
        ("0.30000000000000004", 0.30000000000000004),
        ("-1.9999999999999998E23", -2e23),  # 17 digits, as Java prints this double
        ("0.1000000000000000055511151231257827", 0.1),  # the digits of the double
        ("0.100000000000000000000000000000", 0.1),
        ("0.0000000000000000000000", 0.0),
        ("0e-400", 0.0),
        ("5e-324", 5e-324),
        ("2.2250738585072014e-308", 2.2250738585072014e-308),
        ("12345678901234568.00", 12345678901234568.0),
        (r'"\u00e9\ud83d\ude00"', "é😀"),
        ('"é😀"', "é😀"),
        (r'{"\u0061": 1, "b": {"a": 2}}', {"a": 1, "b": {"a": 2}}),
    ],
)
def test_json_is_read_as_it_stands(text: str, value: object) -> None:
    assert loads(text.encode()) == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "Not JSON"),
        ("{", "line 1 column 2"),
        ("{'a': 1}", "Not JSON"),
        ("[1,]", "Not JSON"),
        ("{} {}", "Extra data"),
        ("\ufeff{}", "Not JSON: it begins with a byte order mark"),
        ('"\x00"', "Not JSON: Invalid control character at line 1 column 2"),
        ("NaN", "NaN is not JSON"),
        ("[Infinity]", "Infinity is not JSON"),
        ("-Infinity", "-Infinity is not JSON"),
        ("1e400", "too large for a double"),
        ("-1e400", "too large for a double"),
        ("12345678901234567.89", "more digits than a double"),
        ("-1.2345678901234567890e-5", "more digits than a double"),
        ("3.14159265358979323846", "more digits than a double"),
        ('{"a": [0.3333333333333333333]}', "more digits than a double"),
        ("1e-400", "more digits than a double"),
        ("1E-999999999999999999999", "more digits than a double"),
        ("4e-324", "more digits than a double"),
        ("0." + "0" * 4000 + "1", "more digits than a double"),
        ("1." + "1" * 200_000, "more digits than a double"),
        ("9223372036854775808", "64-bit"),
        ("-9223372036854775809", "64-bit"),
        ("1" * 5000, "64-bit"),
        ('{"a": 1, "a": 2}', "same member name twice"),
        (r'{"a": {"b": 1, "\u0062": 2}}', "same member name twice"),
        (r'"\u0000"', "NUL"),
        (r'{"a": [{"b\u0000": 1}]}', "NUL"),
        (r'"\ud800"', "surrogate"),
        (r'["\udfff\ud800"]', "surrogate"),
        (r'{"\udc00": 1}', "surrogate"),
    ],
)
def test_what_a_store_could_not_give_back_is_refused(text: str, expected: str) -> None:
    with pytest.raises(MalformedJSONError, match=expected):
        loads(text.encode())


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_an_empty_text_is_called_empty(text: str) -> None:
    with pytest.raises(MalformedJSONError, match=r"^Not JSON: it is empty\.$"):
        loads(text.encode())


@pytest.mark.parametrize("data", [b'"\xff"', b'"\xed\xa0\x80"', '"é"'.encode("latin-1"), "{}".encode("utf-16")])
def test_bytes_that_are_not_utf8_are_refused_with_their_place(data: bytes) -> None:
    with pytest.raises(MalformedJSONError, match="Not UTF-8: invalid byte at offset"):
        loads(data)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_is_taken_up_to_the_limit_and_not_beyond(opening: str, closing: str) -> None:
    deepest = opening * (MAX_DEPTH - 1) + "[]" + closing * (MAX_DEPTH - 1)
    assert loads(deepest.encode())
    for too_deep in [f"[{deepest}]", opening * 100_000 + "[]" + closing * 100_000]:
        with pytest.raises(MalformedJSONError, match="nested deeper than 128 levels"):
            loads(too_deep.encode())


def test_many_sibling_brackets_are_not_deep() -> None:
    assert loads(b"[" + b"[{}]," * 1000 + b"[]]") == [[{}]] * 1000 + [[]]


_TEXTS = st.one_of(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    ).map(lambda value: json.dumps(value, ensure_ascii=False)),
    st.lists(
        st.sampled_from(
            [
                *("{", "}", "[", "]", ":", ",", '"', " ", "\\"),
                *("a", "null", "true", '"a":', '{"a":1,', "\\u003a"),
                *("1", "0", ".", "-", "e", "E-3", "0.1", "1" * 17, "9" * 19),
            ]
        )
    ).map("".join),
)


_LARGE_TEXTS = st.builds(
    lambda text, copies, depth: "[" * depth + ",".join([text] * copies) + "]" * depth,
    _TEXTS,
    copies=st.integers(1, 200),
    depth=st.one_of(st.integers(1, 3), st.integers(MAX_DEPTH - 3, MAX_DEPTH + 3), st.integers(250, 260)),
)


def result_of(decode: Callable[[bytes], Any], data: bytes) -> str:
    try:
        return repr(decode(data))
    except (MalformedJSONError, orjson.JSONDecodeError, orjson.JSONEncodeError) as exc:
        return str(exc)


@given(_TEXTS | _LARGE_TEXTS)
@settings(max_examples=500)
def test_the_fast_path_gives_the_same_result_as_the_strict_decoder(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")

    assert result_of(loads, data) == result_of(_strict_loads, data)


@given(_TEXTS)
@settings(max_examples=500)
@example("[NaN]")
@example("1e400")
@example("18446744073709551616")
@example("12345678901234567.89")
@example('{"a":1,"a":2}')
@example('"\\u0000"')
def test_a_text_that_orjson_would_change_or_not_take_is_left_to_the_strict_decoder(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")

    assert result_of(loads_encoded, data) in {result_of(_strict_loads, data), result_of(_keep_large_integers, data)}


def _keep_large_integers(data: bytes) -> Any:
    value = orjson.loads(data)
    return value if orjson.dumps(value) == data else None


def test_a_batch_of_a_thousand_events_takes_the_fast_path() -> None:
    batch = {"events": [new_event() for _ in range(1000)]}

    assert _fast_path(json.dumps(batch).encode()) == batch


@pytest.mark.parametrize("text", ['{"a":1,"a":1}', '{"a:":1, "a:":2}', '[{"b": {"a":":", "a":":"}}]'])
def test_equal_names_are_found_whatever_follows_them(text: str) -> None:
    with pytest.raises(MalformedJSONError, match="twice"):
        loads(text.encode())

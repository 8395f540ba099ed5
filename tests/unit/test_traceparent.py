import pytest

from core.domain.traceparent import normalize, trace_id

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{PARENT}-01"


def test_the_example_of_the_standard_is_taken() -> None:
    assert normalize(GOOD) == GOOD
    assert trace_id(GOOD) == TRACE


@pytest.mark.parametrize(
    ("value", "passed_on"),
    [
        (f"00-{TRACE}-{PARENT}-00", f"00-{TRACE}-{PARENT}-00"),
        (f"00-{TRACE}-{PARENT}-ff", GOOD),  # flags that are not known are not passed on
        (f"cc-{TRACE}-{PARENT}-01", GOOD),  # a later version, of which the known part is used
        (f"cc-{TRACE}-{PARENT}-01-what-the-future-will-be-like", GOOD),
    ],
)
def test_what_is_passed_on_is_of_the_version_that_is_known(value: str, passed_on: str) -> None:
    assert normalize(value) == passed_on


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "garbage",
        GOOD.upper(),
        f" {GOOD}",
        f"{GOOD}\n",
        f"{GOOD}-more",  # version 00 has no more
        f"{GOOD}, {GOOD}",  # two headers, joined
        f"cc-{TRACE}-{PARENT}-01.more",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}x-01",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE}-{PARENT}",
    ],
)
def test_what_breaks_the_rules_is_ignored(value: str | None) -> None:
    assert normalize(value) is None

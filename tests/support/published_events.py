"""The sample events that AWS publishes, and the differences of our events from them."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_SAMPLES = Path(__file__).parents[1] / "events" / "published"
_HEADERS = ("headers", "multiValueHeaders")


def published(name: str) -> dict[str, Any]:
    """The sample of this name; `source` in its file says where it is from."""
    event: dict[str, Any] = json.loads((_SAMPLES / f"{name}.json").read_text())["event"]
    return event


def differences(sample: Any, ours: Any, path: str = "") -> Iterator[str]:
    """The paths of the sample that ours has not, or with another type of value. Names of headers have no case."""
    if type(sample) is not type(ours):
        yield path
    elif isinstance(sample, Mapping):
        if path in _HEADERS:
            ours = {name.lower(): value for name, value in ours.items()}
        for name, value in sample.items():
            place = f"{path}.{name}" if path else name
            ours_name = name.lower() if path in _HEADERS else name
            if ours_name in ours:
                yield from differences(value, ours[ours_name], place)
            else:
                yield place
    elif isinstance(sample, list):
        if len(sample) != len(ours):
            yield path
        for one, other in zip(sample, ours, strict=False):
            yield from differences(one, other, path)

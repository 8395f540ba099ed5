"""Posted batches: splits NDJSON, or JSON with the member `events`, into events that are decoded separately.

The strict decoder accepts or rejects a document as a whole. But an event with a number or a text that cannot be stored
must not reject the other events of its batch: if it rejects a batch, a lenient decoder cuts out the text of each event,
and the strict one decodes these separately.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Final

from core.domain import strict_json
from core.errors import InvalidFieldsError, MalformedJSONError

_SPACE: Final = r"[ \t\n\r]*+"
_HEAD: Final = re.compile(rf'{_SPACE}\{{{_SPACE}"events"{_SPACE}:{_SPACE}\[{_SPACE}')
_COMMA: Final = re.compile(rf"{_SPACE},{_SPACE}")
_TAIL: Final = re.compile(rf"{_SPACE}\]{_SPACE}\}}{_SPACE}\Z")
_LEVELS_AROUND_EVENTS: Final = 2

# Finds the end of any value: accepts all numbers and texts, and keeps numbers as text, which costs the least.
_LENIENT: Final = json.JSONDecoder(strict=False, parse_int=str, parse_float=str, parse_constant=str)


def lines(body: bytes) -> Iterator[bytes]:
    """Split NDJSON (https://github.com/ndjson/ndjson-spec) into the JSON of its events; skip empty lines."""
    return (line for line in body.split(b"\n") if line.strip())


def items(body: bytes) -> Iterable[object]:
    """Decode the member `events` of a JSON object.

    Returns the decoded events; if one of them cannot be decoded, the JSON of each as bytes instead.

    Raises:
        MalformedJSONError: not JSON.
        InvalidFieldsError: JSON of another form.
    """
    try:
        batch = strict_json.loads(body, strict_json.MAX_DEPTH + _LEVELS_AROUND_EVENTS)
    except MalformedJSONError as exc:
        return _cut_out_items(body, exc)
    if isinstance(batch, list):
        raise invalid_batch('must be a member of an object: send {"events": [...]}, or an event on each line as NDJSON')
    if not isinstance(batch, dict) or batch.keys() != {"events"} or not isinstance(batch["events"], list):
        raise invalid_batch('must be the only member of the object, and an array: {"events": [...]}')
    return batch["events"]


def invalid_batch(message: str) -> InvalidFieldsError:
    """Build the error for a batch that is invalid as a whole."""
    return InvalidFieldsError("The batch is invalid: see errors.", [{"loc": ["events"], "msg": message}])


def _cut_out_items(body: bytes, error: MalformedJSONError) -> Iterator[bytes]:
    """Yield the JSON of each event. Raises `error` where the text is not a batch in JSON."""
    text = body.decode("utf-8", "surrogateescape")  # an event that is not UTF-8 keeps its bytes, and is rejected
    before = _HEAD.match(text)
    while before:
        start = before.end()
        try:
            _, end = _LENIENT.raw_decode(text, start)
        except (json.JSONDecodeError, RecursionError):
            break
        yield text[start:end].encode("utf-8", "surrogateescape")
        if _TAIL.match(text, end):
            return
        before = _COMMA.match(text, end)
    raise error

"""The table of wrong requests: each breaks one rule of the API, and each in its own way."""

import base64
import hmac
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.e2e.raw_http import chunked

EVENT_TYPE = "bad.input"
CUSTOMER = 7_700_001
"""Every event of the table has this type or this customer, unless that is its fault."""

UUID = "00000000-0000-7000-8000-00000000bad0"
MEBIBYTE = 1024 * 1024
NOW = int(time.time())

Authorization = str | Callable[[str], str] | None
"""The value of the header, or what makes it of the service's key."""


def bearer(*, alg: str = "HS256", other_key: str | None = None, **claims: Any) -> Callable[[str], str]:
    """A good token but for the given claims; `name=None` omits a claim. Made by hand, since libraries refuse to."""
    good = {"iss": "audit-log", "aud": "audit-log", "sub": "tests", "iat": NOW - 60, "exp": NOW + 3600}
    named = {**good, "scope": "events:write events:read", **claims}
    payload = {name: value for name, value in named.items() if value is not None}

    def sign(key: str) -> str:
        text = f"{_base64({'alg': alg, 'typ': 'JWT'})}.{_base64(payload)}"
        digest = f"sha{alg.removeprefix('HS')}"
        signature = b"" if alg == "none" else hmac.digest((other_key or key).encode(), text.encode(), digest)
        return f"Bearer {text}.{_base64(signature)}"

    return sign


def _base64(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


GOOD_TOKEN = bearer()


@dataclass(frozen=True)
class Case:
    """A request and the status it gets."""

    name: str
    status: int
    method: str = "GET"
    target: str = "/event"
    lines: tuple[str, ...] = ()
    body: bytes = b""
    authorization: Authorization = GOOD_TOKEN
    challenge: str = ""
    allow: str = ""
    half_close: bool = False
    raw: bytes = b""


def event(more: str = "", /, **members: str | None) -> bytes:
    """An event, of which each member is given as JSON text (None: left out) and `more` comes before the last brace."""
    good = {"event_type": f'"{EVENT_TYPE}"', "customer_id": str(CUSTOMER), "event_data": '{"a": 1}'}
    given = [f'"{name}": {value}' for name, value in {**good, **members}.items() if value is not None]
    return ("{" + ", ".join(given) + more + "}").encode("utf-8", "surrogatepass")


def posted(
    name: str, status: int, body: bytes, *lines: str, to: str = "/event", kind: str = "application/json", **more: Any
) -> Case:
    types = (f"Content-Type: {kind}",) if kind else ()
    return Case(name, status, "POST", to, (*types, *lines), body, **more)


def deep(levels: int) -> str:
    """JSON of so many arrays inside each other."""
    return "[" * levels + "]" * levels


GOOD = event()
MALFORMED = {
    "customer_id 2^63": event(customer_id=str(2**63)),
    "customer_id below -2^63": event(customer_id=str(-(2**63) - 1)),
    "customer_id of 5,000 digits": event(customer_id="9" * 5000),
    "integer 2^63 in event_data": event(event_data=f'{{"a": {2**63}}}'),
    "integer of 5,000 digits in event_data": event(event_data=f'{{"a": -{"9" * 5000}}}'),
    "NaN": event(event_data='{"a": NaN}'),
    "Infinity": event(event_data='{"a": Infinity}'),
    "-Infinity as customer_id": event(customer_id="-Infinity"),
    "1e400": event(event_data='{"a": 1e400}'),
    "-1e400 as timestamp_utc": event(timestamp_utc="-1e400"),
    "customer_id twice": event(f', "customer_id": {CUSTOMER}'),
    "event_type twice, one escaped": event(r', "event\u005ftype": "other"'),
    "a nested member twice": event(event_data='{"a": [{"b": 1, "b": 2}]}'),
    "129 levels": event(event_data=f'{{"a": {deep(127)}}}'),
    "200 levels": event(event_data=f'{{"a": {deep(198)}}}'),
    "5,000 levels": event(event_data=f'{{"a": {deep(4998)}}}'),
    "100,000 levels of arrays": deep(100_000).encode(),
    "40,000 levels of objects": b'{"a":' * 40_000 + b"1" + b"}" * 40_000,
    "100,000 opening brackets": b"[" * 100_000,
    "NUL in a value": event(event_data=r'{"a": "x\u0000"}'),
    "NUL in a member name": event(event_data=r'{"\u0000": 1}'),
    "NUL in event_type": event(event_type=r'"a\u0000"'),
    "lone high surrogate in a value": event(event_data=r'{"a": ["\ud800"]}'),
    "lone low surrogate in a member name": event(event_data=r'{"\udc00": 1}'),
    "swapped surrogates in event_type": event(event_type=r'"\udc00\ud800"'),
    "lone surrogate in an unknown field": event(r', "\ud800": 1'),
    "surrogate as three bytes": event(event_data='{"a": "\ud800"}'),
    "raw newline in a string": event(event_data='{"a": "x\ny"}'),
    "raw NUL in a string": event(event_data='{"a": "x\0"}'),
    "raw NUL after the event": GOOD + b"\0",
    "overlong UTF-8": event(event_data='{"a": "?"}').replace(b"?", b"\xc0\xaf"),
    "broken UTF-8": event(event_data='{"a": "?"}').replace(b"?", b"\xff"),
    "UTF-8 beyond U+10FFFF": event(event_data='{"a": "?"}').replace(b"?", b"\xf4\x90\x80\x80"),
    "UTF-8 cut within a character": GOOD + b"\xe2\x82",
    "byte order mark in the middle": GOOD[:-1] + b"\xef\xbb\xbf}",
    "UTF-16": GOOD.decode().encode("utf-16"),
    "UTF-16 without mark": GOOD.decode().encode("utf-16-le"),
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00",
    "no body": b"",
    "only spaces": b"  \r\n",
    "trailing garbage": GOOD + b"x",
    "two events": GOOD + b"\n" + GOOD,
    "cut in the middle": GOOD[:-5],
    "single quotes": GOOD.replace(b'"', b"'"),
    "trailing comma": event(","),
    "comment": GOOD + b"// done",
    "leading zero": event(customer_id="007"),
    "hexadecimal": event(customer_id="0x10"),
    "unknown escape": event(event_data=r'{"a": "\x41"}'),
    "bare word": event(event_data='{"a": True}'),
}
FIELDS: dict[str, tuple[str | None, ...]] = {  # 422; None: left out
    "event_type": (None, "null", "1", '""', f'"{"a" * 256}"', r'"a\nb"', r'"a\u007f"', r'"a\u0085"', '["a"]'),
    "customer_id": (None, "null", '"42"', "42.0", "1e3", "true", "[42]", "{}"),
    "timestamp_utc": (
        "null", "1700000000000", "253402300800", "-1", str(-(2**63)), "1700000000.5", '"2026-01-31T12:00:00Z"', "true",
    ),
    "event_data": (None, "null", "{}", "[1]", r'"{\"a\": 1}"', "1"),
    "event_id": ("null", '"1"', "1", '""', f'"{{{UUID}}}"', f'"{UUID.replace("-", "")}"', rf'"{UUID}\n"'),
    "severity": ("1",),
    "Event_Type": ('"a"',),
    "received_at": ('"2026-01-31T12:00:00Z"',),
}  # fmt: skip
NO_OBJECTS = (b'"event"', b"1", b"null", b"true", b"[]", b"[%s]" % GOOD)
BATCHES = {  # name: status, body
    "batch: no body": (400, b""),
    "batch: only NaN": (422, b'{"events": [NaN]}'),
    "batch: NaN, and no end": (400, b'{"events": [%s, NaN' % GOOD),
    "batch: events twice": (400, b'{"events": [], "events": [%s]}' % GOOD),
    "batch: only one too deep event": (422, b'{"events": [%s]}' % event(event_data=f'{{"a": {deep(127)}}}')),
    "batch: an array": (422, b"[%s]" % GOOD),
    "batch: one event alone": (422, GOOD),
    "batch: no events": (422, b'{"events": []}'),
    "batch: null": (422, b'{"events": null}'),
    "batch: an object": (422, b'{"events": {"0": %s}}' % GOOD),
    "batch: unknown member": (422, b'{"events": [%s], "atomic": true}' % GOOD),
    "batch: all wrong": (422, b'{"events": [{}, 1, null, [], %s]}' % event(customer_id='"1"')),
    "batch: 1,001 events": (422, b'{"events": [%s]}' % b",".join([GOOD] * 1001)),
    "batch: only a too large one": (422, b'{"events": [%s]}' % event(event_data=f'{{"a": "{"x" * 262_144}"}}')),
}
NDJSON = {
    "NDJSON: blank lines": b"\n\r\n \n",
    "NDJSON: all lines wrong": b"\n".join([b"{}", b"nonsense", b"\xff", deep(9000).encode(), event(event_data="{}")]),
    "NDJSON: 1,001 lines": b"\n".join([GOOD] * 1001),
    "NDJSON: only a too large line": event(event_data=f'{{"a": "{"x" * 262_144}"}}'),
    "NDJSON: events on one line": GOOD + GOOD,
    "NDJSON: a JSON batch": b'{"events": [%s]}' % GOOD,
}
MEDIA_TYPES = (
    "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp",
    "application/x-ndjson", "application/json; charset=latin-1", "application/json; charset=utf-16", "json", "*/*",
    "application/json, text/plain", "application/json; charset", "application/json; \xfc", "text/json",
)  # fmt: skip
CODINGS = ("br", "compress", "zstd", "gzip, gzip", "base64", "*", "gzip;q=1", "g\xe9zip")
KEYS = {"empty": "", "of 256": "k" * 256, "with a space": "a b", "Latin-1": "schl\xfcssel", "a tab": "a\tb"}
OTHERS = len(json.dumps(json.loads(event(event_data='{"a":""}')), separators=(",", ":")))
"""Bytes of an event as compact JSON without the text in its data."""
TOO_LARGE = (
    posted("event of 256 KiB and a byte", 413, event(event_data=f'{{"a":"{"x" * (262_145 - OTHERS)}"}}')),
    posted("body of 512 KiB and a byte", 413, GOOD + b" " * (524_289 - len(GOOD))),
    posted("event of 1 MiB", 413, event(event_data=f'{{"a": "{"x" * MEBIBYTE}"}}')),
    posted("batch over 5 MiB", 413, GOOD + b" " * 5 * MEBIBYTE, to="/events"),
    posted("Content-Length over 5 MiB", 413, b"", "Content-Length: 5242881", to="/events"),
    posted("Content-Length 2^63", 413, b"", f"Content-Length: {2**63}"),
    posted("chunks over 5 MiB", 413, chunked(*[b" " * MEBIBYTE] * 5, GOOD), "Transfer-Encoding: chunked", to="/events"),
)
NO_TOKEN: dict[str, Authorization] = {
    "no Authorization": None,
    "Authorization empty": "",
    "Basic": "Basic dTpw",
    "another scheme": "Token abc",
    "Authorization in Latin-1": "B\xe9arer abc",
}
BAD_TOKENS: dict[str, Authorization] = {
    "Bearer alone": "Bearer",
    "Bearer and a space": "Bearer ",
    "Bearer without space": "Bearerabc",
    "garbage": "Bearer garbage",
    "three parts of garbage": "Bearer a.b.c",
    "60,000 characters": "Bearer " + "a" * 60_000,
    "characters of no token": "Bearer {}",
    "two tokens": lambda key: f"{GOOD_TOKEN(key)} {GOOD_TOKEN(key)}",
    "token and a comma": lambda key: f"{GOOD_TOKEN(key)},",
    "token in quotes": lambda key: 'Bearer "' + GOOD_TOKEN(key).removeprefix("Bearer ") + '"',
    "signature cut off": lambda key: GOOD_TOKEN(key).rpartition(".")[0] + ".",
    "signature cut short": lambda key: GOOD_TOKEN(key)[:-2],
    "no signature part": lambda key: GOOD_TOKEN(key).rpartition(".")[0],
    "fourth part": lambda key: f"{GOOD_TOKEN(key)}.x",
    "another payload": lambda key: re.sub(r"\..*\.", f".{_base64({})}.", GOOD_TOKEN(key)),
    "header 20,000 levels deep": f"Bearer {_base64(deep(20_000).encode())}.e30.x",
    "alg none": bearer(alg="none"),
    "alg HS512": bearer(alg="HS512"),
    "another secret": bearer(other_key="another secret that is long enough for HS256"),
}
BAD_CLAIMS: dict[str, dict[str, Any]] = {  # None: left out
    "expired": {"exp": NOW - 1}, "exp missing": {"exp": None}, "exp a string": {"exp": "never"},
    "exp a float": {"exp": NOW + 60.5}, "exp infinite": {"exp": float("inf")}, "exp beyond 64 bits": {"exp": 2**70},
    "life of ten years": {"exp": NOW + 315_360_000}, "iat missing": {"iat": None}, "issued later": {"iat": NOW + 600},
    "valid later": {"nbf": NOW + 600}, "nbf a string": {"nbf": "later"}, "aud missing": {"aud": None},
    "aud another": {"aud": "another"}, "aud empty": {"aud": []}, "iss missing": {"iss": None},
    "iss another": {"iss": "another"}, "iss a number": {"iss": 1}, "sub missing": {"sub": None},
    "sub empty": {"sub": ""}, "sub a number": {"sub": 1}, "sub of 256": {"sub": "s" * 256},
    "sub half a surrogate pair": {"sub": "\ud800"},
    "scope a number": {"scope": 1}, "customers a string": {"customers": "all"}, "customers null": {"customers": [None]},
}  # fmt: skip
BAD_TOKENS |= {name: bearer(**claims) for name, claims in BAD_CLAIMS.items()}
LENGTHS = ("abc", "-1", "+5", "1.5", "0x10", "5, 6", str(2**64), "")
HEADER_LINES = {
    "header without colon": "garbage",
    "space before the colon": "X-A : b",
    "space in a header name": "X A: b",
    "empty header name": ": b",
    "bare CR in a header": "X-A: a\rb",
    "bare LF in a header": "X-A: a\nb",
    "folded header": "X-A: a\r\n b",
    "NUL in a header": "X-A: a\0b",
    "Transfer-Encoding gzip": "Transfer-Encoding: gzip",
    "two lengths": "Content-Length: 1\r\nContent-Length: 2",
}

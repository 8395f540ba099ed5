"""Whatever a client sends, the response names its fault, nothing of it is stored, and the service continues."""

import gzip
import json
import zlib
from typing import Any

import pytest

from core.domain import cursor
from core.domain.queries import EventFilter, Position
from tests.e2e.bad_requests import (
    BAD_TOKENS,
    BATCHES,
    CODINGS,
    CUSTOMER,
    EVENT_TYPE,
    FIELDS,
    GOOD,
    HEADER_LINES,
    KEYS,
    LENGTHS,
    MALFORMED,
    MEBIBYTE,
    MEDIA_TYPES,
    NDJSON,
    NO_OBJECTS,
    NO_TOKEN,
    TOO_LARGE,
    UUID,
    Case,
    bearer,
    deep,
    event,
    posted,
)
from tests.e2e.raw_http import Answer, chunked, exchange, request
from tests.support.builders import new_event
from tests.support.service import Service
from tests.support.waiting import until

NO_TOKEN_SENT = "Bearer"
INVALID_TOKEN = 'Bearer error="invalid_token"'
NO_READ = 'Bearer error="insufficient_scope", scope="events:read"'
NO_WRITE = 'Bearer error="insufficient_scope", scope="events:write"'
METHODS = {  # path: what it takes, what it does not
    "/access-token": ("GET, HEAD", "POST PUT DELETE"),
    "/event": ("GET, HEAD, POST", "PUT PATCH DELETE OPTIONS TRACE BREW get Post"),
    f"/event/{UUID}": ("GET, HEAD", "POST PUT PATCH DELETE"),
    "/events": ("POST", "GET HEAD PUT DELETE"),
    "/health": ("GET, HEAD", "POST OPTIONS"),
    "/ready": ("GET, HEAD", "POST"),
    "/openapi.json": ("GET, HEAD", "POST"),
    "/docs": ("GET, HEAD", "PUT"),
    "/docs/docs.js": ("GET, HEAD", "DELETE"),
}
PATHS = (
    "/nowhere", "/event/", "/events/", "//event", "/event//", "/Event", "/event;a=1", "/event%20", "/event%00",
    "/event/%2e%2e", "/event/..%2f", "/event/../event", "/event/not-a-uuid", "/event/%00", "/event/%ff", "/event/%zz",
    "/event/%E2%82%AC", f"/event/{UUID}", f"/event/{UUID}/", f"/event/{UUID}%0a", f"/event/%7b{UUID}%7d", "/event/1'--",
    "/docs/../x", "/docs/%2e%2e%2f%2e%2e%2fcore%2fmodels.py", "/docs/..", "/docs/docs.js%00", "http://other.test/x",
    "/health/", "/openapi.JSON", "/event/" + "a" * 10_000,
)  # fmt: skip


def _cursor(wanted: EventFilter | None = None, **place: Any) -> str:
    """A cursor of the listing of all events, but for the values given: also of places that no event can have."""
    given = {"timestamp_utc": 1_700_000_000, "event_id": UUID, "offset": 1, **place}
    return cursor.encode(Position.model_construct(**given), wanted or EventFilter(), "desc")


QUERIES = (
    "limits=1", "eventtype=a", "customer=1", "event_type[]=a", "access_token=x", "=", "%zz=1", "%ff=1", "%00=1",
    "limit=1&limit=2", "offset=0&offset=0", "order=asc&order=desc", "timestamp_start_utc=1&timestamp_start_utc=2",
    "event_type=", "event_type=%ff", "event_type=%00", "event_type=%0a", "event_type=%ED%A0%80", "event_type=%C0%AF",
    "customer_id=", "customer_id=abc", "customer_id=1.0", "customer_id=true", f"customer_id={2**63}",
    f"customer_id={-(2**63) - 1}", "customer_id=1&customer_id=x", "customer_id=%D9%A3", "customer_id=1_0",
    "timestamp_start_utc=2&timestamp_end_utc=1", "timestamp_start_utc=-1", "timestamp_end_utc=1700000000000",
    "timestamp_start_utc=2026-01-31", "timestamp_end_utc=", "timestamp_end_utc=1.5", "timestamp_start_utc=1e9",
    "offset=-1", "offset=abc", "offset=", f"offset={2**63}", "offset=%zz", "offset=+1", "offset=" + "9" * 5000,
    "limit=0", "limit=-1", "limit=abc", "limit=1.5", "limit=", f"limit={2**63}", "limit=NaN", "limit=1%0a",
    'event_data.a="x', "order=up", "order=DESC", "order=",
    "cursor=", "cursor=garbage", "cursor=%C3%A9", "cursor=%ff", "cursor=bnVsbA", "cursor=" + "a" * 5000,
    "event_data=1", "event_data.=1", "event_data..a=1", "event_data.a.=1", "event_data.a%22b=1", "event_data.a%5Cb=1",
    "event_data.a%00=1", "event_data.a%ff=1", "event_data.a[=1", "event_data.a]=1", "event_data.a[]=1",
    "event_data.a[x]=1", "event_data.a[-1]=1", "event_data.[0]=1", "event_data.a[0]b=1", "event_data.a[9999999999]=1",
    "event_data.a=%22open", "event_data.a=%22", "event_data.a=%22a%22b", f"event_data.a={2**63}", "event_data.a=1e400",
    "event_data.a=" + "9" * 5000, "event_data.a=%ff", "event_data.a=%00", "event_data.a=%22%5Cud800%22",
    "event_data." + ".".join("a" * 33) + "=1", "event_data.a=1&event_data.a=%22open", "Event_data.a=1",
)  # fmt: skip
CURSORS = {
    "cursor of another listing": _cursor(EventFilter(customer_ids=(1,))),
    "cursor with order=asc": f"{_cursor()}&order=asc",
    "cursor with offset": f"{_cursor()}&offset=1",
    "cursor twice": f"{_cursor()}&cursor={_cursor()}",
    "cursor cut short": _cursor()[:-8],
    "cursor of a time beyond 64 bits": _cursor(timestamp_utc=2**64),
    "cursor of an offset beyond 64 bits": _cursor(offset=2**64),
    "cursor of an id that is none": _cursor(event_id="\0"),
}
MINUTES = ("0", "-1", "abc", "1.5", "", "10081", "9" * 30, "1&valid_minutes=2", "%00", "%ff", "1e1", "+5", "%D9%A3")
FORBIDDEN = (
    Case("read with a token to write", 403, authorization=bearer(scope="events:write"), challenge=NO_READ),
    Case("read with a token without scope", 403, authorization=bearer(scope=None), challenge=NO_READ),
    Case("read with a scope in capitals", 403, authorization=bearer(scope="EVENTS:READ"), challenge=NO_READ),
    *(
        posted(name, 403, body, to=path, authorization=bearer(**claims), challenge=NO_WRITE)
        for name, path, body, claims in (
            ("write with a token to read", "/event", GOOD, {"scope": "events:read"}),
            ("write for a foreign customer", "/event", GOOD, {"customers": [1]}),
            ("write for no customer", "/event", GOOD, {"customers": []}),
            ("batch with a foreign customer", "/events", b'{"events": [%s]}' % GOOD, {"customers": [1]}),
        )
    ),
)
FRAMES = (
    posted("body shorter than its Content-Length", 400, GOOD, "Content-Length: 5000", half_close=True),
    posted("chunk of no size", 400, b"zz\r\n" + GOOD, "Transfer-Encoding: chunked"),
    posted("token in the body", 401, b"access_token=x", kind="application/x-www-form-urlencoded",
           authorization=None, challenge=NO_TOKEN_SENT),
    Case("token in the query string", 401, target="/event?access_token=x", authorization=None, challenge=NO_TOKEN_SENT),
    Case("two Authorization headers", 400, lines=("Authorization: Bearer x",)),
    posted("two Content-Type headers", 400, GOOD, "Content-Type: application/json", kind="text/plain"),
    Case("201 query fields", 400, target="/event?" + "&".join(["customer_id=1"] * 201)),
    Case("101 event_data filters", 422, target="/event?" + "&".join(["event_data.a=1"] * 101)),
    Case("300 event_data filters", 400, target="/event?" + "&".join(f"event_data.a{n}=1" for n in range(300))),
    Case("event with a query", 422, target=f"/event/{UUID}?limit=1"),
    Case("HEAD of a wrong query", 422, "HEAD", "/event?limit=0"),
    Case("HEAD without a token", 401, "HEAD", authorization=None, challenge=NO_TOKEN_SENT),
    Case("HEAD of an unknown path", 404, "HEAD", "/nowhere"),
)  # fmt: skip
NOT_HTTP = (
    *(posted(f"Content-Length {text or 'empty'}", 400, GOOD, f"Content-Length: {text}") for text in LENGTHS),
    *(posted(name, 400, GOOD, line) for name, line in HEADER_LINES.items()),
    Case("space in the target", 400, target="/event x"),
    Case("byte 0xFF in the target", 400, raw=b"GET /event/\xff HTTP/1.1\r\nHost: x\r\n\r\n"),
    Case("target of 70,000 characters", 414, target="/event?event_type=" + "a" * 70_000),
    Case("header of 1,000,000 characters", 431, lines=("X-A: " + "a" * 1_000_000,)),
    Case("200 headers", 431, lines=tuple(f"X-{n}: a" for n in range(200))),
    Case("no version", 400, raw=b"GET /event\r\n\r\n"),
    Case("HTTP/3.0", 400, raw=b"GET /event HTTP/3.0\r\nHost: x\r\n\r\n"),
    Case("HTTP/2 preface", 400, raw=b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    Case("TLS", 400, raw=b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)),
    Case("nonsense", 400, raw=b"\x00\xff\r\n\r\n"),
)
ROWS = (
    *(posted(name, 400, body) for name, body in MALFORMED.items()),
    *(posted(f"body {body[:20]!r}", 422, body) for body in NO_OBJECTS),
    *(
        posted(f"{field} {'missing' if value is None else value[:30]}", 422, event(**{field: value}))
        for field, values in FIELDS.items()
        for value in values
    ),
    *(posted(name, status, body, to="/events") for name, (status, body) in BATCHES.items()),
    *(posted(name, 422, body, to="/events", kind="application/x-ndjson") for name, body in NDJSON.items()),
    *(posted(f"Content-Type {kind or 'missing'}", 415, GOOD, kind=kind) for kind in MEDIA_TYPES),
    *(posted(f"Content-Encoding {coding}", 415, GOOD, f"Content-Encoding: {coding}") for coding in CODINGS),
    *(posted(f"plain under {coding}", 400, GOOD, f"Content-Encoding: {coding}") for coding in ("gzip", "deflate")),
    posted("gzip cut off", 400, gzip.compress(GOOD)[:-1], "Content-Encoding: gzip"),
    posted("gzip beyond the limit", 413, gzip.compress(bytes(6 * MEBIBYTE)), "Content-Encoding: gzip", to="/events"),
    *(posted(f"Idempotency-Key {name}", 422, GOOD, f"Idempotency-Key: {key}") for name, key in KEYS.items()),
    *(
        Case(f"{method} {path}", 405, method, path, allow=allow)
        for path, (allow, methods) in METHODS.items()
        for method in methods.split()
    ),
    *(Case(f"path {path[:60]}", 404, target=path) for path in PATHS),
    *(Case(f"?{query[:60]}", 422, target=f"/event?{query}") for query in QUERIES),
    *(Case(name, 422, target=f"/event?cursor={text}") for name, text in CURSORS.items()),
    *(Case(f"valid_minutes={text}", 422, target=f"/access-token?valid_minutes={text}") for text in MINUTES),
    *(Case(name, 401, authorization=value, challenge=NO_TOKEN_SENT) for name, value in NO_TOKEN.items()),
    *(Case(name, 401, authorization=value, challenge=INVALID_TOKEN) for name, value in BAD_TOKENS.items()),
    *FORBIDDEN,
    *TOO_LARGE,
    *FRAMES,
    *NOT_HTTP,
)
TAKEN = event(customer_id=str(CUSTOMER + 1), event_type='"good.input"')
DEEPEST = event(customer_id=str(CUSTOMER + 1), event_type='"good.input"', event_data=f'{{"a": {deep(126)}}}')
COUNTERPARTS = (  # so that the rows above are refused for what they say, and not for how they are made
    Case("cursor", 200, target=f"/event?cursor={_cursor()}"),
    posted("body of 512 KiB", 202, TAKEN + b" " * (524_288 - len(TAKEN))),
    posted("batch with one wrong event", 202, b'{"events": [NaN, %s]}' % TAKEN, to="/events"),
    posted("128 levels", 202, DEEPEST),
    posted("byte order mark", 202, b"\xef\xbb\xbf" + TAKEN),
    posted("gzip", 202, gzip.compress(TAKEN), "Content-Encoding: gzip"),
    posted("deflate", 202, zlib.compress(TAKEN), "Content-Encoding: deflate"),
    posted("gzip, chunked", 202, chunked(gzip.compress(TAKEN)), "Content-Encoding: gzip", "Transfer-Encoding: chunked"),
    posted("chunks", 202, chunked(TAKEN[:9], TAKEN[9:]), "Transfer-Encoding: chunked"),
    posted("batch", 202, b'{"events": [%s]}' % TAKEN, to="/events", authorization=bearer(customers=[CUSTOMER + 1])),
    posted("NDJSON", 202, TAKEN + b"\n" + TAKEN, "Idempotency-Key: k", to="/events", kind="application/x-ndjson"),
    Case("200 query fields", 200, target="/event?" + "&".join(["customer_id=1"] * 100 + ["event_data.a=1"] * 100)),
)


@pytest.fixture(scope="module")
def key(service: Service) -> str:
    return (service.data_dir / "jwt-secret").read_text().strip()


def sent(case: Case, key: str) -> bytes:
    value = case.authorization(key) if callable(case.authorization) else case.authorization
    authorization = () if value is None else (f"Authorization: {value}",)
    return case.raw or request(case.method, case.target, (*authorization, *case.lines), case.body)


@pytest.mark.parametrize("case", ROWS, ids=[case.name for case in ROWS])
def test_a_wrong_request_gets_its_status_and_the_service_goes_on(case: Case, service: Service, key: str) -> None:
    logged = len(service.log)
    answer = exchange(service.port, sent(case, key), half_close=case.half_close)
    assert answer is not None
    assert_problem(case, answer)
    following = exchange(service.port, request("GET", "/ready"))
    assert following is not None
    assert following.status == 200
    log = service.log[logged:]
    assert "Traceback" not in log
    assert "panicked" not in log


@pytest.mark.parametrize("case", COUNTERPARTS, ids=[case.name for case in COUNTERPARTS])
def test_what_is_just_within_the_rules_is_taken(case: Case, service: Service, key: str) -> None:
    answer = exchange(service.port, sent(case, key))
    assert answer is not None
    assert answer.status == case.status, answer.body


def test_afterwards_a_good_event_is_stored_and_no_refused_one(service: Service) -> None:
    with service.client() as client:
        posted = client.post("/event", json=new_event(event_type=f"{EVENT_TYPE}.none", customer_id=CUSTOMER))
        assert posted.status_code == 202
        until(lambda: client.get(posted.headers["Location"]).is_success)
        # The queue keeps its order: all accepted before is stored by now.
        of_customer = client.get("/event", params={"customer_id": CUSTOMER}).json()["events"]
        of_type = client.get("/event", params={"event_type": EVENT_TYPE}).json()["events"]
    assert [found["event_id"] for found in of_customer] == [posted.json()["event_id"]]
    assert of_type == []


def assert_problem(case: Case, answer: Answer) -> None:
    assert answer.status == case.status, answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Request-Id"]
    assert answer.headers["Allow"] == (case.allow or None)
    assert answer.headers["WWW-Authenticate"] == (case.challenge or None)
    if case.method == "HEAD":
        assert answer.body == b""
        return
    problem = json.loads(answer.body)
    members = {"type", "title", "status", "detail", "instance"}
    assert problem.keys() == (members | {"errors"} if case.status == 422 else members)
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["detail"]
    assert problem["status"] == case.status
    assert problem["instance"] == answer.headers["X-Request-Id"]
    for error in problem.get("errors", ()):
        assert error.keys() == {"loc", "msg"}
        assert error["msg"]
    assert b"Traceback" not in answer.body
    assert b'File "' not in answer.body

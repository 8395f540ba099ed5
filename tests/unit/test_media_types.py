import pytest

from functions.http.errors import UnsupportedMediaTypeError
from functions.http.media_types import JSON, NDJSON, media_type
from functions.http.request import Request

LONG = 60_000


def request(content_type: str) -> Request:
    return Request.from_event({"headers": {"Content-Type": content_type}})


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "APPLICATION/Json",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        'application/json; charset="utf-8"',
        'application/json; Charset="UTF-8"',
        "application/json; charset=utf8",
        "application/json;",
        "application/json; charset=utf-8;",
        "application/json \t; \tcharset=utf-8 ; ;",
        "application/json;; charset=utf-8",
        pytest.param("application/json" + " " * LONG + ";" + "\t" * LONG, id="spaces without end"),
        pytest.param("application/json" + "; " * LONG + "charset=utf-8", id="semicolons without end"),
    ],
)
def test_json_in_utf8_is_accepted_in_every_spelling_of_rfc_9110(content_type: str) -> None:
    assert media_type(request(content_type), NDJSON, JSON) == JSON


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        ";",
        "; charset=utf-8",
        "application",
        "application/jsonx",
        "application/json charset=utf-8",
        "application/json, application/json",
        "application/json; charset",
        "application/json; charset=",
        "application/json; charset=latin-1",
        'application/json; charset="latin-1"',
        'application/json; charset="utf-8',
        'application/json; charset=utf-8"',
        "application/json; charset=utf-8x",
        "application/json; charset = utf-8",
        "application/json; charset=utf-8; charset=latin-1",
        "application/json; charset=latin-1; charset=utf-8",
        "application/json; charset=utf-8; charset=utf-8",
        "application/json; profile=x",
        'application/json; profile="; charset=utf-8"',
        "application/json\x0b",
        "application/json\u00a0",
        "application/json; char\u017fet=utf-8",
        pytest.param("application/json" + " " * LONG + "x", id="spaces without end"),
    ],
)
def test_another_media_type_charset_or_parameter_is_refused(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaTypeError, match="in UTF-8"):
        media_type(request(content_type), NDJSON, JSON)

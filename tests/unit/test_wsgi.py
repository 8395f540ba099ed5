import io
from typing import Any

import pytest

from core.errors import EventTooLargeError
from functions.http.errors import MalformedRequestError
from functions.http.limits import MAX_BODY_BYTES
from local_runner.http import wsgi


def body_environ(body: bytes, **environ: Any) -> dict[str, Any]:
    return {"wsgi.input": io.BytesIO(body), **environ}


def test_as_much_of_the_body_is_read_as_content_length_says() -> None:
    assert wsgi.read_body(body_environ(b"12345next request", CONTENT_LENGTH="5")) == b"12345"


@pytest.mark.parametrize("length", [None, ""])
def test_without_a_length_nothing_is_read_unless_the_server_marks_the_end(length: str | None) -> None:
    environ = {"CONTENT_LENGTH": length}

    assert wsgi.read_body(body_environ(b"{}", **environ)) == b""
    assert wsgi.read_body(body_environ(b"{}", **environ, **{"wsgi.input_terminated": True})) == b"{}"


def test_a_body_of_the_most_bytes_is_read() -> None:
    body = bytes(MAX_BODY_BYTES)

    assert wsgi.read_body(body_environ(body, CONTENT_LENGTH=str(len(body)))) == body
    assert wsgi.read_body(body_environ(body, **{"wsgi.input_terminated": True})) == body


@pytest.mark.parametrize("length", [str(MAX_BODY_BYTES + 1), "9" * 30, "9" * 5000])
def test_a_body_that_says_it_is_larger_is_refused_unread(length: str) -> None:
    environ = body_environ(b"{}", CONTENT_LENGTH=length)

    with pytest.raises(EventTooLargeError, match=str(MAX_BODY_BYTES)):
        wsgi.read_body(environ)
    assert environ["wsgi.input"].tell() == 0


def test_a_chunked_body_is_read_only_until_it_is_too_large() -> None:
    environ = body_environ(bytes(2 * MAX_BODY_BYTES), **{"wsgi.input_terminated": True})

    with pytest.raises(EventTooLargeError):
        wsgi.read_body(environ)
    assert environ["wsgi.input"].tell() == MAX_BODY_BYTES + 1


@pytest.mark.parametrize("length", ["-1", "+5", "5.0", "0x5", " 5", "five", "²"])
def test_a_content_length_that_is_no_number_is_refused(length: str) -> None:
    with pytest.raises(MalformedRequestError, match="Content-Length"):
        wsgi.read_body(body_environ(b"12345", CONTENT_LENGTH=length))


def test_a_body_that_ends_too_soon_is_refused() -> None:
    with pytest.raises(MalformedRequestError, match="ends before"):
        wsgi.read_body(body_environ(b"1234", CONTENT_LENGTH="5"))


def test_a_body_that_cannot_be_read_is_the_clients_fault() -> None:
    class Broken(io.BytesIO):
        def read(self, _size: int | None = -1) -> bytes:
            raise OSError("Invalid chunk header")

    with pytest.raises(MalformedRequestError, match="ends early"):
        wsgi.read_body({"wsgi.input": Broken(), "wsgi.input_terminated": True})

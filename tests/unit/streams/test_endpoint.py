"""URLs of endpoints: the spellings that are taken, and those that some programs read as another host."""

import pytest

from core.streams.endpoint import Endpoint, parse_endpoint

LOOPBACK_IN_DISGUISE = (
    "2130706433", "0x7f000001", "0x7F.1", "0x7f.0.0.1", "017700000001", "0177.0.0.1", "127.1", "127.0.1", "127.000.0.1",
    "127.0.0.1.", "127.0.0.0x1", "127.0.0", "1.2.3.4.5", "256.1.1.1", "127.0.0.", "0x", "1.0x", "08",
)  # fmt: skip
UNUSUAL = (
    "example.org.", ".example.org", "example..org", "-example.org", "example.org-", "exam%70le.org", "%6cocalhost",
    "a" * 64 + ".org", "a." * 127 + "org", "[::1%25lo]", "[fe80::1%eth0]", "[127.0.0.1]", "[::1", "[v1.a]",
    "[2606:4700::1111].example.org", "[2606:4700::1111]x:443", "[2606:4700::1111]]", "example.org[2606:4700::1111]",
    "example.org:0", "example.org:65536", "example.org:8o", "",
)  # fmt: skip
OTHER = (
    "https://user@example.org/", "https://user:hunter2@example.org/", "https://@example.org/", "https://a@127.0.0.1@b.org/",
    "https://example.org/#x", "https://example.org\\@127.0.0.1/", "https://example.org/a b",
    "https://example.org/\r\nX: 1", "https://example.org/\t", " https://example.org/", "https://exämple.org/", "https://127。0。0。1/",
    "https://①②⑦.0.0.1/", "ftp://example.org/", "file:///etc/passwd", "gopher://example.org/", "https:example.org",
    "//example.org/", "example.org", "https:///path", "", "https://example.org/" + "a" * 2048,
)  # fmt: skip


@pytest.mark.parametrize("host", LOOPBACK_IN_DISGUISE)
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_an_address_in_another_spelling_than_the_usual_one_is_refused(scheme: str, host: str) -> None:
    with pytest.raises(ValueError, match="a name without a dot"):
        parse_endpoint(f"{scheme}://{host}/path")


@pytest.mark.parametrize("url", [*(f"https://{host}/" for host in UNUSUAL), *OTHER])
def test_an_unusual_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="must") as refused:
        parse_endpoint(url)
    message = str(refused.value)
    assert not any(part in message for part in ("hunter2", "exam%70le", "127.", "etc", "eth0"))


@pytest.mark.parametrize(
    ("url", "endpoint", "authority"),
    [
        ("https://example.org", Endpoint("https", "example.org", 443, "/"), "example.org"),
        ("HTTPS://Example.ORG:443/A?b=%20c", Endpoint("https", "example.org", 443, "/A?b=%20c"), "example.org"),
        (
            "http://xn--exmple-cua.org:8088/",
            Endpoint("http", "xn--exmple-cua.org", 8088, "/"),
            "xn--exmple-cua.org:8088",
        ),
        ("https://127.0.0.1/", Endpoint("https", "127.0.0.1", 443, "/"), "127.0.0.1"),
        ("https://[2001:DB8:0::1]:9/?q", Endpoint("https", "2001:db8::1", 9, "/?q"), "[2001:db8::1]:9"),
        ("https://[::ffff:127.0.0.1]/", Endpoint("https", "::ffff:7f00:1", 443, "/"), "[::ffff:7f00:1]"),
        ("https://a_b-c.d2/", Endpoint("https", "a_b-c.d2", 443, "/"), "a_b-c.d2"),
        ("http://localhost:80/", Endpoint("http", "localhost", 80, "/"), "localhost"),
    ],
)
def test_a_url_is_taken_apart(url: str, endpoint: Endpoint, authority: str) -> None:
    assert parse_endpoint(url) == endpoint
    assert endpoint.authority == authority

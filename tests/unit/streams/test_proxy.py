"""Streams through the proxy of the operator: the guard and TLS hold, and its credentials stay between the two."""

import base64
import ssl
import time
from collections.abc import Iterator
from ipaddress import ip_network
from threading import Event
from urllib.parse import quote

import pytest
import trustme
from pydantic import SecretStr

from core.errors import DeliveryDelayedError, InvalidSettingsError, MisconfiguredError
from core.settings import Settings
from core.streams.destinations import s3
from core.streams.egress import TOTAL_SECONDS, Egress
from core.streams.proxy import Proxy
from core.wiring import Services
from tests.support.builders import event
from tests.support.connect_proxy import Asked, ConnectProxy, connect_proxy
from tests.support.receiver import Receiver, receiver
from tests.support.sites import batch
from tests.support.streams import make_stream
from tests.support.waiting import SECONDS

PUBLIC = "93.184.216.34"
"""An address that is only asked of the proxy, and never connected to."""
PUBLIC_IPV6 = "2606:2800:220:1:248:1893:25c8:1946"
NAME = "siem.example.org"
URL = f"https://{NAME}/in?canary"
PASSWORD = "canary/of the:proxy"
SHORT = 0.3
LOOPBACK = (ip_network("127.0.0.0/8"),)
KEYS = s3.Secrets.model_validate({"access_key_id": "AKIA", "secret_access_key": "canary"})


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def proxy() -> Iterator[ConnectProxy]:
    with connect_proxy() as running:
        yield running


@pytest.fixture
def endpoint(authority: trustme.CA, proxy: ConnectProxy) -> Iterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(NAME).configure_cert(context)
    with receiver(context) as running:
        proxy.routes[f"{PUBLIC}:443"] = int(running.url.rpartition(":")[2])
        yield running


def through(proxy: ConnectProxy, authority: trustme.CA, *addresses: str, credentials: str = "") -> Egress:
    """An egress whose resolver knows these addresses, or `PUBLIC`."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    found = [(address, 443, 0, 0) if ":" in address else (address, 443) for address in addresses or (PUBLIC,)]
    parsed = Proxy.parse(proxy.url.replace("http://", f"http://{credentials}"))
    return Egress(proxy=parsed, resolver=lambda _host, _port: found, context=context)


def basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def test_a_request_arrives_through_a_tunnel_to_the_address_that_was_checked(
    proxy: ConnectProxy, endpoint: Receiver, authority: trustme.CA
) -> None:
    answer = through(proxy, authority).post(URL, b"canary", {"Authorization": "Bearer canary"})

    assert answer.status == 200
    (received,) = endpoint.requests
    assert (received.path, received.body, received.headers["host"]) == ("/in?canary", b"canary", NAME)
    assert [asked.line for asked in proxy.asked] == [f"CONNECT {PUBLIC}:443 HTTP/1.1"]


def test_the_proxy_sees_neither_the_request_nor_the_answer(
    proxy: ConnectProxy, endpoint: Receiver, authority: trustme.CA
) -> None:
    through(proxy, authority).post(URL, b"canary", {"Authorization": "Bearer canary"})
    assert endpoint.requests
    assert len(proxy.relayed) > 100
    assert b"canary" not in proxy.relayed
    assert "canary" not in repr(proxy.asked)


def test_a_certificate_for_another_name_is_refused_inside_the_tunnel(
    proxy: ConnectProxy, endpoint: Receiver, authority: trustme.CA
) -> None:
    with pytest.raises(MisconfiguredError, match="certificate"):
        through(proxy, authority).post("https://other.example.org/", b"", {})
    with pytest.raises(MisconfiguredError, match="certificate"):
        through(proxy, trustme.CA()).post(URL, b"", {})
    assert endpoint.requests == []


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "64:ff9b::a9fe:a9fe"])
def test_the_proxy_is_not_asked_for_an_address_that_is_not_public(
    proxy: ConnectProxy, authority: trustme.CA, address: str
) -> None:
    for addresses in ([address], [PUBLIC, address]):
        with pytest.raises(MisconfiguredError, match="not public"):
            through(proxy, authority, *addresses).post(URL, b"", {})
    assert proxy.asked == []


def test_the_next_address_is_tried_if_the_proxy_does_not_reach_one(
    proxy: ConnectProxy, endpoint: Receiver, authority: trustme.CA
) -> None:
    assert through(proxy, authority, PUBLIC_IPV6, PUBLIC).post(URL, b"", {}).status == 200
    assert endpoint.requests
    assert proxy.asked[0].line == f"CONNECT [{PUBLIC_IPV6}]:443 HTTP/1.1"
    assert proxy.asked[0].headers["host"] == f"[{PUBLIC_IPV6}]:443"


def test_networks_that_the_operator_allows_are_reached_without_the_proxy(proxy: ConnectProxy) -> None:
    with receiver() as near:
        egress = Egress(LOOPBACK, proxy=Proxy.parse(proxy.url))
        assert egress.post(near.url, b"", {}).status == 200
    assert proxy.asked == []


def test_credentials_are_sent_to_the_proxy_and_not_to_the_endpoint(
    proxy: ConnectProxy, endpoint: Receiver, authority: trustme.CA
) -> None:
    proxy.credentials = ("streams", PASSWORD)
    egress = through(proxy, authority, credentials=f"streams:{quote(PASSWORD, safe='')}@")
    assert egress.post(URL, b"", {}).status == 200
    assert "proxy-authorization" not in endpoint.requests[0].headers


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (407, "does not accept the user"),
        (403, r"does not connect to the endpoint \(403\)"),
        (502, r"does not connect to the endpoint \(502\)"),
        (302, r"does not connect to the endpoint \(302\)"),
        (b"", "does not speak HTTP"),
        (b"canary\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 canary\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: canary\r\n" * 10_000, "does not speak HTTP"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_proxy_that_refuses_delays_the_stream_and_no_error_has_its_text_or_credentials(
    proxy: ConnectProxy, authority: trustme.CA, answer: int | bytes, message: str
) -> None:
    def refuse(_asked: Asked) -> int | bytes:
        return answer

    proxy.answer = refuse
    egress = through(proxy, authority, credentials=f"canary:{quote(PASSWORD, safe='')}@")
    with pytest.raises(DeliveryDelayedError, match=message) as failed:
        egress.post(URL, b"canary", {"Authorization": "Bearer canary"})
    text = f"{failed.value!r} {failed.value.__cause__!r}"
    assert not any(secret in text for secret in ("canary", basic("canary", PASSWORD)[6:], proxy.url, str(proxy.port)))
    assert failed.value.__suppress_context__


def test_a_proxy_that_is_away_delays_the_stream(authority: trustme.CA) -> None:
    with connect_proxy() as ended:
        pass
    with pytest.raises(DeliveryDelayedError, match="proxy of AUDIT_LOG_STREAMS_PROXY cannot be reached"):
        through(ended, authority).post(URL, b"", {})


def test_a_proxy_that_does_not_answer_ends_at_the_time_limit(proxy: ConnectProxy, authority: trustme.CA) -> None:
    released = Event()

    def hang(_asked: Asked) -> bytes:
        released.wait(SECONDS)
        return b""

    proxy.answer = hang
    began = time.monotonic()
    with pytest.raises(DeliveryDelayedError, match="in time"):
        through(proxy, authority).post(URL, b"", {}, timeout=SHORT)
    released.set()
    assert time.monotonic() - began < TOTAL_SECONDS - 5


def test_objects_for_s3_are_written_through_the_proxy(proxy: ConnectProxy) -> None:
    proxy.credentials = ("streams", PASSWORD)
    config = s3.Config(bucket="audit-log", region="eu-central-1")
    url = proxy.url.replace("http://", f"http://streams:{quote(PASSWORD, safe='')}@")
    egress = Egress(proxy=Proxy.parse(url), resolver=lambda _host, _port: [(PUBLIC, 443)])
    destination = s3.open_destination("stream-1", config, KEYS, egress)
    with pytest.raises(DeliveryDelayedError, match="S3 cannot be reached") as failed:
        destination.send(batch([event(1)]))
    destination.close()
    targets = {asked.line.split()[1] for asked in proxy.asked}
    assert targets == {"audit-log.s3.eu-central-1.amazonaws.com:443"}
    assert {asked.headers["proxy-authorization"] for asked in proxy.asked} == {basic("streams", PASSWORD)}
    assert "canary" not in repr(failed.value)


@pytest.mark.usefixtures("sqlite_store")
def test_the_setting_leads_streams_through_the_proxy(settings: Settings, proxy: ConnectProxy) -> None:
    services = Services(settings.model_copy(update={"streams_proxy": SecretStr(proxy.url)}))
    stream = make_stream(destination={"kind": "http", "url": f"https://{PUBLIC}/"})
    trial = services.streams.trials.test(stream)
    services.close()
    assert trial == (False, None, "The proxy of AUDIT_LOG_STREAMS_PROXY does not connect to the endpoint (502).")
    assert proxy.asked[0].line == f"CONNECT {PUBLIC}:443 HTTP/1.1"


def test_a_bucket_on_a_network_that_the_operator_allows_is_reached_without_any_proxy(
    proxy: ConnectProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    for known in (Proxy.parse(proxy.url), None):
        with receiver() as near:
            config = s3.Config(bucket="audit-log", region="eu-central-1", endpoint=near.url)
            destination = s3.open_destination("stream-1", config, KEYS, Egress(LOOPBACK, proxy=known))
            with pytest.raises(DeliveryDelayedError) as failed:
                destination.send(batch([event(1)]))
            assert failed.value.status == 501, "the endpoint knows no PUT"
            destination.close()
    assert proxy.asked == []


@pytest.mark.parametrize(
    "value",
    [
        "https://canary.example.org:3128", "socks5://canary:1080", "canary:3128", "http://", "http://:3128",
        "http://canary.example.org:0", "http://canary.example.org:99999", "http://user:canary/x@proxy.example.org:3128",
        "http://canary.example.org/path", "http://canary.example.org/?a", "http://canary.example.org/#a", "http://[canary",
    ],
)  # fmt: skip
def test_a_proxy_that_is_no_url_of_a_proxy_stops_the_start_and_is_not_repeated(value: str) -> None:
    with pytest.raises(InvalidSettingsError, match="AUDIT_LOG_STREAMS_PROXY: must be like") as refused:
        Settings.from_environ({"AUDIT_LOG_STREAMS_PROXY": value})
    assert "canary" not in f"{refused.value!r} {refused.value.__cause__!r}"


def test_no_repr_shows_the_credentials() -> None:
    url = "http://user:canary@proxy.example.org:3128"
    settings = Settings.from_environ({"AUDIT_LOG_STREAMS_PROXY": url})
    assert "canary" not in f"{settings!r} {Proxy.parse(url)!r} {Egress(proxy=Proxy.parse(url))!r}"


def test_a_port_of_a_proxy_may_be_left_out_and_its_host_be_an_address_of_ipv6() -> None:
    assert Proxy.parse("http://[fd12::7]")[1:] == ("fd12::7", 80, None)
    assert Proxy.parse("http://a%40b@proxy/")[3] == basic("a@b", "")

"""TLS by `--certfile` and `--keyfile`: what it speaks, and that a wrong pair of files says so at once."""

import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from local_runner.http.tls import HANDSHAKE_SECONDS, BoundedContext
from tests.support import forked
from tests.support.builders import new_event
from tests.support.service import AUDIT_LOG, Service, environment, free_port
from tests.support.waiting import SECONDS, retried


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate chain and its key."""
    return _write(authority.issue_cert("localhost", "127.0.0.1"), tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def https(
    authority: trustme.CA, files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    port, (certfile, keyfile) = free_port(), files
    options = ["--certfile", str(certfile), "--keyfile", str(keyfile)]
    with Service(
        [AUDIT_LOG, "serve", "--port", str(port), *options], port, tmp_path_factory.mktemp("data") / "d", {}
    ) as running:
        running.url = f"https://127.0.0.1:{port}"
        context = _context(authority)
        retried(lambda: httpx.get(f"{running.url}/health", verify=context, timeout=SECONDS), httpx.TransportError)
        yield running


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_it_speaks_tls_1_2_and_1_3(https: Service, authority: trustme.CA, version: ssl.TLSVersion) -> None:
    context = _context(authority)
    context.minimum_version = context.maximum_version = version
    with httpx.Client(base_url=https.url, verify=context, timeout=SECONDS) as client:
        token = client.get("/access-token").raise_for_status().json()["token"]
        posted = client.post("/event", json=new_event(), headers={"Authorization": f"Bearer {token}"})
    assert posted.status_code == 202


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_a_client_that_speaks_no_more_than_tls_1_1_is_refused(https: Service, authority: trustme.CA) -> None:
    context = _context(authority)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # else this side would refuse by itself
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", https.port), SECONDS) as connection,
        pytest.raises(ssl.SSLError) as refused,
    ):
        context.wrap_socket(connection, server_hostname="127.0.0.1")
    # From the other side: an alert, or the end of the connection, which versions of Python name differently.
    ended = isinstance(refused.value, ssl.SSLEOFError | ssl.SSLZeroReturnError)
    assert ended or "_ALERT_" in str(refused.value.reason)


def test_a_certificate_of_another_authority_would_be_noticed(https: Service) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{https.url}/health", verify=_context(trustme.CA()), timeout=SECONDS)


def test_plain_http_on_the_same_port_is_not_answered(https: Service) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{https.port}/health", timeout=SECONDS)


def test_the_log_names_the_https_address_and_no_key_material(https: Service, files: tuple[Path, Path]) -> None:
    assert f"https://127.0.0.1:{https.port}" in https.log
    assert files[1].read_text().splitlines()[1] not in https.log
    assert "PRIVATE" not in https.log


def test_one_of_the_two_files_alone_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    for option, path in zip(("--certfile", "--keyfile"), files, strict=True):
        done = _serve(tmp_path, option, str(path))
        assert done.returncode == 2
        assert "--certfile and --keyfile go together" in done.stderr


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ("missing certificate", "--certfile {} cannot be read: No such file"),
        ("missing key", "--keyfile {} cannot be read: No such file"),
        ("garbage certificate", "--certfile and --keyfile cannot be used: they are no pair"),
        ("garbage key", "no pair"),
        ("a key of another certificate", "no pair"),
        ("an encrypted key", "unencrypted key"),
        ("swapped", "no pair"),
        ("a directory", "cannot be read: Is a directory"),
    ],
)
def test_files_that_cannot_be_used_end_it_with_one_line(
    authority: trustme.CA, files: tuple[Path, Path], tmp_path: Path, wrong: str, word: str
) -> None:
    certfile, keyfile = files
    key_lines = keyfile.read_text().splitlines()[1:-1]
    other = tmp_path / "other.pem"
    match wrong:
        case "missing certificate":
            certfile = other
        case "missing key":
            keyfile = other
        case "garbage certificate":
            certfile = other
            other.write_bytes(b"\x00\xffnot a certificate")
        case "garbage key":
            keyfile = other
            other.write_text("\n".join(["-----BEGIN PRIVATE KEY-----", *key_lines[:1], "-----END PRIVATE KEY-----"]))
        case "a key of another certificate":
            keyfile = _write(authority.issue_cert("localhost"), tmp_path)[1]
        case "an encrypted key":
            key = load_pem_private_key(keyfile.read_bytes(), None)
            keyfile = other
            other.write_bytes(
                key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"a passphrase"))
            )
        case "swapped":
            certfile, keyfile = keyfile, certfile
        case "a directory":
            keyfile = tmp_path
    done = _serve(tmp_path, "--certfile", str(certfile), "--keyfile", str(keyfile))
    assert done.returncode == 1
    assert word.format(other) in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not any(line in done.stdout + done.stderr for line in key_lines)


def _serve(data_dir: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """`audit-log serve`, which is expected not to come up."""
    return forked.run(
        [AUDIT_LOG, "serve", "--port", str(free_port()), *options],
        env=environment(data_dir / "data", auth="clients") | {"COLUMNS": "1000"},
        timeout=SECONDS,
    )


def _write(certificate: trustme.LeafCert, folder: Path) -> tuple[Path, Path]:
    certfile, keyfile = folder / "chain.pem", folder / "key.pem"
    certfile.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(str(keyfile))
    return certfile, keyfile


def _context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_a_client_that_does_not_shake_hands_is_cut_off(https: Service) -> None:
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", https.port), timeout=SECONDS) as silent:
        assert silent.recv(1) == b""
    assert time.monotonic() - started > HANDSHAKE_SECONDS - 1


def test_handshakes_have_a_limit_until_others_are_closed() -> None:
    context = BoundedContext(ssl.PROTOCOL_TLS_SERVER, limit=2)
    handshakes = [_begin(context) for _ in range(2)]
    with pytest.raises(ssl.SSLError, match="too many"):
        _begin(context)
    handshakes.pop()
    _begin(context)


def _begin(context: ssl.SSLContext) -> ssl.SSLObject:
    return context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)

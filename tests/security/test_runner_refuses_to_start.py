"""A service that would be open to anyone does not start: one line that names the remedy, without secrets."""

import socket
from pathlib import Path

import pytest

from tests.support import forked
from tests.support.service import AUDIT_LOG, environment, free_port

GOOD_SECRET = "Jx8vQm2nLw5rTz9bKc4hYd7gSf1pAe6u"


class Refusal:
    """What `audit-log serve` said before it ended."""

    def __init__(self, data_dir: Path, *options: str, **settings: str) -> None:
        command = [AUDIT_LOG, "serve", "--port", str(free_port()), *options]
        done = forked.run(command, env=environment(data_dir, **settings) | {"COLUMNS": "1000"})
        self.status, self.line = done.returncode, done.stderr
        self.output = done.stdout + done.stderr

    def assert_one_line(self, *words: str) -> None:
        assert self.status == 1, self.output
        assert self.output.count("\n") == 1, self.output
        for word in words:
            assert word in self.line


def _lan_address() -> str:
    """An address of this machine that others may reach; no packet is sent for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "192.168.0.1"  # no network: refused all the same, before it is bound
        address: str = probe.getsockname()[0]
        return address


@pytest.mark.parametrize("host", ["0.0.0.0", "::", _lan_address(), "localhost.example.org"])  # noqa: S104
def test_open_to_anyone_on_an_address_that_others_reach(tmp_path: Path, host: str) -> None:
    refusal = Refusal(tmp_path / "data", "--host", host, auth="open")
    refusal.assert_one_line("AUDIT_LOG_AUTH=clients", "audit-log client create", host)
    assert not (tmp_path / "data").exists()  # refused before anything is made


def test_open_to_anyone_is_refused_by_default_too(tmp_path: Path) -> None:
    Refusal(tmp_path, "--host", "0.0.0.0").assert_one_line("AUDIT_LOG_AUTH=clients")  # noqa: S104


def test_the_development_server_is_no_way_around_it(tmp_path: Path) -> None:
    Refusal(tmp_path, "--dev", "--host", "0.0.0.0").assert_one_line("AUDIT_LOG_AUTH=clients")  # noqa: S104


@pytest.mark.parametrize("secret", ["x", GOOD_SECRET[:31], f"{GOOD_SECRET} hunter2-hunter2"])
def test_a_short_secret(tmp_path: Path, secret: str) -> None:
    refusal = Refusal(tmp_path, jwt_secret=secret)
    refusal.assert_one_line("AUDIT_LOG_JWT_SECRET", "32 bytes", "openssl rand")
    assert not any(part in refusal.output for part in secret.split() if len(part) > 5)


@pytest.mark.parametrize(
    "secret",
    [
        "changeme-changeme-changeme-changeme-changeme",
        "your-secret-key-goes-here-with-32-bytes",
        "this-is-an-example-secret-of-40-bytes-aa",
        "01234567890123456789012345678901",
        "x" * 64,
        f"{GOOD_SECRET} Password1234567890-Password1234567890",
    ],
)
def test_a_secret_out_of_somebodys_example(tmp_path: Path, secret: str) -> None:
    refusal = Refusal(tmp_path, jwt_secret=secret)
    refusal.assert_one_line("AUDIT_LOG_JWT_SECRET", "example", "openssl rand")
    assert not any(part in refusal.output for part in secret.split())


def test_an_empty_secret_is_none_and_one_is_made(tmp_path: Path) -> None:
    """Empty counts as not set: refused here for the address only, which shows that it came so far."""
    Refusal(tmp_path, "--host", "0.0.0.0", jwt_secret="").assert_one_line("AUDIT_LOG_AUTH")  # noqa: S104


def test_a_secret_file_that_was_emptied(tmp_path: Path) -> None:
    (tmp_path / "jwt-secret").write_text("")
    Refusal(tmp_path).assert_one_line("jwt-secret", "remove it to get a new one")


def test_a_key_file_that_is_not_there(tmp_path: Path) -> None:
    refusal = Refusal(tmp_path, jwt_key_file=str(tmp_path / "missing.pem"))
    refusal.assert_one_line("AUDIT_LOG_JWT_KEY_FILE")


def test_a_key_file_without_a_key(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")
    refusal = Refusal(tmp_path, jwt_key_file=str(path))
    refusal.assert_one_line("AUDIT_LOG_JWT_KEY_FILE")
    assert "c2VjcmV0" not in refusal.output


def test_a_setting_that_does_not_exist_names_the_one_that_was_meant(tmp_path: Path) -> None:
    refusal = Refusal(tmp_path, jwt_secrt=GOOD_SECRET)
    refusal.assert_one_line("AUDIT_LOG_JWT_SECRET")
    assert GOOD_SECRET not in refusal.output

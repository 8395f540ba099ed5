"""A service that cannot work says so in one line that names the remedy, soon, and with no secret in it."""

import resource
import subprocess
from pathlib import Path

import pytest

from core.errors import InvalidSettingsError
from core.settings import Settings
from local_runner.server import refuse_open_to_others
from tests.support.service import AUDIT_LOG, Service, environment, free_port
from tests.support.waiting import SECONDS

PROCESSOR_SECONDS = 2  # which is what a start takes on an idle machine; on a busy one it takes longer
SECRET = "hush-hush"


def refusal(data_dir: Path, *options: str, **settings: str) -> str:
    """What `audit-log serve` says before it ends with status 1."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(
        [AUDIT_LOG, "serve", *options],
        env=environment(data_dir, **settings),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < PROCESSOR_SECONDS
    (line,) = ended.stderr.splitlines()
    assert line.startswith("audit-log: ")
    assert SECRET not in line
    return line.removeprefix("audit-log: ")


def test_a_port_that_another_service_has(tmp_path: Path, service: Service) -> None:
    line = refusal(tmp_path, "--port", str(service.port))

    assert f"127.0.0.1 port {service.port}" in line
    assert "choose another --port" in line


def test_tokens_for_the_asking_on_an_address_that_others_reach(tmp_path: Path) -> None:
    line = refusal(tmp_path, "--host", "0.0.0.0", "--port", str(free_port()))  # noqa: S104 - as someone might

    assert line.startswith("AUDIT_LOG_AUTH=open gives a token to anyone")
    assert line.endswith("serve on 127.0.0.1")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["192.168.178.20", "::", "fe80::1", "8.8.8.8", "audit.example"])
def test_no_address_but_those_of_this_machine_does_for_it(settings: Settings, host: str) -> None:
    for loopback in ("127.0.0.1", "127.1.2.3", "::1", "localhost"):
        refuse_open_to_others(settings, loopback)
    with pytest.raises(
        InvalidSettingsError, match=f"not on {host}: set AUDIT_LOG_AUTH=clients .*, or serve on 127.0.0.1"
    ):
        refuse_open_to_others(settings, host)


def test_a_setting_with_a_slip_of_the_pen(tmp_path: Path) -> None:
    line = refusal(tmp_path, jwt_secert=SECRET)

    assert line == "AUDIT_LOG_JWT_SECERT is not a setting: did you mean AUDIT_LOG_JWT_SECRET?"


def test_a_secret_that_is_too_short(tmp_path: Path) -> None:
    line = refusal(tmp_path, jwt_secret=SECRET)

    assert line == "AUDIT_LOG_JWT_SECRET: must have at least 32 bytes; make one with `openssl rand -base64 48`"


def test_a_data_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    line = refusal(tmp_path / "file" / "data", "--port", str(free_port()))

    assert line.startswith(f"AUDIT_LOG_DATA_DIR: {tmp_path / 'file' / 'data'} ")
    assert line.endswith("name a directory that can be written")

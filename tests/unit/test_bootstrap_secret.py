import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from core.errors import InvalidSettingsError
from core.settings import Settings
from local_runner.bootstrap import SECRET_FILE_NAME, load_or_create_secret


def secret_in(data_dir: Path) -> str:
    secret = load_or_create_secret(Settings(data_dir=data_dir)).jwt_secret
    assert secret is not None
    return secret.get_secret_value()


def test_a_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    first = secret_in(tmp_path / "new" / "data")

    assert len(first) >= 32
    assert secret_in(tmp_path / "new" / "data") == first


def test_another_data_directory_gets_another_secret(tmp_path: Path) -> None:
    assert secret_in(tmp_path / "a") != secret_in(tmp_path / "b")


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_its_owner_can_read_the_secret(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        secret_in(tmp_path)
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / SECRET_FILE_NAME).stat().st_mode) == 0o600


def test_nothing_but_the_secret_is_left_behind(tmp_path: Path) -> None:
    secret_in(tmp_path)
    secret_in(tmp_path)

    assert os.listdir(tmp_path) == [SECRET_FILE_NAME]  # noqa: PTH208 - with hidden files


def test_a_secret_that_exists_is_read_and_nothing_is_written(tmp_path: Path) -> None:
    """A full disk must not keep commands from reading the log."""
    first = secret_in(tmp_path)
    os.utime(tmp_path, (1, 1))
    assert secret_in(tmp_path) == first
    assert tmp_path.stat().st_mtime == 1


def test_eight_that_start_at_once_get_one_secret(tmp_path: Path) -> None:
    for attempt in range(20):
        start = Barrier(8)

        def get(data_dir: Path, start: Barrier) -> str:
            start.wait()
            return secret_in(data_dir)

        with ThreadPoolExecutor(8) as pool:
            found = {future.result() for future in [pool.submit(get, tmp_path / str(attempt), start) for _ in range(8)]}
        assert len(found) == 1


def test_a_data_directory_that_is_made_is_its_owners_alone(tmp_path: Path) -> None:
    made = tmp_path / "data"
    load_or_create_secret(Settings(data_dir=made))
    assert made.stat().st_mode & 0o777 == 0o700


def test_a_configured_secret_is_used_and_nothing_written(tmp_path: Path, settings: Settings) -> None:
    assert load_or_create_secret(settings) is settings
    assert list(tmp_path.iterdir()) == []


def test_a_data_directory_that_cannot_be_made_is_named_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(
        InvalidSettingsError, match=r"AUDIT_LOG_DATA_DIR: .*file/data cannot be created \(Not a directory\)"
    ):
        secret_in(tmp_path / "file" / "data")


def test_a_secret_that_cannot_be_read_is_named_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / SECRET_FILE_NAME).mkdir()

    with pytest.raises(InvalidSettingsError, match=r"AUDIT_LOG_DATA_DIR: .*jwt-secret .*name a writable directory"):
        secret_in(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\n", b"too-short\n", b" " * 40, b"\xff" * 40])
def test_a_file_that_holds_no_secret_is_refused_without_showing_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / SECRET_FILE_NAME).write_bytes(content)

    with pytest.raises(InvalidSettingsError) as refused:
        secret_in(tmp_path)

    assert str(tmp_path / SECRET_FILE_NAME) in str(refused.value)
    assert "remove it" in str(refused.value)
    assert "too-short" not in str(refused.value)


def test_the_secret_is_not_in_the_settings_as_printed(tmp_path: Path) -> None:
    settings = load_or_create_secret(Settings(data_dir=tmp_path))

    assert (tmp_path / SECRET_FILE_NAME).read_text().strip() not in f"{settings!r} {settings}"

"""Forked programs: what tests see of them is that of executed ones."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support import forked
from tests.support.waiting import SECONDS


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "script"
    path.write_text(
        "import os, sys, time\n"
        "print(sys.argv, os.environ['NAME'], os.getcwd(), os.getpid() == os.getsid(0), __name__)\n"
        "print('wrong', file=sys.stderr, flush=True)\n"
        "if sys.argv[1] == 'sleep': time.sleep(60)\n"
        "sys.exit(int(sys.argv[1]))\n"
    )
    return str(path)


def environ(**others: str) -> dict[str, str]:
    return {**os.environ, "NAME": "value", **others}


def test_a_program_has_its_arguments_environment_directory_and_session(tmp_path: Path, script: str) -> None:
    done = forked.run([script, "3"], env=environ(), cwd=tmp_path)
    assert done.stdout == f"{[script, '3']} value {tmp_path} True __main__\n"
    assert (done.returncode, done.stderr) == (3, "wrong\n")


def test_a_signal_is_a_negative_status_and_the_process_id_is_kept_until_it_is_read(tmp_path: Path, script: str) -> None:
    with (tmp_path / "output").open("w") as output:
        process = forked.start([script, "sleep"], environ(), output.fileno(), output.fileno())
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    os.kill(process.pid, 0)  # as that of a child, which is not free before its parent has waited for it
    assert process.wait(SECONDS) == process.poll() == -signal.SIGKILL


def test_a_program_that_does_not_end_is_killed(script: str) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        forked.run([script, "sleep"], env=environ(), timeout=0.5)


def test_a_failure_can_be_an_error(script: str) -> None:
    with pytest.raises(subprocess.CalledProcessError, match="status 1"):
        forked.run([script, "1"], env=environ(), check=True)


@pytest.mark.parametrize("name", ["PYTHONPATH", "LC_ALL", "LD_PRELOAD"])
def test_what_is_read_when_a_process_starts_is_refused(script: str, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        forked.run([script, "0"], env=environ(**{name: "another"}))

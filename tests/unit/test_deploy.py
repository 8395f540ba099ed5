"""`make deploy` asks before it does anything; an AWS CLI that only takes notes stands in for the real one."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
AWS = """#!/bin/sh
echo "$1 $2" >> {notes}
case "$2" in
  describe-stacks) echo audit-log-dev-Migrate-1 ;;
  invoke) echo '{answer}'; for last; do :; done; mkdir -p "$(dirname "$last")"; echo '{{"after": "0003"}}' > "$last" ;;
esac
"""
DEPLOYED = [
    "cloudformation package", "cloudformation deploy", "cloudformation describe-stacks", "lambda invoke",
]  # fmt: skip


def deploy(
    tmp_path: Path, reply: str, answer: str = '{"StatusCode": 200}'
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    notes = tmp_path / "notes"
    notes.touch()
    aws = tmp_path / "aws"
    aws.write_text(AWS.format(notes=notes, answer=answer))
    aws.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "infra.deploy", "--stage", "dev", "--bucket", "some-bucket"],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, cwd=ROOT, input=reply, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    return done, notes.read_text().splitlines()


def test_what_would_be_done_is_told_and_a_no_does_nothing(tmp_path: Path) -> None:
    done, calls = deploy(tmp_path, "\n")
    assert "--stack-name audit-log-dev" in done.stdout
    assert "Nothing was done" in done.stderr
    assert (done.returncode, calls) == (1, [])


def test_a_yes_deploys_and_then_migrates(tmp_path: Path) -> None:
    done, calls = deploy(tmp_path, "y\n")
    assert calls == DEPLOYED
    assert '{"after": "0003"}' in done.stdout
    assert done.returncode == 0


def test_a_migration_that_fails_is_no_success(tmp_path: Path) -> None:
    done, _ = deploy(tmp_path, "y\n", '{"StatusCode": 200, "FunctionError": "Unhandled"}')
    assert done.returncode == 1
    assert "was not migrated" in done.stderr

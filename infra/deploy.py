"""Deploys `dist/aws/` by the AWS CLI, after saying what it will do: `make deploy ARGS="--stage dev --bucket NAME"`."""

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from infra.build import TEMPLATE
from infra.errors import BuildError
from infra.staging import ROOT

_OUTPUT: Final = ROOT / "dist" / "aws"
_PACKAGED: Final = _OUTPUT / "packaged.yaml"
_CAPABILITIES: Final = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]  # it makes roles, and is a SAM template


def commands(stage: str, bucket: str, alarm_email: str | None) -> list[list[str]]:
    """The commands of one deployment but its migration: upload the package, then make or change the stack."""
    parameters = [f"Stage={stage}", *([f"AlarmEmail={alarm_email}"] if alarm_email else [])]
    return [
        ["aws", "cloudformation", "package", "--template-file", str(_OUTPUT / TEMPLATE), "--s3-bucket", bucket,
         "--s3-prefix", "audit-log", "--output-template-file", str(_PACKAGED)],
        ["aws", "cloudformation", "deploy", "--template-file", str(_PACKAGED), "--stack-name", stack(stage),
         "--s3-bucket", bucket, "--s3-prefix", "audit-log", "--capabilities", *_CAPABILITIES,
         "--no-fail-on-empty-changeset", "--parameter-overrides", *parameters],
    ]  # fmt: skip


def stack(stage: str) -> str:
    """The name of a stage's stack."""
    return f"audit-log-{stage}"


def migrate(stage: str) -> str:
    """Bring the database of a deployed stage to the schema of the new code; what the function answered.

    Raises:
        BuildError: the function failed. Its log says why; calling it again does no harm.
    """
    query = "Stacks[0].Outputs[?OutputKey=='MigrateFunction'].OutputValue"
    function = _run(
        ["aws", "cloudformation", "describe-stacks", "--stack-name", stack(stage), "--query", query, "--output", "text"]
    ).strip()
    answer = _OUTPUT / "migrated.json"
    status = json.loads(_run(["aws", "lambda", "invoke", "--function-name", function, "--output", "json", str(answer)]))
    if "FunctionError" in status:
        raise BuildError(f"The database was not migrated; {function} says why in its log.\n{answer.read_text()}")
    return answer.read_text()


def main(arguments: Sequence[str] | None = None) -> None:
    """Say what would be done, ask, and do it."""
    parser = argparse.ArgumentParser(prog="make deploy")
    parser.add_argument("--stage", choices=["dev", "prod"], required=True)
    parser.add_argument("--bucket", required=True, help="An S3 bucket of the same region, for the package.")
    parser.add_argument("--alarm-email", help="Email address for alarms.")
    options = parser.parse_args(arguments)
    wanted = commands(options.stage, options.bucket, options.alarm_email)
    print("With the account and region of the AWS CLI, this would run:")
    for command in wanted:
        print(f"  {shlex.join(command)}")
    print(f"and then call the Migrate function of {stack(options.stage)}.")
    if input("Continue? [y/N] ").strip().lower() not in {"y", "yes"}:
        sys.exit("Nothing was done.")
    try:
        for command in wanted:
            print(_run(command), end="")
        print(migrate(options.stage))
    except BuildError as exc:
        sys.exit(f"infra.deploy: {exc}")


def _run(command: list[str]) -> str:
    try:
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=Path(ROOT)).stdout
    except FileNotFoundError:
        raise BuildError("The AWS CLI is not installed: see docs/guides/aws.md.") from None
    except subprocess.CalledProcessError as exc:  # it has printed the reason
        raise BuildError(f"`{shlex.join(command[:3])}` ended with status {exc.returncode}.") from None


if __name__ == "__main__":
    main()

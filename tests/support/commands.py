"""Commands of `audit-log` as files of other programs name them."""

from collections.abc import Sequence

from typer.testing import CliRunner

from local_runner.cli.main import app


def assert_exists(command: str, options: Sequence[str]) -> None:
    """Fail unless the command exists and its help has all options among `options`."""
    described = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    assert described.exit_code == 0
    assert all(option in described.stdout for option in options if option.startswith("--"))

"""Builds what AWS deploys: the package and the template, in `dist/aws/`. `make package` runs it.

Chalice makes the zip and the SAM template of the routes and functions in `chalice_config/app.py`; everything else that
runs in AWS is merged into the template from `infra/resources/`. No account and no credentials are needed.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import yaml

from infra.errors import BuildError
from infra.inspection import Size, inspect
from infra.staging import PYTHON, ROOT, interpreter, stage
from infra.template import resources

PACKAGE: Final = "deployment.zip"
TEMPLATE: Final = "sam.yaml"
_REGION: Final = "eu-central-1"  # Chalice asks for one; what it writes is the same in all of them


def build(build_dir: Path, output: Path, python: str = PYTHON) -> Size:
    """Make `deployment.zip` and `sam.yaml` for a version of Python in `output`.

    `build_dir` keeps what the next build can use again.

    Raises:
        BuildError: the package cannot be made, or must not be deployed; then `output` is as it was.
    """
    project = stage(build_dir, python)
    made = build_dir / "made"
    shutil.rmtree(made, ignore_errors=True)
    merged = build_dir / "resources.yaml"
    merged.write_text(yaml.safe_dump(resources(python)))
    _chalice(project, merged, made)
    size = inspect(made / PACKAGE)
    output.mkdir(parents=True, exist_ok=True)
    for name in (PACKAGE, TEMPLATE):
        shutil.copy(made / name, output)
    return size


def _chalice(project: Path, merged: Path, made: Path) -> None:
    command = [
        str(Path(sys.executable).with_name("chalice")), "--project-dir", str(project), "package",
        "--merge-template", str(merged.resolve()), str(made.resolve()),
    ]  # fmt: skip
    # Not the settings of the user who builds: app.py is imported.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AUDIT_LOG_", "AWS_"))}
    environment |= {"AWS_DEFAULT_REGION": _REGION, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    if done.returncode or not (made / PACKAGE).exists():
        raise BuildError(f"Chalice cannot make the package:\n{done.stdout}{done.stderr}")


def main() -> None:
    """Build the package, and print its files."""
    output = ROOT / "dist" / "aws"
    try:
        size = build(ROOT / "build" / "aws", output)
    except BuildError as exc:
        sys.exit(f"infra.build: {exc}")
    print(f"{output / PACKAGE}: Python {PYTHON}, {size.zipped:,} bytes, {size.unpacked:,} unpacked")
    print(f"{output / TEMPLATE}")
    if interpreter(PYTHON) is None:
        print(f"There is no python{PYTHON} here to compile the package: each cold start takes half a second longer.")


if __name__ == "__main__":
    main()

"""The image has all files of the service: a missing one would only be noticed when a container starts."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
COPIED = {
    source
    for line in re.findall(r"^COPY (?!--from)(.+)$", (ROOT / "infra" / "Dockerfile").read_text(), re.MULTILINE)
    for source in line.split()[:-1]
}


def test_every_package_is_copied() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    packages = set(build["targets"]["wheel"]["packages"])
    assert packages
    assert packages | {"audit_log_client"} <= COPIED


def test_the_image_has_the_client_and_the_service() -> None:
    dockerfile = (ROOT / "infra" / "Dockerfile").read_text()
    [projects] = re.findall(r"pip install --no-deps (\.[^-\n]*)$", dockerfile, re.MULTILINE)
    assert projects.split() == ["./audit_log_client", "."]


def test_nothing_that_is_copied_is_kept_out_of_the_build() -> None:
    let_in = set(re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert let_in == COPIED

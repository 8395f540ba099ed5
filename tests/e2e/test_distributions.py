"""The two distributions of this repository, built as wheels: the service, and the client that it depends on."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

from audit_log_client import api
from tests.support.service import environment
from tests.support.waiting import SECONDS

ROOT = Path(__file__).parents[2]
PROJECTS = {"audit_log_client": ROOT / "audit_log_client", "audit_log_service": ROOT}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A wheel of each project, by the name of its distribution."""
    built = tmp_path_factory.mktemp("wheels")
    for project in PROJECTS.values():
        command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(built)]
        subprocess.run(command, cwd=project, check=True, capture_output=True, timeout=SECONDS)
    return {wheel.name.partition("-")[0]: wheel for wheel in built.glob("*.whl")}


def packages(wheel: Path) -> set[str]:
    """The top-level names that the wheel installs, without its metadata."""
    with ZipFile(wheel) as archive:
        roots = {name.partition("/")[0] for name in archive.namelist()}
    return {root for root in roots if not root.endswith(".dist-info")}


def required(wheel: Path) -> set[str]:
    """The names of the distributions that the wheel needs without any extra."""
    with ZipFile(wheel) as archive:
        [name] = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())
    lines = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    return {re.split(r"[^A-Za-z0-9._-]", line)[0] for line in lines}


def test_each_package_is_in_one_wheel(wheels: dict[str, Path]) -> None:
    assert {name: packages(wheel) for name, wheel in wheels.items()} == {
        "audit_log_client": {"audit_log_client"},
        "audit_log_service": {"core", "functions", "local_runner"},
    }


def test_the_service_depends_on_the_client_and_the_client_on_nothing_of_the_service(wheels: dict[str, Path]) -> None:
    assert "audit-log-client" in required(wheels["audit_log_service"])
    assert required(wheels["audit_log_client"]) == {"httpx", "uuid-utils"}


def test_make_install_locks_all_extras_but_that_of_the_load_test() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    [locked] = re.findall(r"^EXTRAS := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {*locked.split(), "load-test"} == extras.keys()
    pinned = {
        name: set(re.findall(r"^([a-z0-9-]+)==", (ROOT / name).read_text(), re.MULTILINE))
        for name in ("requirements.txt", "dev-requirements.txt")
    }
    assert "aiohttp" in pinned["dev-requirements.txt"] - pinned["requirements.txt"]
    assert pinned["requirements.txt"] <= pinned["dev-requirements.txt"]


def test_the_wheels_work_together(wheels: dict[str, Path], tmp_path: Path) -> None:
    target = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", str(target)]
    subprocess.run([*pip, *map(str, wheels.values())], check=True, capture_output=True, timeout=120)

    program = (
        "import audit_log_client, core, sys; print(audit_log_client.__file__, core.__file__)\n"
        "from local_runner.cli.main import main; sys.argv = ['audit-log', 'query', '--help']; main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(tmp_path) | {"PYTHONPATH": str(target)}, cwd=tmp_path,
        capture_output=True, text=True, check=True, timeout=SECONDS,
    )  # fmt: skip

    imported, _, text = ended.stdout.partition("\n")
    assert imported.split() == [str(target / name / "__init__.py") for name in ("audit_log_client", "core")]
    assert "--event-type" in text


def test_an_editable_install_offers_the_client_as_a_package_and_not_its_modules() -> None:
    assert Path(api.__file__) == ROOT / "audit_log_client" / "api.py"
    assert importlib.util.find_spec("credentials") is None

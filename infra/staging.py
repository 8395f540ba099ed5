"""The Chalice project as it is packaged: the application, our packages and the wheels that Lambda needs.

It is put together outside `chalice_config/`, because Chalice's local server and the type checker look into that folder.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from infra.errors import BuildError, WheelsUnavailableError

ROOT: Final = Path(__file__).parents[1]
PINS: Final = ROOT / "chalice_config" / "requirements.txt"

PYTHON: Final = "3.13"
"""The version that Lambda runs. It takes no new functions of 3.11, which the service itself still runs on:
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
"""

PLATFORM: Final = "manylinux2014_x86_64"
"""Wheels of this platform need glibc 2.17; Lambda's Amazon Linux 2023 has 2.34."""

ON_DEMAND: Final = "on_demand"
"""Folder of the package that is no place of modules until `functions.lambda_runtime` makes it one."""

ON_DEMAND_WHEELS: Final = ("cffi", "cryptography", "pycparser")
"""Distributions in it. PyJWT imports cryptography wherever it finds it, and each cold start would pay for that."""

_OURS: Final = ["core", "functions"]
# Brokers that Lambda does not speak to, sources of compiled modules, types, and what a library tests itself with.
_UNNEEDED: Final = shutil.ignore_patterns(
    "__pycache__", "*.pyc", "*.pyi", "*.pyx", "*.pxd", "*.c", "*.h", "tests", "testing", "bin", "rabbitmq", "kafka"
)


def stage(build_dir: Path, python: str) -> Path:
    """Recreate the project folder for a version of Python below `build_dir`, which keeps the wheels for the next build.

    Raises:
        WheelsUnavailableError: a wheel is missing, or PyPI cannot be reached.
    """
    project = build_dir / "project"
    shutil.rmtree(project, ignore_errors=True)
    vendor = project / "vendor"
    shutil.copytree(_wheels(build_dir, python), vendor)
    for package in _OURS:
        shutil.copytree(ROOT / package, vendor / package, ignore=_UNNEEDED)
        _compile(vendor / package, python)
    shutil.copy(ROOT / "chalice_config" / "app.py", project)
    (project / ".chalice").mkdir()
    shutil.copy(ROOT / "chalice_config" / ".chalice" / "config.json", project / ".chalice")
    # All that it names lies in vendor/ already. Chalice itself would continue without a wheel that it does not find.
    (project / "requirements.txt").touch()
    return project


def _wheels(build_dir: Path, python: str) -> Path:
    """The unpacked wheels of the lock file, whose hashes pip compares, without what no function needs."""
    state = hashlib.sha256(
        f"{python}{interpreter(python)}{PINS.read_text()}{Path(__file__).read_text()}".encode()
    ).hexdigest()
    wheels = build_dir / f"wheels-{state[:16]}"
    if wheels.exists():
        return wheels
    installed, unfinished = build_dir / "installed", build_dir / "unfinished"
    for rest in (installed, unfinished):
        shutil.rmtree(rest, ignore_errors=True)
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-compile",
        "--target", str(installed), "--no-deps", "--require-hashes", "--requirement", str(PINS),
        "--only-binary", ":all:", "--platform", PLATFORM, "--implementation", "cp", "--python-version", python,
    ]  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise WheelsUnavailableError(f"The wheels for Lambda cannot be had:\n{done.stderr}")
    shutil.copytree(installed, unfinished, ignore=_UNNEEDED)
    shutil.rmtree(installed)
    _set_apart(unfinished)
    _compile(unfinished, python)
    return unfinished.rename(wheels)


def _set_apart(wheels: Path) -> None:
    """Move the distributions of `ON_DEMAND_WHEELS`, with all files that their records name, into their folder."""
    apart = wheels / ON_DEMAND
    apart.mkdir()
    for name in ON_DEMAND_WHEELS:
        (record,) = wheels.glob(f"{name}-*.dist-info/RECORD")
        tops = {line.partition("/")[0].partition(",")[0] for line in record.read_text().splitlines()}
        for top in tops - {".."}:  # which leads to the programs, that no function needs
            shutil.move(wheels / top, apart)


def interpreter(python: str) -> str | None:
    """The interpreter of a version of Python on this machine."""
    for candidate in (sys.executable, shutil.which(f"python{python}")):
        if candidate is None:
            continue
        # A program on the path may only start another, as pyenv's shims do.
        program = "import sys; print('{}.{}'.format(*sys.version_info), sys.executable)"
        said = subprocess.run([candidate, "-I", "-c", program], check=False, capture_output=True, text=True)
        version, _, executable = said.stdout.strip().partition(" ")
        if version == python:
            return executable
    return None


def _compile(folder: Path, python: str) -> None:
    """Lambda cannot write next to the code, so that each cold start would compile all that it imports: half a second.

    Only that version of Python can do it. Where there is none, the package works all the same.

    Raises:
        BuildError: a file is no Python.
    """
    executable = interpreter(python)
    if executable is None:
        return
    # By the hash of nothing: unpacking changes the times.
    command = [
        executable,
        "-I",
        "-m",
        "compileall",
        "-q",
        "-s",
        str(folder.parent),
        "--invalidation-mode",
        "unchecked-hash",
    ]
    done = subprocess.run([*command, str(folder)], check=False, capture_output=True, text=True)
    if done.returncode:
        raise BuildError(f"The package cannot be compiled:\n{done.stdout}")

"""The Chalice project as it is packaged: the application, our packages, and the wheels that Lambda needs, in one folder.

It is put together beside `chalice_config/`, because Chalice's local server and the type checker look into that folder.
"""

import compileall
import hashlib
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from infra.errors import BuildError, WheelsUnavailableError

ROOT: Final = Path(__file__).parents[1]
PINS: Final = ROOT / "chalice_config" / "requirements.txt"

PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
"""The version that Lambda will run: Chalice takes the one that it runs on itself."""

PLATFORM: Final = "manylinux2014_x86_64"
"""Wheels of this platform need glibc 2.17; Amazon Linux 2, the oldest that Lambda runs Python on, has 2.26."""

_OURS: Final = ["core", "functions"]
# Brokers that Lambda does not speak to, sources of compiled modules, types, and what a library tests itself with.
_UNNEEDED: Final = shutil.ignore_patterns(
    "__pycache__", "*.pyc", "*.pyi", "*.pyx", "*.pxd", "*.c", "*.h", "tests", "testing", "bin", "rabbitmq", "kafka"
)


def stage(build_dir: Path) -> Path:
    """Make the project folder anew below `build_dir`, which keeps the wheels for the next time.

    Raises:
        WheelsUnavailableError: a wheel is missing, or PyPI cannot be reached.
    """
    project = build_dir / "project"
    shutil.rmtree(project, ignore_errors=True)
    vendor = project / "vendor"
    shutil.copytree(_wheels(build_dir), vendor)
    for package in _OURS:
        shutil.copytree(ROOT / package, vendor / package, ignore=_UNNEEDED)
        _compile(vendor / package)
    shutil.copy(ROOT / "chalice_config" / "app.py", project)
    (project / ".chalice").mkdir()
    shutil.copy(ROOT / "chalice_config" / ".chalice" / "config.json", project / ".chalice")
    # All that it names lies in vendor/ already. Chalice itself would go on without a wheel that it does not find.
    (project / "requirements.txt").touch()
    return project


def _wheels(build_dir: Path) -> Path:
    """The unpacked wheels of the lock file, whose hashes pip compares, without what no function needs."""
    state = hashlib.sha256(f"{PYTHON}{PINS.read_text()}{Path(__file__).read_text()}".encode()).hexdigest()
    wheels = build_dir / f"wheels-{state[:16]}"
    if wheels.exists():
        return wheels
    installed, unfinished = build_dir / "installed", build_dir / "unfinished"
    for rest in (installed, unfinished):
        shutil.rmtree(rest, ignore_errors=True)
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-compile",
        "--target", str(installed), "--no-deps", "--require-hashes", "--requirement", str(PINS),
        "--only-binary", ":all:", "--platform", PLATFORM, "--implementation", "cp", "--python-version", PYTHON,
    ]  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise WheelsUnavailableError(f"The wheels for Lambda cannot be had:\n{done.stderr}")
    shutil.copytree(installed, unfinished, ignore=_UNNEEDED)
    shutil.rmtree(installed)
    _compile(unfinished)
    return unfinished.rename(wheels)


def _compile(folder: Path) -> None:
    """Lambda cannot write beside the code, so that without this each cold start would compile everything it imports.

    Raises:
        BuildError: a file is no Python.
    """
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH  # unpacking changes the times
    if not compileall.compile_dir(folder, stripdir=folder.parent, quiet=2, invalidation_mode=mode):
        raise BuildError("A file of the package cannot be compiled: see `python -m compileall build/aws/project`.")

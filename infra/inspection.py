"""Looks into the package: is all there that runs in Lambda, and nothing else?"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zipfile import ZipFile

from infra.errors import BuildError
from infra.staging import ON_DEMAND, ON_DEMAND_WHEELS, PINS, PLATFORM, ROOT

MAX_ZIPPED: Final = 28_000_000
MAX_UNPACKED: Final = 85_000_000
"""Bytes. Lambda takes 250 MB unpacked; these bounds make growth visible."""

_OURS: Final = {"app.py", "chalice", "core", "functions", ON_DEMAND}
_FOLDERS: Final = ("", f"{ON_DEMAND}/")
"""Places of wheels in the package."""
_SOURCES: Final = ["functions", "core/stores/migrations", "core/queues/sqs", "functions/pages/static"]
_PIN: Final = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)", re.MULTILINE)
_TAG: Final = re.compile(r"^Tag: \S+-(\S+)$", re.MULTILINE)
# PEP 600: of any machine, or of an x86-64 with glibc 2.17 or older, which all are in the platform that was asked for.
_FITS: Final = re.compile(r"any|manylinux(1|2010|2014|_2_([0-9]|1[0-7]))_x86_64")


@dataclass(frozen=True)
class Size:
    """In bytes."""

    zipped: int
    unpacked: int


def inspect(package: Path) -> Size:
    """The size of a package that can be deployed.

    Raises:
        BuildError: something is missing, or does not belong in there, or it is too large. The message names all of it.
    """
    with ZipFile(package) as archive:
        names = set(archive.namelist())
        size = Size(package.stat().st_size, sum(member.file_size for member in archive.infolist()))
        complaints = [*_missing(names), *_foreign(archive, names), *_wrong_wheels(archive, names), *_too_large(size)]
    if complaints:
        raise BuildError(f"{package.name} cannot be deployed:\n" + "\n".join(f"  {line}" for line in complaints))
    return size


def pins() -> dict[str, str]:
    """The version of each distribution that must be in the package, by name as in file names."""
    return {name.lower().replace("-", "_"): version for name, version in _PIN.findall(PINS.read_text())}


def _missing(names: set[str]) -> Iterable[str]:
    wanted = {"app.py", "chalice/app.py", "core/wiring/__init__.py"}
    for folder in _SOURCES:
        wanted |= {
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
    for name, version in pins().items():
        wanted.add(f"{_FOLDERS[name in ON_DEMAND_WHEELS]}{name}-{version}.dist-info/METADATA")
    return (f"missing: {name}" for name in sorted(wanted - names))


def _foreign(archive: ZipFile, names: set[str]) -> Iterable[str]:
    """Files that belong neither to a wheel of the lock file nor to this project."""
    for folder in _FOLDERS:
        ours = {"__pycache__"} if folder else {*_OURS, "__pycache__"}
        for record in _of_wheels(names, folder, "RECORD"):
            ours |= {line.partition("/")[0].partition(",")[0] for line in archive.read(record).decode().splitlines()}
        there = {name.removeprefix(folder).partition("/")[0] for name in names if name.startswith(folder)}
        yield from (f"does not belong here: {folder}{name}" for name in sorted(there - ours))


def _wrong_wheels(archive: ZipFile, names: set[str]) -> Iterable[str]:
    known = {f"{name}-{version}.dist-info" for name, version in pins().items()}
    for wheel in (wheel for folder in _FOLDERS for wheel in _of_wheels(names, folder, "WHEEL")):
        distribution = wheel.split("/")[-2]
        platforms = set(_TAG.findall(archive.read(wheel).decode()))
        if distribution.lower() not in known:
            yield f"not of the lock file: {distribution}"
        if not any(map(_FITS.fullmatch, platforms)):
            yield f"not for {PLATFORM}: {distribution} ({', '.join(sorted(platforms))})"


def _too_large(size: Size) -> Iterable[str]:
    if size.zipped > MAX_ZIPPED:
        yield f"{size.zipped:,} bytes zipped are more than {MAX_ZIPPED:,}"
    if size.unpacked > MAX_UNPACKED:
        yield f"{size.unpacked:,} bytes unpacked are more than {MAX_UNPACKED:,}"


def _of_wheels(names: set[str], folder: str, file: str) -> list[str]:
    """The file of this name of each wheel that lies in a folder of the package."""
    wanted = re.compile(rf"{re.escape(folder)}[^/]+\.dist-info/{file}")
    return sorted(filter(wanted.fullmatch, names))

"""The folder of the catalogue, which an operator keeps in a repository and ships like settings."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from core.errors import InvalidSettingsError

if TYPE_CHECKING:
    from core.domain.catalogue.catalogue import Catalogue

MAX_FILE_BYTES: Final = 1024 * 1024
MAX_FILES: Final = 10_000


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the content of the folder's `*.json` by file name.

    Raises:
        InvalidSettingsError: the folder or a file cannot be read or is too large, or there is no such file.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.name.endswith(".json"))
        if len(paths) > MAX_FILES or any(path.stat().st_size > MAX_FILE_BYTES for path in paths):
            raise InvalidSettingsError(
                f"AUDIT_LOG_CATALOGUE: {folder} has more than {MAX_FILES} files, or a file of more than a mebibyte."
            )
        files = {path.name: path.read_bytes() for path in paths}
    except OSError as exc:
        name = exc.filename or folder
        raise InvalidSettingsError(f"AUDIT_LOG_CATALOGUE: {name} cannot be read ({exc.strerror}).") from None
    if not files:
        raise InvalidSettingsError(f"AUDIT_LOG_CATALOGUE: {folder} has no file EVENT_TYPE.json.")
    return files


def load_catalogue(folder: Path, *, strict: bool) -> "Catalogue":
    """Read and compile the catalogue of a folder.

    Raises:
        InvalidSettingsError: a file cannot be used; or the library that checks JSON Schemas is not installed.
    """
    try:
        from core.domain.catalogue.reading import read_catalogue  # noqa: PLC0415 - its library is an extra
    except ModuleNotFoundError as exc:
        if exc.name != "jsonschema_rs":
            raise
        raise InvalidSettingsError(
            "AUDIT_LOG_CATALOGUE: the library jsonschema-rs is not installed: pip install 'audit-log-service[schemas]'"
        ) from None
    return read_catalogue(read_files(folder), strict=strict)

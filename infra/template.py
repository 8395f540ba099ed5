"""Resources of AWS in addition to those of Chalice, from the files in `infra/resources/`."""

from pathlib import Path
from typing import Any, Final

import yaml

from infra.errors import BuildError

FOLDER: Final = Path(__file__).with_name("resources")


FUNCTIONS: Final = (
    "APIHandler",
    "ConsumeEvents",
    "Migrate",
    "CreatePartitions",
    "IntegrateLedger",
    "SendStreams",
    "CheckLedger",
    "ApplyRetention",
    "Reconcile",
    "AdministerClients",
)


def resources(python: str) -> dict[str, Any]:
    """One template of all files, with functions that run a version of Python.

    Each section, such as Resources, has in it what the files have there.

    Raises:
        BuildError: two files describe the same thing.
    """
    joined: dict[str, Any] = {}
    for file in sorted(FOLDER.glob("*.yaml")):
        for section, content in yaml.safe_load(file.read_text()).items():
            there = joined.setdefault(section, {} if isinstance(content, dict) else content)
            if not isinstance(content, dict):
                continue
            if twice := there.keys() & content.keys():
                raise BuildError(f"{file.name}: {', '.join(sorted(twice))} in {section} is in another file, too")
            there |= content
    for function in FUNCTIONS:  # Chalice would have the version that it runs on itself
        joined["Resources"][function]["Properties"]["Runtime"] = f"python{python}"
    return joined

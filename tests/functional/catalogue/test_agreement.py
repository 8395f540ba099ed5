"""ajv, a validator of another author, accepts and refuses the same events."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from core.domain.catalogue.schemas import Schemas
from tests.functional.catalogue.conftest import COMMON, LOGIN
from tests.support.node_packages import install_node_packages
from tests.support.waiting import SECONDS

AJV = Path(__file__).parents[2] / "support" / "ajv"
FILES: dict[str, Any] = {
    "_common.json": COMMON,
    "user.login.json": LOGIN,
    "rules.json": {
        "type": "object",
        "properties": {
            "word": {"enum": ["a", 1, None]},
            "code": {"pattern": "^[A-Z]{2}[0-9]+$"},
            "day": {"format": "date"},
            "ip": {"anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
            "tags": {"uniqueItems": True, "maxItems": 3, "items": {"minLength": 1}},
            "size": {"exclusiveMinimum": 0, "multipleOf": 0.5},
        },
        "dependentRequired": {"code": ["day"]},
        "if": {"properties": {"word": {"const": "a"}}, "required": ["word"]},
        "then": {"required": ["size"]},
        "unevaluatedProperties": False,
    },
}
DATA: list[tuple[str, Any]] = [
    *(("user.login.json", data) for data in [
        {"actor": {"id": "u"}}, {"actor": {"id": 1}}, {"actor": {}}, {"actor": None}, {},
        {"actor": {"id": "u"}, "attempts": 5}, {"actor": {"id": "u"}, "attempts": 6},
        {"actor": {"id": "u"}, "attempts": 5.0}, {"actor": {"id": "u"}, "attempts": 4.5},
    ]),
    *(("rules.json", data) for data in [
        {}, {"word": "a"}, {"word": "a", "size": 0.5}, {"word": 1}, {"word": 1.0}, {"word": True}, {"word": None},
        {"code": "AB1"}, {"code": "AB1", "day": "2026-02-28"}, {"code": "AB", "day": "2026-02-28"},
        {"day": "2026-02-30"}, {"day": "x"}, {"ip": "192.0.2.7"}, {"ip": "2001:db8::1"}, {"ip": "192.0.2.256"},
        {"tags": ["a", "b"]}, {"tags": ["a", "a"]}, {"tags": [""]}, {"tags": ["a", "b", "c", "d"]}, {"tags": [1, 1.0]},
        {"size": 0}, {"size": 1.5}, {"size": 0.25}, {"other": 1},
    ]),
]  # fmt: skip


def test_ajv_agrees_about_every_event() -> None:
    home = install_node_packages(AJV)
    node = shutil.which("node")
    assert node
    asked = json.dumps({"files": FILES, "cases": [{"file": file, "data": data} for file, data in DATA]})
    done = subprocess.run(
        [node, home / "validate.mjs"], input=asked, capture_output=True, text=True, check=True, timeout=SECONDS
    )
    schemas = Schemas(FILES)
    assert schemas.problems() == []
    ours = [schemas.validator(file).is_valid(data) for file, data in DATA]
    assert {True, False} == set(ours)
    assert list(zip(DATA, ours, strict=True)) == list(zip(DATA, json.loads(done.stdout), strict=True))

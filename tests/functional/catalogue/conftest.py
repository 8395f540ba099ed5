import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.settings import Settings
from core.wiring import Services
from tests.support.fakes import FakeMeter, FakeQueue, FakeStore

LOGIN: dict[str, Any] = {
    "title": "Signed in",
    "type": "object",
    "required": ["actor"],
    "properties": {"actor": {"$ref": "_common.json#/$defs/actor"}, "attempts": {"type": "integer", "maximum": 5}},
    "x-audit-log": {"sentences": {"en": "{actor} signed in"}, "titles": {"de": "Angemeldet"}},
}
COMMON: dict[str, Any] = {
    "$defs": {"actor": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}}
}

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes files of a catalogue and returns its folder. A text is written as it is, all else as JSON."""

    def write(**files: Any) -> Path:
        folder = tmp_path / "catalogue"
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            text = content if isinstance(content, str) else json.dumps(content)
            (folder / f"{name.replace('__', '.')}.json").write_text(text)
        return folder

    return write


@pytest.fixture
def meter() -> FakeMeter:
    return FakeMeter()


@pytest.fixture
def start(settings: Settings, queue: FakeQueue, meter: FakeMeter) -> Callable[..., Services]:
    def start(folder: Path | None, *, strict: bool = False) -> Services:
        update = {"catalogue": folder, "catalogue_strict": "on" if strict else "off"}
        store = FakeStore()
        return Services(
            settings.model_copy(update=update), publisher=queue, reader=store, writer=store, meter=meter, checks={}
        )

    return start

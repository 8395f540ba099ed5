"""The files of a catalogue: a mistake in one stops the start with its name and place."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from core.errors import InvalidSettingsError
from core.settings import Settings
from core.wiring import Services
from local_runner.cli.main import app
from tests.functional.catalogue.conftest import COMMON, LOGIN, Write


def load(folder: Path) -> list[str]:
    catalogue = Services(Settings(catalogue=folder)).catalogue
    assert catalogue is not None
    return [about.event_type for about in catalogue.types]


BROKEN: list[tuple[Any, str]] = [
    ("{", "Not JSON"),
    ('{"type": "object", "type": "array"}', "An object has the same member name twice"),
    ([], "must be a JSON object"),
    ({"$schema": "http://json-schema.org/draft-07/schema#"}, "/$schema: must be https://json-schema.org/draft/2020-12"),
    ({"$id": "https://example.org/x"}, "/$id: must be left out"),
    ({"properties": {"a": {"type": "text"}}}, "/properties/a/type: "),
    ({"properties": {"a": {"required": "x"}}}, "/properties/a/required: "),
    ({"properties": {"a": {"pattern": "(?=a)b"}}}, "/properties/a/pattern: is no regular expression that takes linear"),
    ({"patternProperties": {"(": {}}}, "/patternProperties/(: is no regular expression"),
    ({"properties": {"a": {"format": "emayl"}}}, "/properties/a/format: is no known format"),
    ({"$ref": "https://example.org/schema.json"}, "/$ref: names no file of this directory"),
    ({"$ref": "file:///etc/hostname"}, "/$ref: names no file of this directory"),
    ({"$ref": "../other/_common.json"}, "/$ref: names no file of this directory"),
    ({"$defs": {"a": {"$ref": "#/$defs/b"}}}, "/$defs/a/$ref: leads nowhere"),
    ({"x-audit-log": {"mode": "refuse"}}, "/x-audit-log/mode: "),
    ({"x-audit-log": {"sentence": {"en": "x"}}}, "/x-audit-log/sentence: is not a member"),
    ({"x-audit-log": {"sentences": {"en": "{actor.name changed"}}}, "/x-audit-log/sentences/en: has a brace"),
    ({"x-audit-log": {"sentences": {"en": "{targets[*].id}"}}}, "/x-audit-log/sentences/en: must name one value"),
    ({"x-audit-log": {"sentences": {"English": "x"}}}, "/x-audit-log/sentences/English: must be a language tag"),
    ({"x-audit-log": {"fields": {"who": "x"}}}, "/x-audit-log/fields/who: must be one of action, actor"),
    ({"x-audit-log": {"fields": {"actor": "a..b"}}}, "/x-audit-log/fields/actor/0: must name a member"),
]


@pytest.mark.parametrize(("content", "expected"), BROKEN)
def test_a_broken_file_stops_the_start_with_its_name_and_place(content: Any, expected: str, write: Write) -> None:
    folder = write(_common=COMMON, user__login=LOGIN, user__broken=content)
    with pytest.raises(InvalidSettingsError, match=re.escape(f"AUDIT_LOG_CATALOGUE: user.broken.json: {expected}")):
        load(folder)


def test_a_reference_that_is_data_is_none(write: Write) -> None:
    load(write(user__login={"properties": {"a": {"const": {"$ref": "nothing"}}, "$ref": {"type": "string"}}}))


def test_a_directory_without_files_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettingsError, match=r"has no file EVENT_TYPE\.json"):
        load(tmp_path)
    with pytest.raises(InvalidSettingsError, match=r"cannot be read \(No such file"):
        load(tmp_path / "nothing")


def test_a_slash_of_a_type_is_percent_encoded_in_the_name_of_its_file(write: Write) -> None:
    folder = write(**{"auth%2Flogin": {"title": "Signed in"}})
    assert load(folder) == ["auth/login"]


def check(folder: Path) -> tuple[int, str]:
    ended = CliRunner().invoke(app, ["catalogue", "check", str(folder)])
    return ended.exit_code, ended.output


@pytest.mark.parametrize("name", ["user login", "größe ändern", "50%", "50%zz", "a#b?c", "a:b"])
def test_any_event_type_names_a_file(name: str, tmp_path: Path) -> None:
    shared = {"$defs": {"id": {"type": "integer"}}}
    (tmp_path / "_the shared.json").write_text(json.dumps(shared))
    reference = {"$ref": "_the%20shared.json#/$defs/id"}
    (tmp_path / f"{name}.json").write_text(json.dumps({"properties": {"a": reference, "b": {"$ref": "#"}}}))
    assert load(tmp_path) == [name]


def test_a_reference_that_is_not_encoded_gets_its_spelling(tmp_path: Path) -> None:
    (tmp_path / "_the shared.json").write_text("{}")
    (tmp_path / "user.login.json").write_text('{"$ref": "_the shared.json"}')
    with pytest.raises(InvalidSettingsError, match=re.escape("/$ref: must begin with _the%20shared.json")):
        load(tmp_path)


def test_two_files_of_one_type_stop_the_start(tmp_path: Path) -> None:
    for name in ("a%2Fb", "a%2fb"):
        (tmp_path / f"{name}.json").write_text("{}")
    with pytest.raises(InvalidSettingsError, match=re.escape("a%2fb.json: is about the same event type as a%2Fb.json")):
        load(tmp_path)


def test_a_control_character_in_the_name_of_a_file_is_a_problem_of_that_file(tmp_path: Path) -> None:
    (tmp_path / "a\nb.json").write_text("{}")
    with pytest.raises(InvalidSettingsError, match="must not contain control characters"):
        load(tmp_path)


def test_the_command_prints_the_digest_of_sound_files(write: Write) -> None:
    folder = write(_common=COMMON, user__login={**LOGIN, "examples": [{"actor": {"id": "u-1"}}]})
    sums = "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(folder.iterdir())
    )
    assert check(folder) == (0, f"1 event type, SHA-256 {hashlib.sha256(sums.encode()).hexdigest()}\n")


def test_the_command_prints_every_problem(write: Write) -> None:
    folder = write(a={"properties": {"x": {"type": "y"}}}, b={"pattern": "("}, c={"x-audit-log": {"mode": 1}})
    status, output = check(folder)
    assert status == 1
    for place in ("a.json: /properties/x/type: ", "b.json: /pattern: ", "c.json: /x-audit-log/mode: "):
        assert f"audit-log: {place}" in output


@pytest.mark.parametrize("mode", ["off", "warn", "enforce"])
def test_the_command_tries_the_examples(mode: str, write: Write) -> None:
    wrong = {**LOGIN, "examples": [{"actor": {"id": "u-1"}}, {"actor": {"id": 1}}], "x-audit-log": {"mode": mode}}
    status, output = check(write(_common=COMMON, user__login=wrong))
    assert (status, output) == (1, "audit-log: user.login.json: /examples/1/actor/id: must be of type string\n")


def test_the_files_of_the_guide_are_sound(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[3] / "docs" / "guides" / "catalogue.md").read_text()
    blocks = re.findall(r"`([\w.]+\.json)`:\n\n```json\n(.*?)```", guide, re.DOTALL)
    assert len(blocks) >= 2
    for name, content in blocks:
        json.loads(content)
        (tmp_path / name).write_text(content)
    assert check(tmp_path)[0] == 0

"""The form of the documents: sizes, links, names of commands and settings, decisions and the glossary."""

import re
from functools import cache
from pathlib import Path

import pytest
import typer

from core.settings import PREFIX, Settings
from local_runner.cli.main import app
from tests.support.documents import (
    DOCS,
    FENCE,
    PAGES,
    README,
    ROOT,
    anchor,
    anchors,
    code_of,
    links,
    name_of,
    read,
    table,
)

README_LINES = 150
COLUMNS = 120
PICTURE_BYTES = 300_000

DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))
FIELDS = re.compile(r"# (?P<title>.+)\n\n- Status: (?P<status>.+)\n- Date: (?P<date>2\d{3}-\d\d-\d\d)\n")
STATUS = re.compile(r"accepted|accepted, supersedes \[(\d{4})\]\(.+\)|superseded by \[(\d{4})\]\(.+\)")

COMMAND = re.compile(r"(?<![\w/])a(?:udit-|s_audit_)log ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?")

pages = pytest.mark.parametrize("page", PAGES, ids=name_of)


def test_the_readme_is_short_and_narrow() -> None:
    lines = read(README).splitlines()
    assert len(lines) <= README_LINES
    assert [line for line in lines if len(line) > COLUMNS] == []


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=name_of)
def test_lines_outside_tables_are_narrow(page: Path) -> None:
    assert [line for line in read(page).splitlines() if len(line) > COLUMNS and not line.startswith("|")] == []


def test_the_picture_is_small() -> None:
    assert (DOCS / "images" / "viewer.png").stat().st_size < PICTURE_BYTES


@pages
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken = []
    for path, heading in links(read(page)):
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (heading and heading not in anchors(read(target))):
            broken.append(f"{path}#{heading}")
    assert broken == []


def test_the_readme_links_to_every_page_and_the_index_to_every_decision() -> None:
    linked = {(ROOT / path).resolve() for path, _ in links(read(README))}
    assert set(DOCS.rglob("*.md")) - linked == set(DECISIONS)


@pages
def test_the_list_of_contents_is_complete(page: Path) -> None:
    text = FENCE.sub("", read(page))
    listed = [target for path, target in links(text.partition("\n## ")[0]) if not path]
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    if listed:
        expected = [anchor(heading) for heading in headings]
        assert [target for target in listed if target in expected] == expected


def test_every_benchmark_is_listed() -> None:
    files = {f"`{path.name}`" for path in (ROOT / "benchmarks").glob("*.py")} - {"`__init__.py`"}
    assert [name for name in sorted(files) if name not in read(ROOT / "benchmarks" / "README.md")] == []


@pages
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    named = {
        target
        for code in code_of(read(page))
        for targets in re.findall(r"^(?:\$ )?make(?: -C \S+)?((?: [a-z-]+)+)", code, re.MULTILINE)
        for target in targets.split()
    }
    assert named <= targets


@cache
def command_group() -> typer.core.TyperGroup:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    return group


@pages
def test_every_command_that_is_named_exists(page: Path) -> None:
    for code in code_of(read(page)):
        for name, subcommand in COMMAND.findall(code):
            assert name in command_group().commands, code
            command = command_group().commands[name]
            if subcommand and isinstance(command, typer.core.TyperGroup):
                assert subcommand in command.commands, code


@pages
def test_every_setting_that_is_named_exists(page: Path) -> None:
    named = set(re.findall(rf"\b{PREFIX}([A-Z]+(?:_[A-Z]+)*)\b", read(page)))
    assert named <= {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.name[:4])
def test_every_decision_begins_with_its_status_and_date(page: Path) -> None:
    fields = FIELDS.match(read(page))
    assert fields, f"{page} needs `- Status:` and `- Date:` below its title"
    status = STATUS.fullmatch(fields["status"])
    assert status, fields["status"]
    predecessor, successor = status.groups()
    for number, answer in [(predecessor, "superseded by"), (successor, "accepted, supersedes")]:
        if number:
            [other] = [each for each in DECISIONS if each.name.startswith(number)]
            assert f"- Status: {answer} [{page.name[:4]}]({page.name})\n" in read(other)


def test_the_index_of_decisions_is_complete_and_right() -> None:
    expected = []
    for page in DECISIONS:
        fields = FIELDS.match(read(page))
        assert fields
        status = re.sub(r"\[(\d{4})\]\([^)]*\)", r"\1", fields["status"])
        expected.append((f"[{page.name[:4]}]({page.name})", fields["title"], status, fields["date"]))
    assert table(read(DOCS / "decisions" / "README.md"), "number", "title", "status", "date") == expected


def test_every_entry_of_the_glossary_is_one_sentence() -> None:
    text = read(DOCS / "glossary.md")
    entries = [" ".join(entry.split()) for entry in text.split("\n\n") if entry.startswith("**")]
    assert len(entries) == text.count("\n**")
    for entry in entries:
        assert re.fullmatch(r"\*\*[^*]+\*\*( \([^)]+\))?: .+\.", entry), entry
        assert ". " not in entry, entry

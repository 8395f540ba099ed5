"""The documents of the project as data: their code, tables, headings and links."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = (README, ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md")))
"""All documents that a reader of the README reaches."""

FENCE = re.compile(r"^```(?P<kind>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CELLS = re.compile(r"(?<!\\)\|")

Row = tuple[str, ...]


def read(page: Path | str) -> str:
    """The text of a page, by its path from the root."""
    return (ROOT / page).read_text(encoding="utf-8")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(text: str, kind: str) -> list[str]:
    """The fenced blocks of one kind, such as bash."""
    return [block["code"] for block in FENCE.finditer(text) if block["kind"] == kind]


def code_of(text: str) -> list[str]:
    """All fenced blocks, and the text between backticks."""
    return [*(block["code"] for block in FENCE.finditer(text)), *_INLINE.findall(FENCE.sub("", text))]


def quoted(cell: str) -> list[str]:
    """The text between backticks in a cell."""
    return _INLINE.findall(cell)


def tables(text: str) -> list[list[Row]]:
    """The tables, each as its rows without the line below the heading; cells are stripped."""
    found: list[list[Row]] = [[]]
    for line in FENCE.sub("", text).splitlines():
        if not line.startswith("|"):
            found.append([])
        elif not re.fullmatch(r"[|\s:-]+", line):
            found[-1].append(tuple(cell.strip() for cell in _CELLS.split(line)[1:-1]))
    return [rows for rows in found if rows]


def table(text: str, *heading: str) -> list[Row]:
    """The rows below the heading, of all tables that have it."""
    rows = [row for found in tables(text) if found[0] == heading for row in found[1:]]
    assert rows, f"no table with the heading {heading}"
    return rows


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of the headings."""
    return {anchor(heading) for heading in _HEADING.findall(FENCE.sub("", text))}


def anchor(heading: str) -> str:
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)  # links by their text
    return re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")


def links(text: str) -> list[tuple[str, str]]:
    """Path and anchor of each link to a file of the project; either may be empty."""
    targets = [target for target in _LINK.findall(FENCE.sub("", text)) if "://" not in target]
    return [(path, anchor) for target in targets for path, _, anchor in [target.partition("#")]]

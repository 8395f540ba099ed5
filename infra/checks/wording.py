"""Check the prose of the project for phrasing that hides the noun, and name the wording to use in its place.

It reads comments, docstrings and string literals of the product, comments and docstrings of tests and benchmarks, and
the whole text of documents, scripts, pages and configuration. It skips blocks of code in Markdown, and the records in
docs/decisions, which stay as they were written.
"""

import re
import sys
import tokenize
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]

# Most specific first. A gap matches a line break too.
WORDING: Final[Mapping[str, str]] = {
    r"what (?:is|are|was|were|has|have|had|comes?|came|goes|went|lies|stays|remains)": "name the thing by its noun",
    r"(?:tell|tells|telling|told) (?:\w+ )?apart": "distinguish",
    r"tell|tells|telling|told": "report, state, show",
    r"of (?:its|their|his|her|our|your|one's) own|of (?:ours|theirs)": "separate, dedicated, private",
    r"beside": "next to, in addition to, with",
    r"nobody|no one|nobody's|no one's": "no client, no process, or the passive",
    r"whoever": "the client that, the user who",
    r"(?:comes?|coming|came) again": "is redelivered, retried, repeated",
    r"(?:is|are|was|were|be|been) (?:not )?there": "exists, is present, is available",
    r"(?:go|goes|going|went|gone) on": "continues",
    r"at hand": "current, pending, in progress",
    r"anew": "again",
    r"mend|mends|mended|mending": "fix, repair",
    r"the books": "reconciliation, the counts",
}
_PATTERN: Final = re.compile(
    "|".join(rf"(?P<rule{place}>\b(?:{rule})\b)".replace(" ", r"\s+") for place, rule in enumerate(WORDING)),
    re.IGNORECASE,
)
_HINTS: Final = tuple(WORDING.values())

_PRODUCT: Final = ("audit_log_client", "chalice_config", "core", "functions", "infra", "local_runner")
_PROSE: Final = (
    "*.md", "Makefile", "pyproject.toml", ".ci/*", ".github/**/*.yaml", "audit_log_client/*.md", "benchmarks/*.md",
    "docs/*.md", "docs/guides/*.md", "docs/reference/*.md", "docs/explanation/*.md", "docs/decisions/README.md",
    "functions/pages/static/docs.*", "functions/pages/static/viewer/*", "infra/**/*.json", "infra/**/*.yaml",
    "infra/**/*.sh", "infra/systemd/*",
)  # fmt: skip
_OWN: Final = {"infra/checks/wording.py", "tests/unit/test_wording_check.py"}  # they quote the phrases
_NOT_WORDS: Final = re.compile(
    r"[\"'#]|\{[^{}]*\}"
)  # a phrase may cross two literals; Python 3.11 leaves expressions in
_FENCED: Final = re.compile(r"^(?P<fence>```|~~~).*?^(?P=fence)", re.MULTILINE | re.DOTALL)


class Finding(NamedTuple):
    """One phrase to reword."""

    file: str
    line: int
    phrase: str
    hint: str

    def __str__(self) -> str:
        return f'{self.file}:{self.line}: "{self.phrase}": {self.hint}'


def findings(file: str, text: str) -> Iterator[Finding]:
    """Yield what is to be reworded in a file's text. `file` is the path from the root, with slashes."""
    prose = _prose(file, text)
    for match in _PATTERN.finditer(prose):
        hint = _HINTS[int(str(match.lastgroup).removeprefix("rule"))]
        yield Finding(file, 1 + prose.count("\n", 0, match.start()), " ".join(match[0].split()), hint)


def _prose(file: str, text: str) -> str:
    """The text with everything but prose replaced by spaces, so that places stay the same."""
    if file.endswith(".md"):
        return _FENCED.sub(lambda block: re.sub(r"\S", " ", block[0]), text)
    if not file.endswith(".py"):
        return text
    kept = [list(re.sub(r"\S", " ", line)) for line in text.splitlines(keepends=True)]
    lines = text.splitlines(keepends=True)
    for start, end in _spans(text, with_literals=file.startswith(_PRODUCT)):
        for row in range(start[0] - 1, end[0]):
            first = start[1] if row == start[0] - 1 else 0
            last = end[1] if row == end[0] - 1 else len(lines[row])
            kept[row][first:last] = _NOT_WORDS.sub(lambda part: " " * len(part[0]), lines[row][first:last])
    return "".join(map("".join, kept))


def _spans(text: str, *, with_literals: bool) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """The places of comments and docstrings, and of all string literals if asked for."""
    at_start = True  # of a statement
    for token in tokenize.generate_tokens(StringIO(text).readline):
        kind = tokenize.tok_name[token.type]
        if kind == "COMMENT" or (kind in {"STRING", "FSTRING_MIDDLE"} and (with_literals or at_start)):
            yield token.start, token.end
        if kind not in {"COMMENT", "NL"}:
            at_start = kind in {"NEWLINE", "INDENT", "DEDENT", "ENCODING"}


def _files() -> Iterator[str]:
    """The files to read, from the root."""
    chosen = {path for pattern in _PROSE for path in ROOT.glob(pattern)}
    for package in (*_PRODUCT, "benchmarks", "tests"):
        chosen.update(ROOT.joinpath(package).rglob("*.py"))
    names = {path.relative_to(ROOT).as_posix() for path in chosen if path.is_file()}
    yield from sorted(name for name in names - _OWN if not name.startswith("chalice_config/chalice_config/"))


def _folder(file: str) -> str:
    return "/".join(file.split("/")[:-1][:2]) or "."


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every finding, or their number in each folder, and return the exit status."""
    parser = ArgumentParser(prog="python -m infra.checks.wording", description="Check the wording of all prose.")
    parser.add_argument("--counts", action="store_true", help="Print only the number of findings in each folder.")
    parser.add_argument("files", nargs="*", help="Files to check, by their path from the root. Default: all.")
    options = parser.parse_args(arguments)
    counts: Counter[str] = Counter()
    for file in options.files or _files():
        for finding in findings(file, (ROOT / file).read_text("utf-8")):
            counts[_folder(file)] += 1
            if not options.counts:
                print(finding)
    for folder, count in sorted(counts.items()) if options.counts else ():
        print(f"{folder:<32}{count:>6}")
    print(f"Phrases to reword: {counts.total()}")
    return 1 if counts else 0


if __name__ == "__main__":
    sys.exit(main())

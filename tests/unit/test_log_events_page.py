"""The reference of log events, compared with every call of a logger in the code.

A message is a key in snake_case, to search for and to alert on; figures are fields.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeGuard

import pytest

from tests.support.documents import ROOT, quoted, read, table

ROOMS = ("core", "functions", "local_runner")

KEY = re.compile(r"[a-z]+(_[a-z]+)*")
METHODS = {"debug", "info", "warning", "error", "critical", "exception", "log"}


class LogCall(NamedTuple):
    """A call of a logger. `fields` are those of its literals; `more_fields` says whether there may be others."""

    place: str
    keys: frozenset[str]
    levels: frozenset[str]
    fields: frozenset[str]
    more_fields: bool


class Module:
    """The calls of loggers in one file."""

    def __init__(self, path: Path) -> None:
        self._name = path.relative_to(ROOT).as_posix()
        self._nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))

    def calls(self) -> Iterator[LogCall]:
        for call in filter(is_log_call, self._nodes):
            method = call.func.attr  # type: ignore[attr-defined] # see is_log_call
            arguments = list(call.args)
            levels = {"error" if method == "exception" else method}
            if method == "log":
                levels = {level.lower() for level in re.findall(r"logging\.([A-Z]+)", ast.unparse(arguments.pop(0)))}
            extra = next((keyword.value for keyword in call.keywords if keyword.arg == "extra"), None)
            fields, more_fields = self._fields(extra)
            place = f"{self._name}:{call.lineno}"
            yield LogCall(place, self._texts(arguments[0]), frozenset(levels), fields, more_fields)

    def _texts(self, node: ast.expr) -> frozenset[str]:
        """The possible texts of a message: a literal, or a name that literals are assigned to."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return frozenset({node.value})
        if isinstance(node, ast.IfExp):
            return self._texts(node.body) | self._texts(node.orelse)
        assigned = self._assigned(node.id) if isinstance(node, ast.Name) else []
        return frozenset().union(*map(self._texts, assigned)) or frozenset({ast.unparse(node)})

    def _fields(self, node: ast.expr | None) -> tuple[frozenset[str], bool]:
        if node is None:
            return frozenset(), False
        if not isinstance(node, ast.Dict | ast.Name):  # the result of a function
            return frozenset(), True
        dicts: Sequence[ast.expr] = self._assigned(node.id) if isinstance(node, ast.Name) else [node]
        keys = [key for each in dicts if isinstance(each, ast.Dict) for key in each.keys]
        if isinstance(node, ast.Name):
            keys += self._set_items(node.id)
        names = {key.value for key in keys if isinstance(key, ast.Constant)}
        return frozenset(map(str, names)), len(names) < len(keys)

    def _assigned(self, name: str) -> list[ast.expr]:
        found = []
        for node in self._nodes:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
            if value and any(isinstance(target, ast.Name) and target.id == name for target in targets):
                found.append(value)
        return found

    def _set_items(self, name: str) -> list[ast.expr]:
        targets = [target for node in self._nodes if isinstance(node, ast.Assign) for target in node.targets]
        items = [target for target in targets if isinstance(target, ast.Subscript)]
        return [item.slice for item in items if ast.unparse(item.value) == name]


def is_log_call(node: ast.AST) -> TypeGuard[ast.Call]:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in METHODS
        and ast.unparse(node.func.value) == "_log"
    )


@pytest.fixture(scope="module")
def calls() -> list[LogCall]:
    paths = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")) or [ROOT / room]]
    return [call for path in paths for call in Module(path).calls()]


@pytest.fixture(scope="module")
def printed() -> dict[str, tuple[set[str], set[str]]]:
    """Levels and fields by key."""
    rows = table(read("docs/reference/log-events.md"), "event", "level", "fields", "meaning")
    events = {quoted(key)[0]: (set(levels.split(", ")), set(quoted(fields))) for key, levels, fields, _ in rows}
    assert len(events) == len(rows)
    return events


def test_every_message_is_a_key(calls: list[LogCall]) -> None:
    assert [call for call in calls if not all(map(KEY.fullmatch, call.keys))] == []


def test_the_page_lists_exactly_the_keys_of_the_code_with_their_levels(
    calls: list[LogCall], printed: dict[str, tuple[set[str], set[str]]]
) -> None:
    levels: dict[str, set[str]] = {}
    for call in calls:
        for key in call.keys:
            levels.setdefault(key, set()).update(call.levels)
    assert {key: of_page for key, (of_page, _) in printed.items()} == levels


def test_the_page_lists_the_fields_of_each_key(
    calls: list[LogCall], printed: dict[str, tuple[set[str], set[str]]]
) -> None:
    for call in calls:
        for key in call.keys:
            _, fields = printed[key]
            assert call.fields <= fields, call
            assert call.more_fields or call.fields == fields, call

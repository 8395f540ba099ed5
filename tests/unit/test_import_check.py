from collections.abc import Callable
from pathlib import Path

import grimp
import pytest

from infra.checks.imports import Plan, plans, problems, read_graph

Build = Callable[[dict[str, str]], grimp.ImportGraph]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Reads the graph of a package `house` with these files."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)

    def read(files: dict[str, str]) -> grimp.ImportGraph:
        for name, text in {"__init__.py": "", **files}.items():
            path = tmp_path / "house" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return read_graph(["house"])

    return read


@pytest.mark.parametrize(
    "lazily",
    [
        "def late():\n    from house import first\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import house.first\n",
        "class Late:\n    def run(self):\n        import house.first as there\n",
    ],
    ids=["function", "type checking", "method"],
)
def test_an_import_that_does_not_run_at_the_top_closes_a_cycle_too(build: Build, lazily: str) -> None:
    graph = build({"first.py": "from house.second import x\n", "second.py": lazily})
    modules, rooms = problems(graph, {})
    assert modules.startswith("cycle of modules: house.first -> house.second -> house.first\n")
    assert "house/first.py:1: from house.second import x" in modules
    line = 1 + lazily.split("\n").index(next(text for text in lazily.split("\n") if "first" in text))
    assert f"house/second.py:{line}: " in modules
    assert rooms.startswith("cycle of rooms in house: ")


def test_rooms_whose_modules_have_no_cycle_can_have_one(build: Build) -> None:
    graph = build({
        "attic/__init__.py": "", "attic/box.py": "import house.cellar.wine\n", "attic/lamp.py": "",
        "cellar/__init__.py": "", "cellar/wine.py": "", "cellar/stairs.py": "from house.attic import lamp\n",
    })  # fmt: skip
    [rooms] = problems(graph, {})
    assert rooms.startswith("cycle of rooms in house: house.")
    assert "\n  house/attic/box.py:1: import house.cellar.wine" in rooms
    assert "\n  house/cellar/stairs.py:1: from house.attic import lamp" in rooms


def test_a_package_that_imports_its_module_back_is_a_cycle(build: Build) -> None:
    [modules] = problems(build({"__init__.py": "from house.a import x\n", "a.py": "import house\n"}), {})
    assert "house/__init__.py:1: from house.a import x" in modules
    assert "house/a.py:1: import house" in modules


def test_every_cycle_is_named(build: Build) -> None:
    files = {"a.py": "import house.b", "b.py": "import house.a", "c.py": "import house.d", "d.py": "import house.c"}
    modules = [problem for problem in problems(build(files), {}) if problem.startswith("cycle of modules")]
    assert len(modules) == 2


def test_arrows_in_one_direction_are_no_problem(build: Build) -> None:
    files = {"a.py": "import house.b, house.c", "b.py": "import house.c", "c.py": "import json"}
    graph = build(files)
    assert list(problems(graph, {"house": 3})) == []
    assert plans(graph) == {"house": Plan(rooms=3, arrows=3, floors=3)}


def test_a_package_with_too_many_rooms_is_named_with_its_limit(build: Build) -> None:
    [wide] = problems(build({f"room{number}.py": "" for number in range(3)}), {"house": 2})
    assert "house has 3 entries at its root, at most 2" in wide

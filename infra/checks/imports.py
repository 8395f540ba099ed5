"""Check the import graph: no cycle between modules or rooms, and a bounded number of rooms at each package's root.

A room is an entry at a package's root: a module or a sub-package. An arrow leads from a room to one that it imports, by
one statement or many. The floors are the rooms on the longest path of arrows.

grimp reads every import statement: at a module's top, inside a function (lazy) and under TYPE_CHECKING. All of them
count: a cycle that only the type checker follows cannot fail at run time, but neither side is readable alone.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import grimp

PACKAGES: Final = (
    "audit_log_client",
    "benchmarks",
    "chalice_config",
    "core",
    "functions",
    "infra",
    "local_runner",
    "tests",
)
MAX_ROOMS: Final = {"core": 12, "functions": 23, "local_runner": 12}

_LINKED: Final = "chalice_config.chalice_config"  # a link to its own folder: the same modules again

Edges = Mapping[str, set[str]]
"""The nodes that each node imports."""


class Plan(NamedTuple):
    """The figures of one package."""

    rooms: int
    arrows: int
    floors: int


def read_graph(packages: Sequence[str] = PACKAGES) -> grimp.ImportGraph:
    """Parse all modules of `packages`, which must be importable from `sys.path`."""
    graph = grimp.build_graph(*packages, cache_dir=None)
    for module in sorted(graph.modules):
        if module.startswith(_LINKED):
            graph.remove_module(module)
    return graph


def problems(graph: grimp.ImportGraph, max_rooms: Mapping[str, int]) -> Iterator[str]:
    """Yield one message for each cycle, with the file and line of every import on it, and for each package too wide."""
    for cycle in _cycles({module: graph.find_modules_directly_imported_by(module) for module in graph.modules}):
        yield _describe(graph, "modules", cycle)
    for package in _packages(graph):
        for cycle in _cycles(_arrows(graph, package)):
            yield _describe(graph, f"rooms in {package}", cycle)
    for package, most in max_rooms.items():
        if (count := len(graph.find_children(package))) > most:
            yield f"{package} has {count} entries at its root, at most {most} are allowed: move some into a sub-package"


def plans(graph: grimp.ImportGraph) -> dict[str, Plan]:
    """Count rooms, arrows and floors of each package. A package with a cycle has 0 floors."""
    return {package: _plan(_arrows(graph, package)) for package in _packages(graph)}


def _packages(graph: grimp.ImportGraph) -> list[str]:
    return sorted(module for module in graph.modules if graph.find_children(module))


def _arrows(graph: grimp.ImportGraph, package: str) -> Edges:
    """The edges between the rooms of `package`."""
    arrows: dict[str, set[str]] = {room: set() for room in graph.find_children(package)}
    for room, imported in arrows.items():
        for module in {room, *graph.find_descendants(room)}:
            targets = {_room(package, target) for target in graph.find_modules_directly_imported_by(module)}
            imported.update(targets & arrows.keys() - {room})
    return arrows


def _room(package: str, module: str) -> str:
    """The name of the room of `package` that `module` would be in; no room's name if it is outside."""
    return ".".join(module.split(".")[: package.count(".") + 2])


def _cycles(edges: Edges) -> Iterator[list[str]]:
    """Yield cycles, each from a node back to itself, until removing one edge of each would leave none."""
    remaining = {node: sorted(edges[node]) for node in sorted(edges)}
    while True:
        try:
            TopologicalSorter(remaining).prepare()
        except CycleError as exc:
            cycle: list[str] = exc.args[1][::-1]  # graphlib lists the imported node before the one that imports it
            yield cycle
            remaining[cycle[0]].remove(cycle[1])
        else:
            return


def _plan(arrows: Edges) -> Plan:
    floors: dict[str, int] = {}
    try:
        for room in TopologicalSorter(arrows).static_order():
            floors[room] = 1 + max((floors[imported] for imported in arrows[room]), default=0)
    except CycleError:
        floors = {}
    return Plan(len(arrows), sum(map(len, arrows.values())), max(floors.values(), default=0))


def _describe(graph: grimp.ImportGraph, kind: str, cycle: Sequence[str]) -> str:
    steps = (_statement(graph, importer, imported) for importer, imported in pairwise(cycle))
    return "\n  ".join([f"cycle of {kind}: {' -> '.join(cycle)}", *steps])


def _statement(graph: grimp.ImportGraph, importer: str, imported: str) -> str:
    """The first import statement from one node, or anything in it, to the other."""
    targets = {imported, *graph.find_descendants(imported)}
    module, target = next(
        (module, target)
        for module in sorted({importer, *graph.find_descendants(importer)})
        for target in sorted(graph.find_modules_directly_imported_by(module) & targets)
    )
    detail = graph.get_import_details(importer=module, imported=target)[0]
    return f"{_file(module)}:{detail['line_number']}: {detail['line_contents'].strip()}"


def _file(module: str) -> str:
    path = Path(*module.split("."))
    return str(path / "__init__.py" if path.is_dir() else path.with_suffix(".py"))


def _table(rows: Iterable[tuple[str, Plan]]) -> str:
    lines = [f"{'package':<28}{'rooms':>6}{'arrows':>8}{'floors':>8}"]
    lines += [f"{package:<28}{plan.rooms:>6}{plan.arrows:>8}{plan.floors:>8}" for package, plan in rows]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every problem, and return the exit status."""
    parser = ArgumentParser(prog="python -m infra.checks.imports", description="Check the imports of all packages.")
    parser.add_argument("--rooms", action="store_true", help="Print rooms, arrows and floors of each package.")
    options = parser.parse_args(arguments)
    graph = read_graph()
    if options.rooms:
        print(_table(plans(graph).items()))
    found = list(problems(graph, MAX_ROOMS))
    for problem in found:
        print(problem)
    print(f"Problems in the import graph of {len(graph.modules)} modules: {len(found)}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

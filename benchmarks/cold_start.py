"""From a fresh interpreter to the first answer of each handler: `python -m benchmarks.cold_start`, three minutes.

The import alone of the FastAPI service takes turns with it. Bytecode is compiled before, as it is to be in a
Lambda package. The store is a SQLite file and the publisher one that needs no server; what the client libraries of
brokers and databases cost to import is in a separate table.
"""

import argparse
import json
import pkgutil
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median

from core import queues
from tests.support.cold_starts import HANDLERS, ColdStart, Deployment, cold_start

YARDSTICK = "benchmarks.fastapi_service"
ASKS_FOR_CLIENTS = ("token", "oauth_token", "create_event", "create_events")
ACCEPTING = ("create_event", "create_events")
WITHOUT_CRYPTOGRAPHY = ("token", "create_event", "query_events")
GROUPS = {
    "pydantic": {"pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection"},
    "PyJWT": {"jwt"},
    "cryptography": {"cryptography"},
    "SQLAlchemy": {"sqlalchemy"},
    "core, functions": {"core", "functions"},
    "Python's own": sys.stdlib_module_names,
}
OTHERS = "others"
ADDED = {
    **{f"core.queues.{queue.name}": "functions.create_event" for queue in pkgutil.iter_modules(queues.__path__)},
    "core.stores.sql": "functions.consume_events",
    "psycopg": "core.stores.sql",
    "pymysql": "core.stores.sql",
    "limits": "functions.token",
}
"""By module, the modules imported before it."""


def by_group(deployment: Deployment, handler: str, rounds: int) -> dict[str, float]:
    """Milliseconds that the modules of each group take to import, without what they import in turn; medians."""
    sums = [_group_sums(deployment.cold_start(handler, before=["benchmarks.import_times"])) for _ in range(rounds)]
    return {group: median(total[group] for total in sums) for group in (*GROUPS, OTHERS)}


def _group_sums(start: ColdStart) -> dict[str, float]:
    sums: defaultdict[str, float] = defaultdict(float)
    for name, milliseconds in json.loads(start.log).items():
        root = name.partition(".")[0]
        sums[next((group for group, roots in GROUPS.items() if root in roots), OTHERS)] += milliseconds
    return sums


def _spread(values: list[float]) -> str:
    return f"{median(values):.0f} ({min(values):.0f} to {max(values):.0f})"


def print_starts(deployments: dict[str, Deployment], rounds: int) -> None:
    """The first table: each handler next to the yardstick, which runs just before it each time."""
    cases = [
        *((handler, "open", ()) for handler in HANDLERS),
        *((handler, "open", ("cryptography",)) for handler in WITHOUT_CRYPTOGRAPHY),
        *((handler, "clients", ()) for handler in ASKS_FOR_CLIENTS),
        *((handler, "list", ()) for handler in ACCEPTING),
    ]
    print("| handler | AUTH | without | import | first call | both, median (min to max) | to FastAPI | second call |")
    print(f"|{'---|' * 8}")
    yardsticks: list[float] = []
    for handler, auth, without in cases:
        starts, ratios = [], []
        for _ in range(rounds):
            yardsticks.append(cold_start(YARDSTICK).import_ms)
            starts.append(deployments[auth].cold_start(handler, without=without))
            ratios.append(starts[-1].whole_ms / yardsticks[-1])
        print(
            f"| {handler} | {auth} | {' '.join(without)} | {median(start.import_ms for start in starts):.0f} "
            f"| {median(start.first_ms for start in starts):.1f} | {_spread([start.whole_ms for start in starts])} "
            f"| {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) "
            f"| {median(start.second_ms for start in starts):.2f} |"
        )
    print(f"| import of {YARDSTICK} | | | {_spread(yardsticks)} | | | 1 | |\n")


def print_groups(deployment: Deployment, rounds: int) -> None:
    """The second table: what the time goes to."""
    print(f"| handler | {' | '.join((*GROUPS, OTHERS))} |\n|---|{'---|' * (len(GROUPS) + 1)}")
    for handler in HANDLERS:
        groups = by_group(deployment, handler, rounds)
        print(f"| {handler} | {' | '.join(f'{milliseconds:.0f}' for milliseconds in groups.values())} |")
    print()


def print_added(rounds: int) -> None:
    """The third table: the cost of each part, once the handler is imported."""
    print("| module | on top of | ms |\n|---|---|---|")
    for module, before in ADDED.items():
        taken = [cold_start(module, before=[before]).import_ms for _ in range(rounds)]
        print(f"| {module} | {before} | {_spread(taken)} |")


def main() -> None:
    """Measure, and print three tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        deployments = {auth: Deployment(Path(folder) / auth, auth) for auth in ("open", "clients", "list")}
        for handler in HANDLERS:  # so that all bytecode is compiled
            deployments["open"].cold_start(handler)
        cold_start(YARDSTICK)
        print_starts(deployments, rounds)
        print_groups(deployments["open"], max(3, rounds // 2))
    print_added(max(3, rounds // 2))


if __name__ == "__main__":
    main()

"""`python -m tests.faults`: run the faults in full, and print what became of every acknowledged event."""

import argparse
import re
import sys
import time

from rich.console import Console
from rich.table import Table

from tests.faults.scenarios import SCENARIOS

FIGURES = ("sent", "acknowledged", "stored", "lost", "duplicated", "unexpected", "conceded", "oldest_conceded")


def main() -> int:
    """Run the scenarios that the command line names; the exit status says whether every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("words", nargs="*", help="run only scenarios whose name has one of these words")
    parser.add_argument("--short", action="store_true", help="as few rounds as in the test suite")
    parser.add_argument("--rounds", type=int, help="rounds of each scenario, instead of its number")
    options = parser.parse_args()
    columns = ("fault", "rounds", *FIGURES, "seconds")
    console = Console(width=140)  # the table has no use for less, and is read in files, too
    clean = True
    for scenario in SCENARIOS:
        if options.words and not set(options.words) & set(re.findall(r"[\w-]+", scenario.name)):
            continue
        rounds = options.rounds or (scenario.short if options.short else scenario.rounds)
        console.print(f"{scenario.name}, {rounds} rounds ...", highlight=False)
        started = time.monotonic()
        verdict = scenario.run(rounds)
        cells = (rounds, *(getattr(verdict, name) for name in FIGURES), round(time.monotonic() - started))
        table = Table(*columns, box=None)  # at once, since a later scenario may fail or be interrupted
        table.add_row(scenario.name, *(f"{cell:,}" for cell in cells), style=None if verdict.is_clean else "red")
        console.print(table)
        clean = clean and verdict.is_clean
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())

"""Reports lines of a file that are not accepted: the first ones of each reason at once, and the others counted."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

SHOWN: Final = 20
SHOWN_OF_A_REASON: Final = 3
_COUNTED_REASONS: Final = 1_000


class Rejections:
    """Counts rejected lines by reason. `print_line` prints one line on standard error."""

    def __init__(self, print_line: Callable[[str], None]) -> None:
        self._print_line = print_line
        self._hidden: Counter[str] = Counter()
        self._uncounted = 0
        self._shown: Counter[str] = Counter()

    def add(self, number: int, reason: str) -> None:
        """Report a line, by its number from 1."""
        if self._shown.total() < SHOWN and self._shown[reason] < SHOWN_OF_A_REASON:
            self._shown[reason] += 1
            self._print_line(f"line {number}: {reason}")
        elif reason in self._hidden or len(self._hidden) < _COUNTED_REASONS:
            self._hidden[reason] += 1
        else:
            self._uncounted += 1

    def summary(self) -> Iterator[str]:
        """Yield a line for each of the most frequent reasons of the lines that were not shown."""
        frequent = [(reason, count) for reason, count in self._hidden.most_common(SHOWN_OF_A_REASON) if count > 1]
        for reason, count in frequent:
            yield f"{count:,} more: {reason}"
        if rest := self._hidden.total() + self._uncounted - sum(count for _, count in frequent):
            yield f"{rest:,} more, for other reasons"

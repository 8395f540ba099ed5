"""Results of a check: contradictions, and absences that the log itself explains."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Final, Literal

MAX_NAMED: Final = 1_000
"""Findings of a kind that are named; further ones are counted."""

Kind = Literal["changed", "missing", "added", "moved", "ledger"]
"""changed: an event is not the one that its entry commits to. missing: an entry has no event. added: an event has no
entry. moved: an event claims the entry of another one. ledger: a row of the ledger contradicts the others.
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One contradiction. Event and index are None if it concerns no single event."""

    kind: Kind
    detail: str
    event_id: str | None = None
    index: int | None = None


class Findings:
    """Counts findings by kind, and keeps the first ones of each."""

    def __init__(self) -> None:
        self.counts: Counter[Kind] = Counter()
        self.named: list[Finding] = []

    def add(self, finding: Finding) -> None:
        """Add one finding."""
        self.counts[finding.kind] += 1
        if self.counts[finding.kind] <= MAX_NAMED:
            self.named.append(finding)

    def merge(self, other: "Findings") -> None:
        """Add the findings of a part."""
        room = {kind: MAX_NAMED - count for kind, count in self.counts.items()}
        for finding in other.named:
            room[finding.kind] = room.get(finding.kind, MAX_NAMED) - 1
            if room[finding.kind] >= 0:
                self.named.append(finding)
        self.counts += other.counts


@dataclass(frozen=True, slots=True)
class Absent:
    """An entry whose event is not stored."""

    event_id: str
    index: int


@dataclass
class MonthGap:
    """Entries of one month whose events are not stored: their number, and the first of them."""

    count: int = 0
    first: list[Absent] = field(default_factory=list)

    def add(self, absent: Iterable[Absent], count: int) -> None:
        """Add entries of a part."""
        self.count += count
        self.first = [*self.first, *absent][:MAX_NAMED]


@dataclass
class RangeResult:
    """What the check of a range of entries found."""

    findings: Findings = field(default_factory=Findings)
    gaps: dict[int, MonthGap] = field(default_factory=dict)
    """By month, counted from 1970-01."""
    months: Counter[int] = field(default_factory=Counter)
    """Entries by month."""
    erased: int = 0
    uncommitted: int = 0
    checkpoints: list[tuple[int, str | None]] = field(default_factory=list)
    """Sizes, and the problem of each if it has one."""
    signatures: int = 0

    def miss(self, event_id: str, index: int, month: int) -> None:
        """Add an entry whose event is not stored."""
        self.gaps.setdefault(month, MonthGap()).add([Absent(event_id, index)], 1)

    def merge(self, other: "RangeResult") -> None:
        """Add the result of the next range."""
        self.findings.merge(other.findings)
        for month, gap in other.gaps.items():
            self.gaps.setdefault(month, MonthGap()).add(gap.first, gap.count)
        self.months += other.months
        self.erased += other.erased
        self.uncommitted += other.uncommitted
        self.checkpoints += other.checkpoints
        self.signatures += other.signatures


@dataclass(frozen=True, slots=True)
class Report:
    """Result of a check of the whole ledger."""

    size: int
    events: int
    erased: int
    dropped: int
    """Entries whose events retention has deleted, as events in the log say."""
    uncommitted: int
    """Entries of events that were stored with AUDIT_LOG_LEDGER=off and are not adopted yet: nothing is checked."""
    signatures: int
    guard: int | None
    """Size of the last checkpoint in the guard; None if this host has none."""
    findings: Findings

    @property
    def is_whole(self) -> bool:
        """Whether nothing contradicts anything."""
        return not self.findings.counts

    def facts(self) -> dict[str, object]:
        """Return the report for JSON."""
        return {
            "whole": self.is_whole,
            "size": self.size,
            "events": self.events,
            "erased": self.erased,
            "dropped": self.dropped,
            "uncommitted": self.uncommitted,
            "signatures": self.signatures,
            "guard": self.guard,
            "counts": dict(self.findings.counts),
            "findings": [asdict(finding) for finding in self.findings.named],
        }

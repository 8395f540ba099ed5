"""Evaluator: reads the log once for all alert rules, in one process at a time.

Rules that have come to the same place share each page of the feed. One that lags behind, because it is new or was
paused, is evaluated up to the place of the next one, and from there together with it.

The lease of each rule (`core.domain.leases`) only keeps processes from doing the same work: what makes each event count
once is that places move from where they were, in the transaction that stores memories and alerts.
"""

import logging
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Final

from core.alerts.evaluation import Candidate, Evaluation
from core.domain.alert_rules import AlertRule
from core.domain.clock import Clock
from core.domain.leases import BEAT_SECONDS, LEASE_SECONDS, LeaseWatch
from core.domain.queries import EventFilter
from core.errors import StoreUnavailableError
from core.ports.alert_rules import AlertMemory, RuleLease, RuleStep
from core.ports.feed import FeedPage, FeedReader, FeedRequest

PAGE_EVENTS: Final = 1_000
_SLICE_SECONDS: Final = 5.0
"""How long a round reads before it looks again which rules there are."""

_log = logging.getLogger(__name__)


class _Held:
    """A rule that this process evaluates."""

    def __init__(self, rule: AlertRule, secret: bytes, now: float) -> None:
        self.evaluation = Evaluation(rule, secret)
        self.rule = rule
        """As it is stored."""
        self.place = rule.position
        """Index of the next entry. Entries in which a rule counts nothing move it without a transaction."""
        self.written_at = now
        self.expired_at = now - BEAT_SECONDS


class Evaluator:
    """Evaluates alert rules. `round` is to be called about every second, by one thread."""

    def __init__(
        self,
        feed: FeedReader,
        memory: AlertMemory,
        wall_clock: Clock,
        *,
        lease_seconds: float = LEASE_SECONDS,
        clock: Clock = monotonic,
    ) -> None:
        """`clock` runs forward; `lease_seconds` are counted by it."""
        self._feed = feed
        self._memory = memory
        self._wall_clock = wall_clock
        self._clock = clock
        self._watch = LeaseWatch(lease_seconds, clock)
        self._holder = secrets.token_hex(16)
        self._held: dict[str, _Held] = {}
        self._beaten_at = clock()
        self._newest: datetime | None = None
        self._is_closed = False

    @property
    def held(self) -> Mapping[str, int]:
        """Place of each rule that this process evaluates, by its id."""
        return {rule_id: held.place for rule_id, held in self._held.items()}

    @property
    def holds_any(self) -> bool:
        """Whether this process evaluates a rule."""
        return bool(self._held)

    def round(self) -> None:
        """Take the rules unless another process has them, and evaluate the events that were stored since.

        Raises:
            StoreUnavailableError: trying again later helps.
        """
        leases = {lease.rule.rule_id: lease for lease in self._memory.active()}
        self._drop(leases)
        if self._held and self._clock() >= self._beaten_at + BEAT_SECONDS:
            self._memory.beat(self._holder)
            self._beaten_at = self._clock()
        self._watch.look({rule_id: (lease.holder, lease.beat) for rule_id, lease in leases.items()})
        self._take(leases)
        self._read()
        self._note_places()
        self._expire()

    def close(self) -> None:
        """Begin no further page, and let the rules go. Call it once no round runs, or will be cut off."""
        self._is_closed = True
        try:
            for rule_id in self._held:
                self._memory.release(rule_id, self._holder)
        except StoreUnavailableError:
            _log.warning("alert_rules_not_released", extra={"action": "None: other processes take them in 30 seconds."})

    def _drop(self, leases: Mapping[str, RuleLease]) -> None:
        for rule_id, held in list(self._held.items()):
            lease = leases.get(rule_id)
            if lease is None or lease.holder != self._holder or lease.rule.version != held.rule.version:
                self._memory.release(rule_id, self._holder)
                del self._held[rule_id]

    def _take(self, leases: Mapping[str, RuleLease]) -> None:
        """Take all rules, or none: two processes would read the log twice."""
        if any(lease.holder != self._holder and not self._watch.is_free(each) for each, lease in leases.items()):
            return
        for rule_id, lease in leases.items():
            if rule_id in self._held:
                continue
            if not self._memory.take(lease, self._holder):
                return
            if lease.holder not in (None, self._holder):
                _log.warning("alert_rule_taken_over", extra={"rule": rule_id})
            self._held[rule_id] = _Held(lease.rule, self._feed.cursor_key(), self._clock())

    def _read(self) -> None:
        deadline = monotonic() + _SLICE_SECONDS
        while self._held and not self._is_closed and monotonic() < deadline:
            places = sorted({held.place for held in self._held.values()})
            group = [held for held in self._held.values() if held.place == places[0]]
            size = self._feed.size()
            if places[0] > size:
                self._move_back(group, size)
            elif places[0] == size:
                return
            else:
                limit = min(PAGE_EVENTS, places[1] - places[0]) if len(places) > 1 else PAGE_EVENTS
                self._evaluate(group, self._feed.read(FeedRequest(EventFilter(), places[0], limit)))

    def _evaluate(self, group: Sequence[_Held], page: FeedPage) -> None:
        now, at = self._clock(), self._now()
        steps = []
        for held in group:
            found = held.evaluation.candidates(page.entries)
            if found or now >= held.written_at + BEAT_SECONDS:
                steps.append(_step(held, page.position, found, at))
            else:
                held.place = page.position
        self._commit(steps)
        if page.entries:
            received = max(event.received_at for _, event in page.entries)
            self._newest = max(received, self._newest or received)

    def _note_places(self) -> None:
        """Store places that were moved without a transaction, so that the figures of rules are at most seconds old."""
        due = self._clock() - BEAT_SECONDS
        moved = [each for each in self._held.values() if each.place != each.rule.position and each.written_at <= due]
        self._commit([RuleStep(held.rule, held.place) for held in moved])

    def _commit(self, steps: Sequence[RuleStep]) -> None:
        if not steps:
            return
        rules = self._memory.commit(steps, self._holder)
        for step in steps:
            rule_id = step.rule.rule_id
            held, now = self._held[rule_id], rules.get(rule_id)
            if now is None:  # changed or taken over: the next round takes it as it is then
                del self._held[rule_id]
                continue
            held.rule, held.place, held.written_at = now, step.position, self._clock()

    def _expire(self) -> None:
        """Fire rules of the kind absence that have come to the end of the log."""
        now = self._clock()
        waiting = [
            held
            for held in self._held.values()
            if held.rule.kind == "absence" and now >= held.expired_at + BEAT_SECONDS
        ]
        if not waiting:
            return
        size = self._feed.size()
        until = self._complete_until(size)
        steps = []
        for held in waiting:
            if held.place == size:
                held.expired_at = now
                steps.append(_expiry(held, until, self._now()))
        self._commit(steps)

    def _complete_until(self, size: int) -> int:
        """Return the Unix second up to which events would be in the log: that of the newest one.

        Events may wait in a queue. If none came for longer than the window of a rule, `_expiry` goes by the clock.
        """
        if self._newest is None and size:
            page = self._feed.read(FeedRequest(EventFilter(), size - 1, 1))
            self._newest = page.entries[0][1].received_at if page.entries else None
        return int((self._newest or self._now()).timestamp())

    def _move_back(self, group: Sequence[_Held], size: int) -> None:
        action = "None if the database was restored to an earlier state: the rules continue at the end of the log."
        _log.warning("alert_rules_beyond_the_end", extra={"rules": len(group), "size": size, "action": action})
        self._commit([RuleStep(held.rule, size) for held in group])

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._wall_clock(), UTC)


def _step(held: _Held, position: int, found: Sequence[Candidate], at: datetime) -> RuleStep:
    keys = frozenset(candidate.key for candidate in found)
    return RuleStep(held.rule, position, keys, evaluate=partial(held.evaluation.count, found, at=at))


def _expiry(held: _Held, until: int, at: datetime) -> RuleStep:
    now, evaluation = int(at.timestamp()), held.evaluation
    second = now if now - until > held.rule.window else until
    keys = frozenset() if held.rule.group_by else frozenset({evaluation.key_of_all})
    before = second - held.rule.window
    return RuleStep(held.rule, held.place, keys, before, partial(evaluation.expire, now=second, at=at))

"""Evaluation of one rule: from events of the log to what the rule remembers afterwards, and its alerts. Pure."""

import hmac
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

import orjson

from core.alerts import absence, first_seen, threshold
from core.alerts.steps import Data, Firing, Match, match_of
from core.domain.alert_rules import ALERT_TYPE, MAX_VALUES, AlertRule, RuleField, rule_field
from core.domain.audit_events import audit_event
from core.domain.matching import is_scalar, matches, values_at
from core.domain.models import RESERVED_PREFIX, SYSTEM_CUSTOMER, Event
from core.ports.alert_rules import Memory, Result

_ALERTS: Final = UUID("c6a7f6d4-8f0e-5b52-9d1c-2f4f0f6d7a31")
"""Namespace of the ids of alerts (UUIDv5, RFC 9562 section 5.5)."""


class Candidate(NamedTuple):
    """An event that a rule counts for a key."""

    key: str
    """Hexadecimal digest of the values of the key."""
    values: list[Any]
    """Values of the fields of `group_by`, and of `path` if the rule has one."""
    match: Match
    learns: bool
    customer_id: int


class Evaluation:
    """Evaluates one version of a rule."""

    def __init__(self, rule: AlertRule, secret: bytes) -> None:
        """`secret` keys the digests: who reads the memory of a rule cannot try out values, nor guess ids of alerts."""
        self.rule = rule
        self._wanted = rule.event_filter
        self._groups = [rule_field(text) for text in rule.group_by]
        self._path = rule_field(rule.path) if rule.path else None
        self._secret = hmac.digest(secret, rule.rule_id.encode(), sha256)

    def candidates(self, entries: Iterable[tuple[int, Event]]) -> list[Candidate]:
        """Return what a rule counts among entries of the log, which are indices and events."""
        return [candidate for index, event in entries for candidate in self._of_event(index, event)]

    def count(self, candidates: Iterable[Candidate], memories: Mapping[str, Memory], at: datetime) -> Result:
        """Count candidates, given the memories of their keys. `at` is the time of alerts."""
        changed: dict[str, Memory] = {}
        alerts: list[Event] = []
        for candidate in candidates:
            before = changed.get(candidate.key) or memories.get(candidate.key)
            data, firing = self._step(before.data if before else None, candidate)
            if data is not None:
                changed[candidate.key] = _memory(data, before, candidate)
            if firing:
                alerts.append(self._alert(candidate.key, candidate.values, firing, candidate.match.event_id, at))
        return Result(changed, alerts)

    def expire(self, memories: Mapping[str, Memory], now: int, at: datetime) -> Result:
        """Fire for keys without an event for a window, if the log is complete up to `now`, a Unix second.

        A rule without `group_by` waits for its first event from its creation on.
        """
        changed: dict[str, Memory] = {}
        alerts: list[Event] = []
        for key, memory in {**self._first_wait(memories), **memories}.items():
            data, firing = absence.expire(memory.data, self.rule.window, now)
            if firing:
                changed[key] = memory._replace(data=data)
                cause = str(data["id"] or data["last"])
                alerts.append(self._alert(key, data["values"], firing, cause, at))
        return Result(changed, alerts)

    @property
    def key_of_all(self) -> str:
        """The only key of a rule without `group_by`."""
        return self._digest([])

    def _first_wait(self, memories: Mapping[str, Memory]) -> dict[str, Memory]:
        if self._groups or self.key_of_all in memories:
            return {}
        created = int(self.rule.created_at.timestamp())
        return {self.key_of_all: Memory(absence.waiting_since(created, []), created, None)}

    def _of_event(self, index: int, event: Event) -> Iterator[Candidate]:
        if event.event_type == ALERT_TYPE or not matches(event, self._wanted):
            return
        key: list[Any] = []
        for field in self._groups:
            found = [value for value in _values(event, field) if is_scalar(value)]
            if not found:
                return
            key.append(found[0])
        match = match_of(event, self.rule.window)
        learns = index < self.rule.learns_until
        keys: Iterable[list[Any]] = [key]
        if self._path:
            keys = ([*key, value] for value in _values(event, self._path) if is_scalar(value))
        by_digest = {self._digest(values): values for values in islice(keys, MAX_VALUES)}
        for digest, values in by_digest.items():
            yield Candidate(digest, values, match, learns, event.customer_id)

    def _step(self, data: Data | None, candidate: Candidate) -> tuple[Data | None, Firing | None]:
        rule = self.rule
        match rule.kind:
            case "threshold":
                return threshold.step(data, candidate.match, rule.threshold or 1, rule.window)
            case "first_seen":
                return first_seen.step(data, candidate.match, rule.forget_days, learns=candidate.learns)
            case "absence":
                return absence.step(data, candidate.match, candidate.values)

    def _digest(self, values: list[Any]) -> str:
        same = [float(value) if _is_whole(value) else value for value in values]  # 5 equals 5.0
        return hmac.digest(self._secret, orjson.dumps(same), sha256).hex()

    def _alert(self, key: str, values: list[Any], firing: Firing, cause: str, at: datetime) -> Event:
        """Build the alert. The same events make the same id, so that it would be stored once if it were made twice."""
        rule = self.rule
        fields = [*rule.group_by, *([rule.path] if rule.path else [])]
        alert = audit_event(
            ALERT_TYPE.removeprefix(RESERVED_PREFIX),
            rule.rule_id,
            at=at,
            name=rule.name,
            kind=rule.kind,
            key=dict(zip(fields, values, strict=True)),
            count=firing.events,
            window_seconds=rule.window_seconds,
            first=_rfc3339(firing.first),
            last=_rfc3339(firing.last),
            event_ids=list(firing.event_ids),
        )
        event_id = str(uuid5(_ALERTS, f"{rule.rule_id}\n{key}\n{cause}"))
        return alert.model_copy(update={"event_id": event_id, "customer_id": self._customer(values)})

    def _customer(self, values: list[Any]) -> int:
        """The customer of the key or of the rule, if it is exactly one; else the service."""
        if "customer_id" in self.rule.group_by:
            return int(values[self.rule.group_by.index("customer_id")])
        customers = self.rule.customers or ()
        return customers[0] if len(customers) == 1 else SYSTEM_CUSTOMER


def _memory(data: Data, before: Memory | None, candidate: Candidate) -> Memory:
    if before is None:
        return Memory(data, candidate.match.time, candidate.customer_id)
    customer = candidate.customer_id if before.customer_id == candidate.customer_id else None
    return Memory(data, max(before.at, candidate.match.time), customer)


def _values(event: Event, field: RuleField) -> Iterator[Any]:
    if field.path:
        return values_at(event.event_data, field.path)
    return iter((getattr(event, field.name),))


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= 1 << 53


def _rfc3339(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat().replace("+00:00", "Z")

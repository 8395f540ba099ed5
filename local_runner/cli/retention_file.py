"""Retention rules in a file: one JSON object a line, as `audit-log retention list --json` prints them."""

from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StrictInt, ValidationError

from core.domain import strict_json
from core.domain.byte_order_mark import without_mark
from core.domain.field_errors import field_errors
from core.domain.models import CustomerId, EventType
from core.domain.retention import MAX_DAYS, RetentionRule
from core.errors import AuditLogError

MAX_ERRORS: Final = 20

_FIELDS: Final = {"type": "event_type", "customer": "customer_id", "keep_days": "keep_days"}
_MESSAGES: Final = {"extra_forbidden": f"is unknown: use {', '.join(_FIELDS)}"}


class InvalidRulesError(AuditLogError):
    """The file is not one of retention rules. Nothing was changed; the message has the lines and the remedy."""


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: EventType | None = None
    customer: CustomerId | None = None
    keep_days: Annotated[StrictInt, Field(ge=1, le=MAX_DAYS)]


def read_file(path: Path) -> list[RetentionRule]:
    """Read all rules. Empty lines, and lines that begin with `#`, are passed over.

    Raises:
        InvalidRulesError: it cannot be read, has no rule, or a line is wrong: no rule of it is usable.
    """
    try:
        lines = without_mark(path.read_bytes()).splitlines()
    except OSError as exc:
        raise InvalidRulesError(f"{path} cannot be read ({exc.strerror}).") from None
    rules: dict[tuple[str | None, int | None], tuple[int, RetentionRule]] = {}
    errors: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith(b"#"):
            continue
        try:
            rule = _parse(line)
        except InvalidRulesError as exc:
            errors.append(f"line {number}: {str(exc).removesuffix('.')}")
            continue
        first, _ = rules.setdefault((rule.event_type, rule.customer_id), (number, rule))
        if first != number:
            errors.append(f"line {number}: is about the same events as line {first}")
    if errors:
        more = [f"and {len(errors) - MAX_ERRORS} more"] if len(errors) > MAX_ERRORS else []
        raise InvalidRulesError(f"No rule was changed: {'; '.join([*errors[:MAX_ERRORS], *more])}.")
    if not rules:
        raise InvalidRulesError("The file has no rule: to keep all events, use `audit-log retention remove`.")
    return [rule for _, rule in rules.values()]


def _parse(line: bytes) -> RetentionRule:
    try:
        found = _Line.model_validate(strict_json.loads(line))
    except ValidationError as exc:
        error = field_errors(exc, _MESSAGES)[0]
        raise InvalidRulesError(f"{'.'.join(map(str, error['loc'])) or 'the line'} {error['msg']}") from None
    except AuditLogError as exc:
        raise InvalidRulesError(str(exc)) from None
    return RetentionRule(found.type, found.customer, found.keep_days)

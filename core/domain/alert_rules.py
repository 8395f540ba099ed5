"""Alert rules: which events of the log make the service record an alert, and how far each rule has come."""

from datetime import datetime
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, StrictStr, model_validator

from core.domain.filter_values import data_path
from core.domain.models import RESERVED_PREFIX, CustomerId
from core.domain.queries import EventFilter, Step
from core.domain.streams import DefinitionName, FilterText, parse_filter
from core.domain.strict_json import MAX_INTEGER

MAX_RULES: Final = 200
MAX_LIMITED_RULES: Final = 20
"""How many of them a token that is limited to customers can create, so that others have room."""
MAX_KEYS: Final = 10_000
"""Keys that a rule remembers. Those with the oldest events are forgotten first."""
MAX_VALUES: Final = 100
"""Values of `path` that a rule counts in one event: each can make an alert, and an event has room for 60,000."""
MAX_THRESHOLD: Final = 1_000
MAX_WINDOW_SECONDS: Final = 31 * 24 * 3600
LATE_SECONDS: Final = 3600
"""How much longer than its window an event may take to be received; later it is history, which fires nothing."""
ALERT_TYPE: Final = f"{RESERVED_PREFIX}alert"
"""Type of the event that an alert is. No rule sees such events."""

RuleKind = Literal["threshold", "first_seen", "absence"]
RuleState = Literal["active", "paused"]

_DATA: Final = "event_data."
_COLUMNS: Final = ("customer_id", "event_type", "recorded_by")
_NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "threshold": ("threshold", "window_seconds"),
    "first_seen": ("path",),
    "absence": ("window_seconds",),
}
_POSSIBLE: Final[dict[str, tuple[str, ...]]] = {**_NEEDED, "first_seen": ("path", "forget_days")}


class RuleField(NamedTuple):
    """A field of an event: a column, or the values at a path in `event_data`."""

    name: str
    path: tuple[Step, ...] = ()


def rule_field(text: str) -> RuleField:
    """Parse `customer_id`, `event_type`, `recorded_by` or `event_data.PATH`. Raises ValueError with the remedy."""
    if text in _COLUMNS:
        return RuleField(text)
    if not text.startswith(_DATA):
        raise ValueError("must be customer_id, event_type, recorded_by or a path such as event_data.actor.id")
    return RuleField("event_data", data_path(text.removeprefix(_DATA)))


def _field(value: str) -> str:
    rule_field(value)
    return value


def _single(value: str) -> str:
    if None in rule_field(value).path:
        raise ValueError("must lead to one value: name an index in place of [*]")
    return value


_Path = Annotated[StrictStr, Field(max_length=500), AfterValidator(_field)]


class AlertRuleDefinition(BaseModel):
    """What a person decides about an alert rule."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: DefinitionName = Field(
        description="Name for people; two rules of the same customers cannot have the same.",
        examples=["many failed logins"],
    )
    kind: RuleKind = Field(
        description="threshold: many events within a window; first_seen: a new value; absence: no event for a window."
    )
    filter: FilterText = Field(
        default="",
        description="Query string of GET /event that selects the events; empty: all.",
        examples=["event_type=user.login&event_data.outcome=failure"],
    )
    group_by: tuple[Annotated[_Path, AfterValidator(_single)], ...] = Field(
        default=(),
        max_length=3,
        description="Fields by whose values events are counted apart; events without a value there do not count.",
        examples=[["customer_id", "event_data.actor.id"]],
    )
    threshold: StrictInt | None = Field(
        default=None, ge=1, le=MAX_THRESHOLD, description="threshold: number of events that fires."
    )
    window_seconds: StrictInt | None = Field(
        default=None,
        ge=1,
        le=MAX_WINDOW_SECONDS,
        description="threshold: time within which they happen, and for which the rule is then quiet. absence: time "
        "without an event that fires.",
    )
    path: _Path | None = Field(
        default=None, description="first_seen: field whose new values fire.", examples=["event_data.context.ip"]
    )
    forget_days: StrictInt | None = Field(
        default=None, ge=1, le=3650, description="first_seen: days after which a value is new again; null: never."
    )
    customers: tuple[CustomerId, ...] | None = Field(
        default=None, min_length=1, max_length=1000, description="Customers that the rule is limited to; null: all."
    )

    @model_validator(mode="after")
    def _has_settings_of_its_kind(self) -> "AlertRuleDefinition":
        if len(set(self.group_by)) < len(self.group_by):
            raise ValueError("group_by must not name a field twice")
        settings = ("threshold", "window_seconds", "path", "forget_days")
        if missing := [name for name in _NEEDED[self.kind] if getattr(self, name) is None]:
            raise ValueError(f"a rule of the kind {self.kind} needs {' and '.join(missing)}")
        if odd := [name for name in settings if name not in _POSSIBLE[self.kind] and getattr(self, name) is not None]:
            raise ValueError(f"a rule of the kind {self.kind} must not have {' or '.join(odd)}")
        return self

    @property
    def event_filter(self) -> EventFilter:
        """The filter, with the customers that the rule is limited to."""
        return parse_filter(self.filter).model_copy(update={"visible_customers": self.customers})

    @property
    def window(self) -> int:
        """The window in seconds; 0 for rules that have none."""
        return self.window_seconds or 0


class AlertRule(AlertRuleDefinition):
    """An alert rule and its progress. `version` counts the changes of the definition and of the state by people."""

    rule_id: str
    state: RuleState = "active"
    position: int = Field(ge=0, le=MAX_INTEGER, description="Index of the first entry that is not dealt with.")
    learns_until: int = Field(
        default=0, ge=0, le=MAX_INTEGER, description="Index of the first entry that may fire; those before are learned."
    )
    last_alert_at: datetime | None = Field(default=None, description="When the rule last fired.")
    forgotten: int = Field(default=0, description="Keys that were forgotten because there were more than 10,000.")
    version: int = 1
    created_at: datetime
    changed_at: datetime

"""Alert rules as clients see them."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import Field, PlainSerializer

from core.alerts.preview import MAX_PREVIEWED, Preview
from core.auth.tokens import Claims
from core.domain.alert_rules import AlertRule, RuleKind, RuleState
from core.domain.models import rfc3339_milliseconds
from functions.http.request import Request
from functions.http.response import ResponseModel
from functions.http.route import Header

_RULE_ID: Final = re.compile("rule-[0-9a-f]{16}")

RULE_ID: Final[Mapping[str, Mapping[str, object]]] = {"rule_id": {"type": "string", "pattern": "^rule-[0-9a-f]{16}$"}}
ETAG: Final = Header("ETag", "Version of the rule, for If-Match.")
LOCATION: Final = Header("Location", "Path of the rule.")
IF_MATCH: Final = Header("If-Match", "ETag of the rule that was read: the change is refused if it is not the newest.")

_Time = Annotated[datetime, PlainSerializer(rfc3339_milliseconds)]


class AlertRuleView(ResponseModel):
    """An alert rule."""

    rule_id: str
    name: str
    kind: RuleKind
    filter: str
    group_by: tuple[str, ...]
    threshold: int | None
    window_seconds: int | None
    path: str | None
    forget_days: int | None
    customers: tuple[int, ...] | None
    state: RuleState
    position: int | None = Field(description="Index of the next entry. Null for tokens limited to customers.")
    learns_until: int | None = Field(
        description="Index of the first entry that may fire. Null for tokens limited to customers."
    )
    last_alert_at: _Time | None = Field(description="When the rule last fired.")
    forgotten: int = Field(description="Keys that were forgotten because there were more than 10,000.")
    version: int
    created_at: _Time
    changed_at: _Time


class AlertRuleList(ResponseModel):
    """The alert rules that the token may see, the oldest first."""

    alert_rules: list[AlertRuleView]


class DeletedAlertRule(ResponseModel):
    """An alert rule that was deleted."""

    rule_id: str


class AlertRulePreview(ResponseModel):
    """When a rule would have fired over the newest 10,000 entries of the log, or those of 10 seconds."""

    entries: int | None = Field(description="Entries that were looked at. Null for tokens limited to customers.")
    matched: int = Field(description="How many times the rule counted an event.")
    alert_count: int
    alerts: list[dict[str, Any]] = Field(
        description=f"The first {MAX_PREVIEWED} alerts, as the event_data of audit-log.alert."
    )


def rule_view(rule: AlertRule, claims: Claims) -> AlertRuleView:
    """Show a rule. Indices are the numbers of all customers' events, which a limited token does not see."""
    fields = {name: getattr(rule, name) for name in AlertRuleView.model_fields}
    hidden = {} if claims.customers is None else {"position": None, "learns_until": None}
    return AlertRuleView(**{**fields, **hidden})


def preview_view(shown: Preview, claims: Claims) -> AlertRulePreview:
    """Show a preview. The number of entries is hidden as indices are, see `rule_view`."""
    hidden = {} if claims.customers is None else {"entries": None}
    return AlertRulePreview(**{**shown._asdict(), **hidden})


def rule_id_of(request: Request) -> str:
    """Return the id in the path; one that no rule can have is empty."""
    given = request.path_parameters.get("rule_id", "")
    return given if _RULE_ID.fullmatch(given) else ""

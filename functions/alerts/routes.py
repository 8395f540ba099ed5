"""Routes of alert rules."""

from functools import partial
from typing import Final

from core.auth.tokens import MANAGE_STREAMS
from core.domain.alert_rules import AlertRuleDefinition
from functions.alerts import manage, views
from functions.http.media_types import JSON
from functions.http.route import BODY_PROBLEMS, Place, Route, Tag

_route = partial(Route, tag=Tag.ALERT_RULES, place=Place.STREAM, scope=MANAGE_STREAMS)
_RULE: Final = "/alert-rule/{rule_id}"
_VERSION: Final = {200: (views.ETAG,)}
_BODY: Final = {JSON: AlertRuleDefinition}

ALERT_RULE_ROUTES: Final[tuple[Route, ...]] = (
    _route(
        "GET", "/alert-rule", operation=manage.list_alert_rules, summary="List alert rules",
        answers={200: views.AlertRuleList}, problems=(422, 501),
    ),
    _route(
        "POST", "/alert-rule", operation=manage.create_alert_rule, summary="Create an alert rule",
        answers={201: views.AlertRuleView}, problems=(409, 501, *BODY_PROBLEMS), bodies=_BODY,
        response_headers={201: (views.ETAG, views.LOCATION)},
    ),
    _route(
        "POST", "/alert-rule/preview", operation=manage.preview_alert_rule,
        summary="Show when an alert rule would have fired", answers={200: views.AlertRulePreview},
        problems=(501, *BODY_PROBLEMS), bodies=_BODY,
    ),
    _route(
        "GET", _RULE, operation=manage.get_alert_rule, summary="Look up an alert rule",
        answers={200: views.AlertRuleView}, problems=(404, 422, 501), path_parameters=views.RULE_ID,
        response_headers=_VERSION,
    ),
    _route(
        "PUT", _RULE, operation=manage.replace_alert_rule, summary="Replace an alert rule's definition",
        answers={200: views.AlertRuleView}, problems=(404, 409, 412, 428, 501, *BODY_PROBLEMS),
        path_parameters=views.RULE_ID, headers=(views.IF_MATCH,), bodies=_BODY, response_headers=_VERSION,
    ),
    _route(
        "DELETE", _RULE, operation=manage.delete_alert_rule, summary="Delete an alert rule",
        answers={200: views.DeletedAlertRule}, problems=(404, 422, 501), path_parameters=views.RULE_ID,
    ),
    _route(
        "POST", f"{_RULE}/pause", operation=manage.pause_alert_rule, summary="Stop the evaluation",
        answers={200: views.AlertRuleView}, problems=(404, 422, 501), path_parameters=views.RULE_ID,
    ),
    _route(
        "POST", f"{_RULE}/resume", operation=manage.resume_alert_rule, summary="Evaluate again",
        answers={200: views.AlertRuleView}, problems=(404, 422, 501), path_parameters=views.RULE_ID,
    ),
)  # fmt: skip

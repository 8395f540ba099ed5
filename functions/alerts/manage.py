"""/alert-rule and below: list, create, preview, look up, replace, pause, resume and delete alert rules."""

from typing import Final

from core.domain.alert_rules import AlertRuleDefinition
from core.wiring import Services
from functions.alerts import views
from functions.http.definitions import actor_of, etag, parse_body, require_version
from functions.http.request import Request
from functions.http.response import Response

_THING: Final = "alert rule"


def list_alert_rules(request: Request, services: Services) -> Response:
    """List the rules that the token may see. A token that is limited to customers sees those of its customers."""
    actor, claims = actor_of(request, services)
    found = services.alert_rules.registry.rules(actor)
    return Response.of(200, views.AlertRuleList(alert_rules=[views.rule_view(rule, claims) for rule in found]))


def create_alert_rule(request: Request, services: Services) -> Response:
    """Create a rule, which counts events from now on. A limited token creates one that is limited to its customers."""
    actor, claims = actor_of(request, services)
    rule = services.alert_rules.registry.create(parse_body(request, AlertRuleDefinition, _THING), actor)
    headers = {"Location": f"{request.url_prefix}/alert-rule/{rule.rule_id}", "ETag": etag(rule.version)}
    return Response.of(201, views.rule_view(rule, claims), headers)


def preview_alert_rule(request: Request, services: Services) -> Response:
    """Show when a rule would have fired over the newest 10,000 entries of the log. Nothing is stored."""
    actor, claims = actor_of(request, services)
    shown = services.alert_rules.preview(parse_body(request, AlertRuleDefinition, _THING), actor)
    return Response.of(200, views.preview_view(shown, claims))


def get_alert_rule(request: Request, services: Services) -> Response:
    """Look up a rule. One that the token may not see is a 404 like one that does not exist."""
    actor, claims = actor_of(request, services)
    rule = services.alert_rules.registry.get(views.rule_id_of(request), actor)
    return Response.of(200, views.rule_view(rule, claims), {"ETag": etag(rule.version)})


def replace_alert_rule(request: Request, services: Services) -> Response:
    """Replace the definition of a rule. Unless only the name changes, its memory is emptied."""
    actor, claims = actor_of(request, services)
    definition = parse_body(request, AlertRuleDefinition, _THING)
    rule = services.alert_rules.registry.get(views.rule_id_of(request), actor)
    require_version(request, rule.version, _THING)
    changed = services.alert_rules.registry.replace(rule, definition, actor)
    return Response.of(200, views.rule_view(changed, claims), {"ETag": etag(changed.version)})


def delete_alert_rule(request: Request, services: Services) -> Response:
    """Delete a rule and its memory. Its alerts stay in the log."""
    actor, _ = actor_of(request, services)
    rule_id = views.rule_id_of(request)
    services.alert_rules.registry.delete(rule_id, actor)
    return Response.of(200, views.DeletedAlertRule(rule_id=rule_id))


def pause_alert_rule(request: Request, services: Services) -> Response:
    """Stop the evaluation. The rule keeps its place and its memory."""
    actor, claims = actor_of(request, services)
    rule = services.alert_rules.registry.pause(views.rule_id_of(request), actor)
    return Response.of(200, views.rule_view(rule, claims))


def resume_alert_rule(request: Request, services: Services) -> Response:
    """Evaluate again, from the place where the rule was paused."""
    actor, claims = actor_of(request, services)
    rule = services.alert_rules.registry.resume(views.rule_id_of(request), actor)
    return Response.of(200, views.rule_view(rule, claims))

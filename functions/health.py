"""GET /health and GET /ready: is the process up, and can it do its work."""

from typing import Any, Literal

from core import __version__
from core.errors import AuditLogError
from core.wiring import Services
from functions.endpoint import lambda_handler
from functions.http import RETRY_AFTER_SECONDS, Answer, Request, Response


class Health(Answer):
    """The process answers."""

    status: Literal["ok"] = "ok"
    version: str = __version__


class Readiness(Answer):
    """Whether the service can do its work, and what each part says of itself."""

    status: Literal["ready", "unavailable"]
    checks: dict[str, dict[str, Any]]


def health(_request: Request, _services: Services) -> Response:
    """Answer as long as the process can answer at all: restart it when this fails."""
    return Response.of(200, Health())


def ready(_request: Request, services: Services) -> Response:
    """Ask every part that the work needs: send no traffic here while this fails."""
    checks: dict[str, dict[str, Any]] = {}
    for name, check in services.checks.items():
        try:
            checks[name] = {"status": "ok", **check()}
        except AuditLogError as exc:
            checks[name] = {"status": "failing", "reason": str(exc)}
    if all(outcome["status"] == "ok" for outcome in checks.values()):
        return Response.of(200, Readiness(status="ready", checks=checks))
    retry = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return Response.of(503, Readiness(status="unavailable", checks=checks), retry)


handler = lambda_handler(health)
ready_handler = lambda_handler(ready)

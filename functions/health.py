"""GET /health and GET /ready: is the process up, and can it do its work."""

from typing import Any, Final, Literal

from core import __version__
from core.errors import AuditLogError
from core.wiring import Services
from functions.http.handler import lambda_handler
from functions.http.problems import RETRY_AFTER_SECONDS
from functions.http.request import Request
from functions.http.response import Response, ResponseModel

_ACCEPTING: Final = "queue"
"""The check without which nothing can be accepted."""


class Health(ResponseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"
    version: str = __version__


class Readiness(ResponseModel):
    """Whether the service can do its work, and what each part says of itself.

    degraded: events are accepted and wait, since a part behind the queue fails.
    """

    status: Literal["ready", "degraded", "unavailable"]
    checks: dict[str, dict[str, Any]]


def health(_request: Request, _services: Services) -> Response:
    """Answer as long as the process can answer at all: restart it when this fails."""
    return Response.of(200, Health())


def ready(_request: Request, services: Services) -> Response:
    """Ask every part that the work needs: send no traffic here while this fails.

    It fails only with the queue. While the store is away, events are accepted, and a balancer that took this host out
    of its rotation would lose them.
    """
    checks: dict[str, dict[str, Any]] = {}
    for name, check in services.checks.items():
        try:
            checks[name] = {"status": "ok", **check()}
        except AuditLogError as exc:
            checks[name] = {"status": "failing", "reason": str(exc)}
    failing = {name for name, outcome in checks.items() if outcome["status"] != "ok"}
    if _ACCEPTING not in failing:
        return Response.of(200, Readiness(status="degraded" if failing else "ready", checks=checks))
    retry = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return Response.of(503, Readiness(status="unavailable", checks=checks), retry)


handler = lambda_handler(health)
ready_handler = lambda_handler(ready)

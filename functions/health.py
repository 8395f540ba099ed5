"""GET /health and GET /ready: liveness and readiness checks."""

from typing import Any, Final, Literal

from pydantic import Field

from core import __version__
from core.errors import AuditLogError
from core.wiring import Services
from functions.http.handler import lambda_handler
from functions.http.problems import RETRY_AFTER_SECONDS
from functions.http.request import Request
from functions.http.response import Response, ResponseModel

_ACCEPTING: Final = "queue"
"""Name of the check that must pass for events to be accepted."""


class Health(ResponseModel):
    """The process is alive."""

    status: Literal["ok"] = "ok"
    version: str = __version__


class Readiness(ResponseModel):
    """State of the service, and the result of each check.

    degraded: events are accepted and wait in the queue, because a part behind it fails.
    """

    status: Literal["ready", "degraded", "unavailable"]
    checks: dict[str, dict[str, Any]] = Field(
        examples=[
            {"queue": {"status": "ok"}, "store": {"status": "failing", "reason": "The event store is unavailable."}}
        ]
    )


def health(_request: Request, _services: Services) -> Response:
    """Liveness check: restart the process if it fails."""
    return Response.of(200, Health())


def ready(_request: Request, services: Services) -> Response:
    """Readiness check: send no requests here while it fails.

    Checks every part, but fails only with the queue. While the store is unavailable, events are still accepted; a load
    balancer that removed this host would reject them.
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

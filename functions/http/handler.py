"""From an operation, which speaks of requests and services, to a Lambda handler, which speaks of events."""

import logging
from collections.abc import Callable
from http import HTTPStatus
from time import perf_counter

from core.errors import AuditLogError, InvalidSettingsError
from core.wiring import Services
from functions import runtime
from functions.http.access_log import AccessLog, AccessLogEntry
from functions.http.cors import cors_headers
from functions.http.problems import problem
from functions.http.request import ProxyEvent, Request, request_id_of
from functions.http.response import ProxyResponse, Response

Operation = Callable[[Request, Services], Response]

Handler = Callable[[ProxyEvent, object], ProxyResponse]

_log = logging.getLogger(__name__)


def lambda_handler(operation: Operation, services: Callable[[], Services] = runtime.services) -> Handler:
    """A handler for `operation` that turns every error into its answer, so that none reaches the caller raw.

    It writes the line of the log that each request has.
    """
    log = AccessLog()

    def handler(event: ProxyEvent, context: object) -> ProxyResponse:
        started = perf_counter()
        request_id = request_id_of(event, context)
        request: Request | None = None
        extra: dict[str, str] = {}
        try:
            built = services()
            request = Request.from_event(event)
            extra = cors_headers(request.header("origin"), built.settings)
            response = operation(request, built)
        except InvalidSettingsError as exc:
            _log.error("the settings do not describe a service", extra={"reason": str(exc), "request_id": request_id})
            response = problem(None, request_id)
        except Exception as exc:  # noqa: BLE001 - the last resort: logged, and answered without a word of it
            response = problem(exc if isinstance(exc, AuditLogError) else None, request_id)
            if response.status == HTTPStatus.INTERNAL_SERVER_ERROR:
                _log.exception("a handler failed", extra={"request_id": request_id, "operation": operation.__name__})
        method, route = event.get("httpMethod") or "GET", event.get("resource") or ""
        if (suppressed := log.sample(route, response.status)) is not None:
            line = AccessLogEntry(request_id, method, route, response.status, perf_counter() - started)
            if request:
                line = line._replace(client=request.caller.client, traceparent=request.traceparent)
            log.write(line, suppressed)
        return response.to_proxy(request_id, with_body=method != "HEAD", extra_headers=extra)

    return handler

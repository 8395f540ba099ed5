"""From an operation, which uses requests and services, to a Lambda handler, which uses proxy events."""

import logging
from collections.abc import Callable
from http import HTTPStatus
from time import perf_counter

from core.errors import AuditLogError, InvalidSettingsError
from core.wiring import Services
from functions import runtime
from functions.http.access_log import AccessLog, AccessLogEntry
from functions.http.cors import cors_headers
from functions.http.long_poll import current_long_poll
from functions.http.problems import problem
from functions.http.request import (
    ProxyEvent,
    Request,
    authenticated_client,
    authenticated_viewer,
    current_traceparent,
    request_id_of,
)
from functions.http.response import REQUEST_ID, ProxyResponse, Response

Operation = Callable[[Request, Services], Response]

Handler = Callable[[ProxyEvent, object], ProxyResponse]

_log = logging.getLogger(__name__)


class Responder:
    """Answers proxy events by operations. Every error becomes a response; CORS headers are added here.

    Safe to call from several threads.
    """

    def __init__(self, services: Callable[[], Services]) -> None:
        self._services = services

    def __call__(self, operation: Operation, event: ProxyEvent, context: object) -> ProxyResponse:
        """Answer `event` by `operation`."""
        request_id = request_id_of(event, context)
        extra: dict[str, str] = {}
        authenticated_client.set(None)
        authenticated_viewer.set(None)
        current_traceparent.set(None)
        try:
            services = self._services()
            request = Request.from_event(event)
            current_traceparent.set(request.traceparent)
            extra = cors_headers(request.header("origin"), services.settings)
            response = operation(request, services)
        except InvalidSettingsError as exc:
            _log.error("settings_invalid", extra={"reason": str(exc), "request_id": request_id})
            response = problem(None, request_id)
        except Exception as exc:  # noqa: BLE001 - the last resort: logged, and answered without details
            response = problem(exc if isinstance(exc, AuditLogError) else None, request_id)
            if response.status == HTTPStatus.INTERNAL_SERVER_ERROR:
                fields = {"request_id": request_id, "operation": operation.__name__}
                _log.exception("handler_failed", extra=fields)
        current_long_poll.set(response.long_poll)
        with_body = event.get("httpMethod") != "HEAD"
        return response.to_proxy(request_id, with_body=with_body, extra_headers=extra)


def lambda_handler(operation: Operation, services: Callable[[], Services] = runtime.services) -> Handler:
    """Build the Lambda handler of `operation`, which also writes the access log."""
    respond = Responder(services)
    access_log = AccessLog()

    def handler(event: ProxyEvent, context: object) -> ProxyResponse:
        started = perf_counter()
        response = respond(operation, event, context)
        route, status = event.get("resource") or "", response["statusCode"]
        if (suppressed := access_log.sample(route, status)) is not None:
            entry = AccessLogEntry(
                response["headers"][REQUEST_ID],
                event.get("httpMethod") or "GET",
                route,
                status,
                perf_counter() - started,
                authenticated_client.get(),
                current_traceparent.get(),
                authenticated_viewer.get(),
            )
            access_log.write(entry, suppressed)
        return response

    return handler


def plain_handler(operation: Operation, services: Callable[[], Services]) -> Handler:
    """Build a handler of `operation` for a server that writes the access log when it sends the response."""
    respond = Responder(services)

    def handler(event: ProxyEvent, context: object) -> ProxyResponse:
        return respond(operation, event, context)

    return handler

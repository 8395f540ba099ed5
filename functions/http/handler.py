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
from functions.http.problems import problem
from functions.http.request import ProxyEvent, Request, authenticated_client, request_id_of
from functions.http.response import ProxyResponse, Response

Operation = Callable[[Request, Services], Response]

Handler = Callable[[ProxyEvent, object], ProxyResponse]

_log = logging.getLogger(__name__)


class Responder:
    """Answers proxy events by operations. Every error becomes a response; CORS headers and access log are added here.

    Safe to call from several threads.
    """

    def __init__(self, services: Callable[[], Services]) -> None:
        self._services = services
        self._access_log = AccessLog()

    def __call__(self, operation: Operation, event: ProxyEvent, context: object) -> ProxyResponse:
        """Answer `event` by `operation`."""
        started = perf_counter()
        request_id = request_id_of(event, context)
        request: Request | None = None
        extra: dict[str, str] = {}
        authenticated_client.set(None)
        try:
            services = self._services()
            request = Request.from_event(event)
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
        method, route = event.get("httpMethod") or "GET", event.get("resource") or ""
        if (suppressed := self._access_log.sample(route, response.status)) is not None:
            entry = AccessLogEntry(
                request_id,
                method,
                route,
                response.status,
                perf_counter() - started,
                authenticated_client.get(),
                request.traceparent if request else None,
            )
            self._access_log.write(entry, suppressed)
        return response.to_proxy(request_id, with_body=method != "HEAD", extra_headers=extra)


def lambda_handler(operation: Operation, services: Callable[[], Services] = runtime.services) -> Handler:
    """Build the Lambda handler of `operation`."""
    respond = Responder(services)

    def handler(event: ProxyEvent, context: object) -> ProxyResponse:
        return respond(operation, event, context)

    return handler

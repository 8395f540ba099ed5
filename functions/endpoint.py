"""From an operation, which speaks of requests and services, to a Lambda handler, which speaks of events."""

import logging
from collections.abc import Callable

from core.errors import AuditLogError, InvalidSettingsError
from core.wiring import Services, process_services
from functions.http import ProxyEvent, ProxyResponse, Request, Response, problem, request_id_of

Operation = Callable[[Request, Services], Response]
Handler = Callable[[ProxyEvent, object], ProxyResponse]

_log = logging.getLogger(__name__)


def lambda_handler(operation: Operation, services: Callable[[], Services] = process_services) -> Handler:
    """A handler for `operation` that turns every error into its answer, so that none reaches the caller raw."""

    def handler(event: ProxyEvent, context: object) -> ProxyResponse:
        request_id = request_id_of(event, context)
        try:
            response = operation(Request.from_event(event), services())
        except InvalidSettingsError as exc:
            _log.error("the settings do not describe a service", extra={"reason": str(exc), "request_id": request_id})
            response = problem(None, request_id)
        except AuditLogError as exc:
            response = problem(exc, request_id)
        except Exception:  # noqa: BLE001 - the last resort: logged, and answered without a word of it
            _log.exception("a handler failed", extra={"request_id": request_id, "operation": operation.__name__})
            response = problem(None, request_id)
        return response.to_proxy(request_id, with_body=event.get("httpMethod") != "HEAD")

    return handler

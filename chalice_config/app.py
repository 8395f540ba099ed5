"""Chalice application: the routes of `functions.routes`, and the Lambda functions without a route.

`chalice local` serves it on this machine; `chalice package` builds Lambda functions from it. The import builds and
connects nothing, because packaging imports this module as well.
"""

import base64
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn, cast

from chalice.app import Chalice, Request, Response

from core.errors import AuditLogError
from core.wiring import Services
from functions import runtime
from functions.consume_events import handler as consume
from functions.http import request as http_request
from functions.http.cors import preflight
from functions.http.errors import MalformedRequestError, MethodNotAllowedError
from functions.http.handler import Handler, Operation, lambda_handler
from functions.lambda_runtime import STAGE
from functions.operations import ledger, maintenance, streams
from functions.operations.clients import execute
from functions.routes import ROUTES

_RECORD_FIELDS: Final = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime"})


class _WithFields(logging.Formatter):
    """Shows what a record is about: `chalice local` prints its event only."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        fields = [f" {name}={value!r}" for name, value in vars(record).items() if name not in _RECORD_FIELDS]
        return super().formatMessage(record) + "".join(fields)


def _show_fields_in_log() -> None:
    for output in logging.getLogger().handlers:
        output.setFormatter(_WithFields())
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it logs its plugins when it is imported


_IS_LOCAL: Final = bool(os.environ.get("AWS_CHALICE_CLI_MODE"))
if _IS_LOCAL:
    # `chalice local` runs in the project directory and restarts when a file in it changes, so the data lies outside,
    # in the directory that `make run` uses. The path of this file leads through a link into the project directory.
    os.environ.setdefault("AUDIT_LOG_DATA_DIR", str(Path(__file__).resolve().parents[1] / "var"))
    _show_fields_in_log()

app = Chalice(app_name="audit-log")

_ANY_TYPE: Final = ["*/*"]  # the handlers check media types
# All methods are routed, so that the handlers answer 405.
_METHODS: Final = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]


def _serve(path: str, handlers: dict[str, Handler]) -> None:
    if "GET" in handlers:
        handlers["HEAD"] = handlers["GET"]
    methods = sorted(handlers)
    wrong_method = lambda_handler(_refuse(MethodNotAllowedError(methods)))
    handlers["OPTIONS"] = lambda_handler(preflight(methods))

    def view(**_path_parameters: str) -> Response:
        request = cast("Request", app.current_request)  # Chalice sets it before it calls a view
        handler = handlers.get(request.method, wrong_method)
        connection = {}
        if _IS_LOCAL and "transfer-encoding" in request.headers:
            # `chalice local` reads no chunks: the body in the event is empty, and the connection is out of step.
            handler, connection = _UNREAD_BODY, {"Connection": "close"}
        answer = handler(_proxy_event(request), app.lambda_context)
        body = answer["body"]
        # The server computes the length again.
        headers = {name: value for name, value in answer["headers"].items() if name != "Content-Length"}
        return Response(
            body=base64.b64decode(body) if answer["isBase64Encoded"] else body,
            status_code=answer["statusCode"],
            headers=headers | answer.get("multiValueHeaders", {}) | connection,
        )

    view.__name__ = path.strip("/").translate(str.maketrans("/-.", "___", "{}")) or "root"
    app.route(path, methods=_METHODS, content_types=_ANY_TYPE)(view)


def _refuse(error: AuditLogError) -> Operation:
    def refuse(_request: http_request.Request, _services: Services) -> NoReturn:
        raise error

    return refuse


_UNREAD_BODY: Final = lambda_handler(
    _refuse(MalformedRequestError("`chalice local` does not read chunked bodies: send the body with a Content-Length."))
)


def _proxy_event(request: Request) -> dict[str, Any]:
    """Return API Gateway's event; add the keys that are missing under `chalice local`."""
    event = request.to_original_event()
    context = event["requestContext"]
    return {
        **event,
        **({} if _IS_LOCAL else _headers_of_decoded_body(event)),
        "httpMethod": request.method,
        "path": event.get("path") or context["path"],
        "resource": event.get("resource") or context["resourcePath"],
    }


def _headers_of_decoded_body(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the headers without Content-Encoding.

    API Gateway decodes gzip and deflate, and answers 415 to other codings. The header then describes the body that the
    client sent, not the one in the event:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-make-request-with-compressed-payload.html
    """
    return {
        key: {name: value for name, value in (event.get(key) or {}).items() if name.lower() != "content-encoding"}
        for key in ("headers", "multiValueHeaders")
    }


def _serve_all() -> None:
    by_path: dict[str, dict[str, Handler]] = {}
    for route in ROUTES:
        by_path.setdefault(route.path, {})[route.method] = lambda_handler(route.operation)
    for path, handlers in by_path.items():
        _serve(path, handlers)


_serve_all()


# Triggers and schedules of these functions: infra/resources/. The names in this module are the names of the handlers.
@app.lambda_function(name="consume-events")
def consume_events(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Store a batch of messages from SQS."""
    return consume(event, context)


@app.lambda_function(name="migrate")
def migrate(_event: object, _context: object) -> dict[str, Any]:
    """Bring the database to the current schema."""
    return maintenance.migrate(runtime.services())


@app.lambda_function(name="create-partitions")
def create_partitions(_event: object, _context: object) -> dict[str, Any]:
    """Create partitions in advance."""
    return maintenance.create_partitions(runtime.services())


@app.lambda_function(name="integrate-ledger")
def integrate_ledger(_event: object, _context: object) -> dict[str, Any]:
    """Give stored events their indices in the ledger, and sign its checkpoint."""
    return ledger.integrate(runtime.services(), os.environ)


@app.lambda_function(name="send-streams")
def send_streams(_event: object, _context: object) -> dict[str, Any]:
    """Send streams and evaluate alert rules for most of a minute."""
    return streams.send(runtime.services(), os.environ[STAGE])


@app.lambda_function(name="check-ledger")
def check_ledger(_event: object, _context: object) -> dict[str, Any]:
    """Check the ledger against the stored events."""
    return maintenance.check_ledger(runtime.services(), os.environ[STAGE])


@app.lambda_function(name="apply-retention")
def apply_retention(_event: object, _context: object) -> dict[str, Any]:
    """Delete the events that are due by the retention rules."""
    return maintenance.apply_retention(runtime.services())


@app.lambda_function(name="reconcile")
def reconcile(_event: object, _context: object) -> dict[str, Any]:
    """Compare accepted and stored events."""
    return maintenance.reconcile(runtime.services(), os.environ[STAGE])


@app.lambda_function(name="administer-clients")
def administer_clients(event: object, _context: object) -> dict[str, Any]:
    """Register, rotate or disable a client."""
    return execute(event, runtime.services())

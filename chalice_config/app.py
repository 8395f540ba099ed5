"""The Chalice application: every route of `functions.routes`, each answered by its own handler, and what has no route.

`chalice local` serves it on this machine, `chalice package` makes Lambda functions of it. Nothing is built or connected
here: Chalice imports this file when it packages, too.
"""

import base64
import os
from pathlib import Path
from typing import Any, Final, NoReturn, cast

from chalice.app import Chalice, Request, Response

from core.wiring import Services
from functions import runtime
from functions.consume_events import handler as consume
from functions.http import request as http_request
from functions.http.cors import preflight
from functions.http.errors import MethodNotAllowedError
from functions.http.handler import Handler, Operation, lambda_handler
from functions.lambda_runtime import STAGE
from functions.operations import maintenance
from functions.operations.clients import execute
from functions.routes import ROUTES

if os.environ.get("AWS_CHALICE_CLI_MODE"):
    # `chalice local` works inside the project directory, and starts again when any file in it changes: the data has to
    # lie elsewhere, and so lies where `make run` keeps it.
    os.environ.setdefault("AUDIT_LOG_DATA_DIR", str(Path(__file__).parents[1] / "var"))

app = Chalice(app_name="audit-log")

_ANY_TYPE: Final = ["*/*"]  # the handlers themselves refuse media types
# All are routed, so that a wrong one gets its 405.
_METHODS: Final = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]


def _serve(path: str, handlers: dict[str, Handler]) -> None:
    if "GET" in handlers:
        handlers["HEAD"] = handlers["GET"]
    methods = sorted(handlers)
    wrong_method = lambda_handler(_refuse(methods))
    handlers["OPTIONS"] = lambda_handler(preflight(methods))

    def view(**_path_parameters: str) -> Response:
        request = cast("Request", app.current_request)  # Chalice sets it before it calls a view
        answer = handlers.get(request.method, wrong_method)(_proxy_event(request), app.lambda_context)
        body = answer["body"]
        return Response(
            body=base64.b64decode(body) if answer["isBase64Encoded"] else body,
            status_code=answer["statusCode"],
            # Whoever sends this on counts the body again.
            headers={name: value for name, value in answer["headers"].items() if name != "Content-Length"},
        )

    view.__name__ = path.strip("/").translate(str.maketrans("/-.", "___", "{}")) or "root"
    app.route(path, methods=_METHODS, content_types=_ANY_TYPE)(view)


def _refuse(allowed: list[str]) -> Operation:
    def wrong_method(_request: http_request.Request, _services: Services) -> NoReturn:
        raise MethodNotAllowedError(allowed)

    return wrong_method


def _proxy_event(request: Request) -> dict[str, Any]:
    """The event that API Gateway sent; what `chalice local` leaves out of it is filled in."""
    event = request.to_original_event()
    context = event["requestContext"]
    return {
        **event,
        "httpMethod": request.method,
        "path": event.get("path") or context["path"],
        "resource": event.get("resource") or context["resourcePath"],
    }


def _serve_all() -> None:
    by_path: dict[str, dict[str, Handler]] = {}
    for route in ROUTES:
        by_path.setdefault(route.path, {})[route.method] = lambda_handler(route.operation)
    for path, handlers in by_path.items():
        _serve(path, handlers)


_serve_all()


# What calls these, and how often, is in infra/resources/. Each module-level name is the name of a Lambda handler.
@app.lambda_function(name="consume-events")
def consume_events(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Store what SQS delivers."""
    return consume(event, context)


@app.lambda_function(name="migrate")
def migrate(_event: object, _context: object) -> dict[str, Any]:
    """Bring the database to the current schema."""
    return maintenance.migrate(runtime.services())


@app.lambda_function(name="create-partitions")
def create_partitions(_event: object, _context: object) -> dict[str, Any]:
    """Make partitions ahead."""
    return maintenance.create_partitions(runtime.services())


@app.lambda_function(name="reconcile")
def reconcile(_event: object, _context: object) -> dict[str, Any]:
    """Compare what was accepted with what is stored."""
    return maintenance.reconcile(runtime.services(), os.environ[STAGE])


@app.lambda_function(name="administer-clients")
def administer_clients(event: object, _context: object) -> dict[str, Any]:
    """Register a client, give it a new secret, or disable it."""
    return execute(event, runtime.services())

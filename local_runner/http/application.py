"""The application of the local runner: routes an HTTP request to its handler, by a proxy event."""

from collections.abc import Sequence
from typing import Any, Final, NoReturn

import uuid_utils
from prometheus_client import CollectorRegistry
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule

from core.errors import AuditLogError
from core.wiring import Services
from functions.http.cors import preflight
from functions.http.errors import MethodNotAllowedError, RouteNotFoundError
from functions.http.handler import Handler, Operation, Responder, lambda_handler
from functions.http.request import Request
from functions.http.response import ProxyResponse
from functions.http.route import Place, Route
from functions.routes import ROUTES
from local_runner.aws_events.lambda_context import LambdaContext
from local_runner.aws_events.proxy_event import HTTPRequest, HTTPResponse, build_proxy_event, parse_proxy_response
from local_runner.telemetry.requests import Observation, RequestMetrics
from local_runner.telemetry.tracing import NoTracing, Tracing

_NO_SUCH_PATH: Final = "There is no such path: see /docs for those there are."


class Application:
    """Serves `routes` with `services`, and counts requests in `requests`. Safe to call from several threads."""

    def __init__(
        self,
        services: Services,
        routes: Sequence[Route] = ROUTES,
        requests: RequestMetrics | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self._services = services
        self._tracing = tracing or NoTracing()
        self._requests = requests or RequestMetrics(CollectorRegistry(), [])
        self._refuse = Responder(lambda: services)
        self._handlers: dict[tuple[str, str], Handler] = {
            (route.method, route.path): self._handler(route.operation) for route in routes
        }
        # A path parameter is the last part of a path, and matches one part.
        self._places: dict[tuple[str, str], Place] = {
            (route.method, route.path.partition("{")[0]): route.place for route in routes
        }
        rules = [Rule(_pattern(path), methods=[method], endpoint=(method, path)) for method, path in self._handlers]
        if services.settings.cors_origins:
            for path in {route.path for route in routes}:
                methods = [route.method for route in routes if route.path == path]
                self._handlers["OPTIONS", path] = self._handler(preflight(methods))
                rules.append(Rule(_pattern(path), methods=["OPTIONS"], endpoint=("OPTIONS", path)))
        # Bound once: binding costs four times as much as matching.
        self._urls: Final = Map(rules, merge_slashes=False).bind("localhost")

    def answer(self, request: HTTPRequest, refusal: AuditLogError | None = None) -> HTTPResponse:
        """Answer a request, with the problem details of `refusal` if there is one."""
        with self._requests.observing(request.method) as observation:
            response = self._answer(request, refusal, observation)
            observation.status = response["statusCode"]
        return parse_proxy_response(response)

    def place(self, method: str, path: str) -> Place:
        """Return where a request has to be answered. A look-up that is quick enough for the event loop."""
        method = "GET" if method == "HEAD" else method
        found = self._places.get((method, path)) or self._places.get((method, path[: path.rfind("/") + 1]))
        return found or Place.PAGE  # without a route it is refused

    def _answer(self, request: HTTPRequest, refusal: AuditLogError | None, observation: Observation) -> ProxyResponse:
        request_id = str(uuid_utils.uuid4())
        try:
            handler, resource, path_parameters = self._route(request)
            observation.route = resource
            if refusal is not None:
                return self._refused(refusal, request, request_id, observation)
            event = build_proxy_event(
                request, request_id=request_id, resource=resource, path_parameters=path_parameters
            )
        except AuditLogError as exc:
            return self._refused(refusal or exc, request, request_id, observation)
        return handler(event, LambdaContext(function_name=resource, aws_request_id=request_id))

    def _refused(
        self, error: AuditLogError, request: HTTPRequest, request_id: str, observation: Observation
    ) -> ProxyResponse:
        response = self._refuse(_raise(error), _refused_event(request, request_id, observation), None)
        error.with_traceback(None)  # its frames hold the request, and the error itself
        return response

    def _route(self, request: HTTPRequest) -> tuple[Handler, str, dict[str, Any]]:
        path, method = request.path, request.method
        if handler := self._handlers.get((method, path)):  # a path without parameters is its own pattern
            return handler, path, {}
        # werkzeug is lenient: it takes //event for /event, and get for GET.
        if path.startswith("//"):
            raise RouteNotFoundError(_NO_SUCH_PATH)
        try:
            endpoint, path_parameters = self._urls.match(path, method)
        except NotFound:
            raise RouteNotFoundError(_NO_SUCH_PATH) from None
        except MethodNotAllowed as exc:
            raise MethodNotAllowedError(sorted(exc.valid_methods or ())) from None
        if method not in {endpoint[0], "HEAD"}:
            raise MethodNotAllowedError(sorted(self._urls.allowed_methods(path)))
        return self._handlers[endpoint], endpoint[1], dict(path_parameters)

    def _handler(self, operation: Operation) -> Handler:
        return self._tracing.handler(lambda_handler(operation, lambda: self._services))


def _pattern(path: str) -> str:
    """Return a route's path in werkzeug's notation."""
    return path.replace("{", "<").replace("}", ">")


def _raise(error: AuditLogError) -> Operation:
    """Build the operation that refuses a request, so that refusals are logged and answered like all others."""

    def refuse(_request: Request, _services: Services) -> NoReturn:
        raise error

    return refuse


def _refused_event(request: HTTPRequest, request_id: str, observation: Observation) -> dict[str, Any]:
    """Build as much of a proxy event as a refusal needs: its path or query may be invalid."""
    return {
        "resource": observation.route,
        "path": "/",
        "httpMethod": observation.method,
        "multiValueHeaders": {name: values for name, values in request.headers.items() if name == "Origin"},
        "requestContext": {"requestId": request_id},
    }

"""The WSGI application: a request becomes a proxy event, its route's handler answers."""

from collections.abc import Callable, Iterable, Sequence
from time import perf_counter
from typing import Any, Final

import uuid_utils
from prometheus_client import CollectorRegistry
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule

from core.errors import AuditLogError
from core.wiring import Services
from functions.http.access_log import AccessLog, AccessLogEntry
from functions.http.cors import cors_headers, preflight
from functions.http.errors import MethodNotAllowedError, RouteNotFoundError
from functions.http.handler import Handler, Operation, lambda_handler
from functions.http.problems import problem
from functions.http.response import ProxyResponse
from functions.http.route import Place, Route
from functions.routes import ROUTES
from local_runner.aws_events import proxy_event
from local_runner.aws_events.lambda_context import LambdaContext
from local_runner.aws_events.proxy_event import Environ
from local_runner.telemetry.requests import Observation, RequestMetrics
from local_runner.telemetry.tracing import NoTracing, Tracing

REFUSAL: Final = "audit_log.refusal"
"""Where an environ has the error that its request is answered with, in the place of what its route would do."""

_NO_SUCH_PATH: Final = "There is no such path: see /docs for those there are."

StartResponse = Callable[[str, list[tuple[str, str]]], object]


class Application:
    """Serves `routes` with `services`, and counts in `requests`. Safe to call from several threads."""

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
        self._refused = AccessLog()
        self._handlers: dict[tuple[str, str], Handler] = {
            (route.method, route.path): self._handler(route.operation) for route in routes
        }
        # A parameter comes last, and stands for all behind a slash.
        self._places = {(route.method, route.path.partition("{")[0]): route.place for route in routes}
        rules = [Rule(_pattern(path), methods=[method], endpoint=(method, path)) for method, path in self._handlers]
        if services.settings.cors_origins:
            for path in {route.path for route in routes}:
                methods = [route.method for route in routes if route.path == path]
                self._handlers["OPTIONS", path] = self._handler(preflight(methods))
                rules.append(Rule(_pattern(path), methods=["OPTIONS"], endpoint=("OPTIONS", path)))
        # Bound once: binding costs four times what matching does.
        self._urls: Final = Map(rules, merge_slashes=False).bind("localhost")

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        request_id = str(uuid_utils.uuid4())
        with self._requests.observing(environ["REQUEST_METHOD"]) as observation:
            try:
                response = self._answer(environ, request_id, observation)
            except AuditLogError as exc:
                response = self._refuse(exc, environ, request_id, observation)
            observation.status = response["statusCode"]
        status, headers, body = proxy_event.to_wsgi(response)
        start_response(status, headers)
        return [body]

    def place(self, environ: Environ) -> Place:
        """Where this is to be called for a request; a look-up, for which the event loop has the time."""
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO") or "/"
        if method == "HEAD":
            method = "GET"
        found = self._places.get((method, path)) or self._places.get((method, path[: path.rfind("/") + 1]))
        return found or Place.PAGE  # where it is refused

    def _answer(self, environ: Environ, request_id: str, observation: Observation) -> ProxyResponse:
        body = proxy_event.read_body(environ)  # first: a request that is refused half-read may have no path yet
        handler, resource, path_parameters = self._route(environ)
        observation.route = resource
        if REFUSAL in environ:
            raise environ[REFUSAL]
        event = proxy_event.build_proxy_event(
            environ,
            body=body,
            request_id=request_id,
            resource=resource,
            path_parameters=path_parameters,
        )
        return handler(event, LambdaContext(function_name=resource, aws_request_id=request_id))

    def _refuse(
        self, error: AuditLogError, environ: Environ, request_id: str, observation: Observation
    ) -> ProxyResponse:
        """Answer what reaches no handler, and write its line."""
        answer = problem(error, request_id)
        method, route = observation.method, observation.route
        if (suppressed := self._refused.sample(route, answer.status)) is not None:
            seconds = perf_counter() - observation.started
            self._refused.write(AccessLogEntry(request_id, method, route, answer.status, seconds), suppressed)
        return answer.to_proxy(
            request_id,
            with_body=environ["REQUEST_METHOD"] != "HEAD",
            extra_headers=cors_headers(environ.get("HTTP_ORIGIN"), self._services.settings),
        )

    def _route(self, environ: Environ) -> tuple[Handler, str, dict[str, Any]]:
        path, method = environ.get("PATH_INFO") or "/", environ["REQUEST_METHOD"]
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
    """A route's path in werkzeug's notation."""
    return path.replace("{", "<").replace("}", ">")

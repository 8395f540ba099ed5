"""The application of the local runner: routes an HTTP request to its handler, by a proxy event."""

from collections.abc import Sequence
from functools import lru_cache
from time import monotonic
from typing import Any, Final, NamedTuple, NoReturn

import uuid_utils
from prometheus_client import CollectorRegistry
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, MapAdapter, Rule

from core.errors import AuditLogError
from core.wiring import Services
from functions.http.access_log import AccessLog, AccessLogEntry
from functions.http.cors import preflight
from functions.http.errors import MethodNotAllowedError, RouteNotFoundError
from functions.http.handler import Handler, Operation, Responder, plain_handler
from functions.http.long_poll import LongPoll, current_long_poll
from functions.http.request import Request, authenticated_client, authenticated_viewer, current_traceparent
from functions.http.route import Route
from functions.routes import ROUTES
from local_runner.aws_events.lambda_context import LambdaContext
from local_runner.aws_events.proxy_event import HTTPRequest, HTTPResponse, build_proxy_event, parse_proxy_response
from local_runner.http.places import Places
from local_runner.telemetry.requests import Observation, RequestMetrics
from local_runner.telemetry.tracing import NoTracing, Tracing


class Exchange:
    """A request and its response, which may be replaced until `finish` returns it.

    If `long_poll` is not None, its client would rather wait than get this response: `ask_again` replaces it.
    """

    __slots__ = (
        "_access_log",
        "_application",
        "_client",
        "_observation",
        "_request",
        "_request_id",
        "_response",
        "_started",
        "_traceparent",
        "_viewer",
        "long_poll",
    )

    def __init__(self, application: "Application", request: HTTPRequest, observation: Observation) -> None:
        self._application = application
        self._request = request
        self._observation = observation
        self._request_id = str(uuid_utils.uuid4())
        self._access_log = application.refusals
        self._client: str | None = None
        self._traceparent: str | None = None
        self._viewer: str | None = None
        self._started = monotonic()
        self.long_poll: LongPoll | None = None

    def handle(self, refusal: AuditLogError | None) -> None:
        """Call the handler of the request, or refuse it."""
        application, request, observation = self._application, self._request, self._observation
        self.long_poll = None
        try:
            endpoint, path_parameters = application.route(request)
            observation.route, self._access_log = endpoint.resource, endpoint.access_log
            if refusal is None:
                event = build_proxy_event(
                    request,
                    request_id=self._request_id,
                    resource=endpoint.resource,
                    path_parameters=path_parameters,
                )
        except AuditLogError as exc:
            refusal = refusal or exc
        if refusal is None:
            self._response = endpoint.handler(event, LambdaContext(endpoint.resource, self._request_id))
            self._client, self._traceparent = authenticated_client.get(), current_traceparent.get()
            self._viewer = authenticated_viewer.get()
            self.long_poll = current_long_poll.get()
        else:
            self._refuse(refusal)

    @property
    def seconds_to_wait(self) -> float:
        """How long the client still waits for a better response."""
        return self._started + self.long_poll.seconds - monotonic() if self.long_poll else 0.0

    def ask_again(self) -> None:
        """Call the handler again, from where its response without an event ended."""
        if self.long_poll:
            self._request = self._request._replace(query=self.long_poll.query)
            self.handle(None)

    def leave_out(self, seconds: float) -> None:
        """Do not count seconds that were spent waiting: they say nothing about how fast the service answers."""
        self._observation.started += seconds

    def finish(self, error: Exception | None = None) -> HTTPResponse:
        """Return the response, or that to `error` in its place. Counts the request and writes its log record."""
        if error is not None:
            self._refuse(error)
        observation = self._observation
        status = observation.status = self._response["statusCode"]
        seconds = self._application.requests.end(observation)
        if (suppressed := self._access_log.sample(observation.route, status)) is not None:
            entry = AccessLogEntry(
                self._request_id,
                observation.method,
                observation.route,
                status,
                seconds,
                self._client,
                self._traceparent,
                self._viewer,
            )
            self._access_log.write(entry, suppressed)
        return parse_proxy_response(self._response)

    def _refuse(self, error: Exception) -> None:
        event = _refused_event(self._request, self._request_id, self._observation)
        self._response = self._application.respond(_operation_raising(error), event, context=None)
        error.with_traceback(None)  # its frames hold the request, and the error itself


class _Endpoint(NamedTuple):
    """A route: its handler and its access log; `resource` is the template of its path."""

    handler: Handler
    access_log: AccessLog
    resource: str


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
        self.requests: Final = requests or RequestMetrics(CollectorRegistry(), [])
        self.respond: Final = Responder(lambda: services)
        self.refusals: Final = AccessLog()
        """Of the requests without a route."""
        self._endpoints: dict[tuple[str, str], _Endpoint] = {
            (route.method, route.path): self._endpoint(route.path, route.operation) for route in routes
        }
        self.place: Final = Places(routes).find
        if services.settings.cors_origins:
            for path in {route.path for route in routes}:
                methods = [route.method for route in routes if route.path == path]
                self._endpoints["OPTIONS", path] = self._endpoint(path, preflight(methods))
        self._allowed: dict[str, set[str]] = {}  # by path without parameters
        for method, path in self._endpoints:
            if "{" not in path:
                self._allowed.setdefault(path, set()).update({method, "HEAD"} if method == "GET" else {method})
        self._urls: Final = _bound_map(tuple(self._endpoints))
        known = "see /docs for those there are" if "/docs" in self._allowed else f"there are {', '.join(self._allowed)}"
        self._no_such_path: Final = f"There is no such path: {known}."

    def answer(self, request: HTTPRequest, refusal: AuditLogError | None = None) -> HTTPResponse:
        """Answer a request, with the problem details of `refusal` if there is one."""
        return self.handle(request, refusal).finish()

    def handle(self, request: HTTPRequest, refusal: AuditLogError | None = None) -> Exchange:
        """Call the handler of a request. `finish` of the returned exchange gives the response."""
        observation = self.requests.begin(request.method)
        try:
            exchange = Exchange(self, request, observation)
            exchange.handle(refusal)
        except BaseException:
            self.requests.end(observation)
            raise
        return exchange

    def route(self, request: HTTPRequest) -> tuple[_Endpoint, dict[str, Any]]:
        """Return the endpoint of a request, and the parameters in its path.

        Raises:
            RouteNotFoundError: no route has this path.
            MethodNotAllowedError: the routes with this path have other methods.
        """
        path, method = request.path, request.method
        if endpoint := self._endpoints.get((method, path)):  # a path without parameters is its own pattern
            return endpoint, {}
        if allowed := self._allowed.get(path):  # no parameter of another route stands for it, as with API Gateway
            if method not in allowed:
                raise MethodNotAllowedError(sorted(allowed))
            return self._endpoints["GET", path], {}
        # werkzeug is lenient: it takes //event for /event, and get for GET.
        if path.startswith("//"):
            raise RouteNotFoundError(self._no_such_path)
        try:
            found, path_parameters = self._urls.match(path, method)
        except NotFound:
            raise RouteNotFoundError(self._no_such_path) from None
        except MethodNotAllowed as exc:
            raise MethodNotAllowedError(sorted(exc.valid_methods or ())) from None
        if method not in {found[0], "HEAD"}:
            raise MethodNotAllowedError(sorted(self._urls.allowed_methods(path)))
        return self._endpoints[found], dict(path_parameters)

    def _endpoint(self, path: str, operation: Operation) -> _Endpoint:
        handler = self._tracing.handler(plain_handler(operation, lambda: self._services))
        return _Endpoint(handler, AccessLog(), path)


@lru_cache(maxsize=2)  # with and without preflights
def _bound_map(endpoints: tuple[tuple[str, str], ...]) -> MapAdapter:
    """Compile the map of these methods and paths, which takes 40 ms, and bind it, which takes as long as 4 matches.

    Matching does not change it: all applications of a process share it.
    """
    rules = [Rule(_pattern(path), methods=[method], endpoint=(method, path)) for method, path in endpoints]
    return Map(rules, merge_slashes=False).bind("localhost")


def _pattern(path: str) -> str:
    """Return a route's path in werkzeug's notation."""
    return path.replace("{", "<").replace("}", ">")


def _operation_raising(error: Exception) -> Operation:
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

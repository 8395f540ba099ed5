"""The service's routes as methods of a synchronous HTTP client."""

import time
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Literal, Self
from urllib.parse import quote

import httpx

from audit_log_client.credentials import BearerAuth, Credentials
from audit_log_client.errors import RefusedError, UnavailableError
from audit_log_client.models import FeedPage, Filters, Page, Receipt, StoredEvent
from audit_log_client.problems import problem, reason
from audit_log_client.retries import Retries

DEFAULT_URL: Final = "http://127.0.0.1:8000"

_WAIT_SECONDS: Final = 20  # below the time limit of a response
_TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)

Order = Literal["asc", "desc"]
Format = Literal["ndjson", "csv"]


class Api:
    """Calls the service and retries transient failures. Thread-safe.

    Every method raises UnavailableError if retrying for `patience` seconds of pauses did not help, and RefusedError if
    the service refuses the request. `on_retry` is called before each pause, with the failure.
    """

    def __init__(  # noqa: PLR0913 - one parameter per choice, all with defaults
        self,
        url: str = DEFAULT_URL,
        credentials: Credentials = None,
        *,
        patience: float = 60.0,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        on_retry: Callable[[UnavailableError], object] = lambda _: None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError("the address must begin with http:// or https://")
        try:
            httpx.URL(url).host.encode("idna")  # as socket.getaddrinfo does for each request
        except (httpx.InvalidURL, ValueError):
            raise ValueError("the address is no URL, such as https://audit.example.org") from None
        self._url = url.rstrip("/")
        self._retries = Retries(patience, sleep, on_retry)
        self._sleep = sleep
        self._clock = clock
        auth = BearerAuth(self._url, credentials)
        self._http = httpx.Client(auth=auth, timeout=_TIMEOUT, transport=transport)

    def send(self, events: Sequence[bytes]) -> Receipt:
        """Post up to 1,000 events, 5 MiB in all, each encoded as JSON without line breaks.

        A retry after a lost response can store an event twice unless it has an `event_id`.
        """
        response = self._call(
            "POST", "/events", content=b"\n".join(events), headers={"Content-Type": "application/x-ndjson"}
        )
        if response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY:
            return Receipt(rejected=_rejected(response))
        answer = _accepted(response).json()
        return Receipt(
            accepted={entry["index"]: entry["event_id"] for entry in answer["accepted"]},
            rejected={entry["index"]: reason(entry["errors"]) for entry in answer["rejected"]},
        )

    def page(self, filters: Filters, *, order: Order = "desc", limit: int = 100, cursor: str | None = None) -> Page:
        """Return one page of matching events, at most 100. `cursor` is the `next_cursor` of the previous page."""
        paging = [("order", order), ("limit", str(limit)), *([("cursor", cursor)] if cursor else [])]
        page: Page = _accepted(self._call("GET", "/event", params=[*filters.pairs(), *paging])).json()
        return page

    def event(self, event_id: str) -> StoredEvent:
        """Return a stored event. RefusedError has status 404 if there is none with this id, or none that is visible."""
        event: StoredEvent = _accepted(self._call("GET", f"/event/{quote(event_id, safe='')}")).json()
        return event

    def proof(self, event_id: str) -> bytes:
        """Return the proof of an event, a `.tlog-proof` file. Waits until a signed checkpoint covers the event."""
        return _accepted(self._call("GET", f"/event/{quote(event_id, safe='')}/proof")).content

    def proof_data(self, event_id: str) -> bytes:
        """Return the data document of an event, the `.data` file next to its proof."""
        return _accepted(self._call("GET", f"/event/{quote(event_id, safe='')}/proof/data")).content

    def consistency(self, old: int) -> bytes:
        """Return the proof that the ledger's first `old` entries are the beginning of its newest checkpoint."""
        return _accepted(self._call("GET", "/ledger/consistency", params=[("old", str(old))])).content

    def events(self, filters: Filters, *, order: Order = "desc") -> Iterator[StoredEvent]:
        """Iterate over all matching events, reading them page by page."""
        page = self.page(filters, order=order)
        yield from page["events"]
        while page["next_cursor"]:
            page = self.page(filters, order=order, cursor=page["next_cursor"])
            yield from page["events"]

    def feed(self, filters: Filters, *, after: str | None = None, limit: int = 1000, wait: int = 0) -> FeedPage:
        """Return a page of events in the order in which they were stored, at most 1,000 events.

        `after` is the `next_cursor` of an earlier page, `now` for events that are stored from now on, or None to begin
        with the oldest event. If there is none yet, a service that can wait does so for `wait` seconds, at most 25.
        RefusedError has status 409 if the log ends before the cursor: see its message.
        """
        paging = [
            ("limit", str(limit)),
            *([("after", after)] if after else []),
            *([("wait", str(wait))] if wait else []),
        ]
        page: FeedPage = _accepted(self._call("GET", "/event/feed", params=[*filters.pairs(), *paging])).json()
        return page

    def follow(
        self,
        filters: Filters,
        *,
        after: str | None = None,
        interval: float = 1.0,
        on_outage: Callable[[UnavailableError], object] = lambda _: None,
    ) -> Iterator[FeedPage]:
        """Iterate over the pages of `feed` without end; a service that can wait answers when there are events.

        Where no more follow, `interval` seconds pass at least from one request to the next.

        To continue after an interruption, keep the `next_cursor` of a page once its events are dealt with, and pass it
        as `after`: no event is lost, and those of one page at most are repeated. A service that is away is waited for,
        for any time; `on_outage` is called once for each outage.
        """
        is_away = False
        while True:
            asked = self._clock()
            try:
                page = self.feed(filters, after=after, wait=_WAIT_SECONDS)
            except UnavailableError as exc:
                if not is_away:
                    on_outage(exc)
                is_away = True
                self._sleep(interval)
                continue
            is_away = False
            after = page["next_cursor"]
            yield page
            if not page["more"] and (pause := asked + interval - self._clock()) > 0:
                self._sleep(pause)

    def export(self, filters: Filters, kind: Format = "ndjson") -> Iterator[bytes]:
        """Iterate over the parts of a file of all matching events, oldest first.

        A part consists of whole lines; the last one may be empty. Events that were stored at the first call are
        included exactly once, later ones are not.
        """
        url = str(httpx.URL(f"{self._url}/event/export", params=[*filters.pairs(), ("format", kind)]))
        while url:
            response = _accepted(self._call("GET", url))
            yield response.content
            following = response.links.get("next", {}).get("url")
            url = str(response.url.join(following)) if following else ""

    def check(self, *, patience: float | None = None) -> None:
        """Check that the service answers and accepts the credentials. `patience` replaces that of this client."""
        retries = None if patience is None else self._retries.with_patience(patience)
        _accepted(self._call("GET", "/health", retries=retries))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        """Return the client; leaving the block closes it."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _call(self, method: str, target: str, *, retries: Retries | None = None, **parts: Any) -> httpx.Response:
        url = target if target.startswith(self._url) else self._url + target
        return (retries or self._retries).send(lambda: self._http.request(method, url, **parts), self._url)


def _accepted(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    raise RefusedError(problem(response), response.status_code)


def _rejected(response: httpx.Response) -> dict[int, str]:
    """The reasons by index, if every event of a batch was rejected.

    Raises:
        RefusedError: the batch was refused as a whole.
    """
    by_index: dict[int, list[dict[str, Any]]] = {}
    for error in response.json().get("errors", ()):
        match error["loc"]:
            case ["events", int(index), *rest]:
                by_index.setdefault(index, []).append({"loc": rest, "msg": error["msg"]})
            case _:
                raise RefusedError(problem(response), response.status_code)
    return {index: reason(errors) for index, errors in by_index.items()}

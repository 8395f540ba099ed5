"""The service's routes as methods."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Literal, Self

import httpx

from audit_log_client.credentials import BearerAuth, Credentials
from audit_log_client.errors import RefusedError
from audit_log_client.models import Filters, Page, Receipt, StoredEvent
from audit_log_client.retries import Retries

DEFAULT_URL: Final = "http://127.0.0.1:8000"

_TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)
_MOST_ON_A_PAGE: Final = "100"

Order = Literal["asc", "desc"]
Format = Literal["ndjson", "csv"]


class Api:
    """Calls the service, and tries again where that helps. Several threads may use one.

    Every method raises UnavailableError if the service did not answer within `patience` seconds of pauses, and
    RefusedError if it does not take the request.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        credentials: Credentials = None,
        *,
        patience: float = 60.0,
        sleep: Callable[[float], object] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError("the address must begin with http:// or https://")
        self._url = url.rstrip("/")
        self._retries = Retries(patience, sleep)
        auth = BearerAuth(self._url, credentials)
        self._http = httpx.Client(auth=auth, timeout=_TIMEOUT, transport=transport)

    def send(self, events: Sequence[bytes]) -> Receipt:
        """Post up to 1,000 events, each the JSON of one without a line break, 5 MiB in all.

        Only events with an `event_id` are safe to be sent again, which a lost answer makes necessary: without one an
        event may be stored twice.
        """
        response = self._call(
            "POST", "/events", content=b"\n".join(events), headers={"Content-Type": "application/x-ndjson"}
        )
        if response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY:
            return Receipt(rejected=_rejected(response))
        answer = _accepted(response).json()
        return Receipt(
            accepted={entry["index"]: entry["event_id"] for entry in answer["accepted"]},
            rejected={entry["index"]: _reason(entry["errors"]) for entry in answer["rejected"]},
        )

    def page(self, filters: Filters, *, order: Order = "desc", limit: int = 100, cursor: str | None = None) -> Page:
        """One page of the events that match, at most 100; `cursor` is the `next_cursor` of the page before."""
        paging = [("order", order), ("limit", str(limit)), *([("cursor", cursor)] if cursor else [])]
        page: Page = _accepted(self._call("GET", "/event", params=[*filters.pairs(), *paging])).json()
        return page

    def events(self, filters: Filters, *, order: Order = "desc") -> Iterator[StoredEvent]:
        """All events that match, page by page."""
        page = self.page(filters, order=order)
        yield from page["events"]
        while page["next_cursor"]:
            page = self.page(filters, order=order, cursor=page["next_cursor"])
            yield from page["events"]

    def export(self, filters: Filters, kind: Format = "ndjson") -> Iterator[bytes]:
        """All events that match, oldest first, as the parts of a file, each of whole lines; the last may be empty.

        What was stored at the first call comes exactly once, what is received later does not.
        """
        url = str(httpx.URL(f"{self._url}/event/export", params=[*filters.pairs(), ("format", kind)]))
        while url:
            response = _accepted(self._call("GET", url))
            yield response.content
            following = response.links.get("next", {}).get("url")
            url = str(response.url.join(following)) if following else ""

    def check(self) -> None:
        """Whether the service answers, and takes the credentials."""
        _accepted(self._call("GET", "/health"))

    def close(self) -> None:
        """Give back the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        """The Api itself; leaving the block closes it."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _call(self, method: str, target: str, **parts: Any) -> httpx.Response:
        url = target if target.startswith(self._url) else self._url + target
        return self._retries.send(lambda: self._http.request(method, url, **parts), self._url)


def _accepted(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    raise RefusedError(_problem(response), response.status_code)


def _rejected(response: httpx.Response) -> dict[int, str]:
    """By index, why no event of the batch was accepted.

    Raises:
        RefusedError: it was refused as a whole.
    """
    by_index: dict[int, list[dict[str, Any]]] = {}
    for error in response.json().get("errors", ()):
        match error["loc"]:
            case ["events", int(index), *rest]:
                by_index.setdefault(index, []).append({"loc": rest, "msg": error["msg"]})
            case _:
                raise RefusedError(_problem(response), response.status_code)
    return {index: _reason(errors) for index, errors in by_index.items()}


def _problem(response: httpx.Response) -> str:
    """What an error says: problem details (RFC 9457), OAuth's error (RFC 6749 section 5.2), or somebody else's."""
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        return f"Status {response.status_code}, from something that is not the Audit Log Service: check the address."
    told = str(answer.get("detail") or answer.get("error_description") or f"Status {response.status_code}.")
    errors = answer.get("errors")
    return f"{told} {_reason(errors)}" if errors else told


def _reason(errors: Iterable[dict[str, Any]]) -> str:
    return "; ".join(f"{'.'.join(map(str, error['loc']))} {error['msg']}".strip() for error in errors)

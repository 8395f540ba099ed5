"""Reads the reasons that the service gives for a refusal or an outage."""

from collections.abc import Iterable
from typing import Any

import httpx


def problem(response: httpx.Response) -> str:
    """Return the message of an error response, or, if it is not one of the service, a hint to check the address."""
    message = detail(response)
    if message is None:
        return f"Status {response.status_code} from a server that is not the Audit Log Service: check the address."
    return message or f"Status {response.status_code}."


def detail(response: httpx.Response) -> str | None:
    """Return the message in problem details (RFC 9457) or an OAuth error (RFC 6749 section 5.2); None for neither."""
    try:
        answer = response.json()
    except ValueError:
        return None
    if not isinstance(answer, dict):
        return None
    message = str(answer.get("detail") or answer.get("error_description") or "")
    errors = answer.get("errors")
    return f"{message.removesuffix(' see errors.')} {reason(errors)}".strip() if errors else message


def reason(errors: Iterable[dict[str, Any]]) -> str:
    """Join the errors of an event: each with its field and the remedy."""
    return "; ".join(f"{'.'.join(map(str, error['loc']))} {error['msg']}".strip() for error in errors)

"""HTTP statuses of destinations, and the errors that they mean."""

from typing import Final

from core.errors import DeliveryDelayedError, DeliveryRefusedError, DestinationGoneError, MisconfiguredError
from core.streams.egress import Answer

_PASSING: Final = {408, 425, 429}
_GONE: Final = 410
_WRONG: Final = {401, 402, 403, 404, 405, 407, 421}
_CLIENT_ERROR: Final = 400
_SERVER_ERROR: Final = 500
_REDIRECT: Final = 300
_SUCCESS: Final = 200


def require_success(answer: Answer) -> None:
    """Return if the destination has taken the request.

    Raises:
        DeliveryDelayedError: 408, 425, 429 or 5xx; or 1xx, which is no answer.
        DestinationGoneError: 410, by which Standard Webhooks asks for no further requests.
        MisconfiguredError: a redirect, 401, 402, 403, 404, 405, 407 or 421.
        DeliveryRefusedError: any other 4xx.
    """
    status = answer.status
    if _SUCCESS <= status < _REDIRECT:
        return
    if status == _GONE:
        raise DestinationGoneError("The destination asks for no further events (410).", status)
    if _REDIRECT <= status < _CLIENT_ERROR:
        raise MisconfiguredError(f"The destination answered with a redirect ({status}): enter its final URL.", status)
    if status in _WRONG:
        raise MisconfiguredError(
            f"The destination answered {status}: check the URL, and the token or the headers of the stream.", status
        )
    if status in _PASSING or status >= _SERVER_ERROR or status < _SUCCESS:
        raise DeliveryDelayedError(f"The destination answered {status}.", status, answer.retry_after)
    raise DeliveryRefusedError(f"The destination does not accept the events ({status}).", status)

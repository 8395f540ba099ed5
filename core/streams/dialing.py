"""Connections to addresses that were checked: directly, or through the proxy of the operator."""

import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

CONNECT_SECONDS: Final = 5.0

SocketAddress = tuple[Any, ...]
Dial = Callable[[SocketAddress, float], socket.socket]
"""Connects to an address before a time of the monotonic clock. Raises OSError."""


def dial_first(addresses: Sequence[SocketAddress], deadline: float, dial: Dial) -> socket.socket:
    """Connect to the first address that accepts. `CONNECT_SECONDS` are for all of them. Raises OSError."""
    end = min(deadline, time.monotonic() + CONNECT_SECONDS)
    failure: OSError = TimeoutError()
    for address in addresses:
        try:
            return dial(address, end)
        except OSError as exc:
            failure = exc
    raise failure


def dial_directly(address: SocketAddress, end: float) -> socket.socket:
    """Implement `Dial` for an address of IPv4 or IPv6 that is no name."""
    sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.settimeout(time_left(end))
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


def time_left(deadline: float) -> float:
    """Return the seconds until a time of the monotonic clock. Raises TimeoutError once there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left

"""Addresses that streams may connect to: a table of networks, and the exceptions of the operator.

The table is IANA's special-purpose registries of IPv4 and IPv6, multicast, the reserved class E, and 168.63.129.16, an
address of Azure's hosts that looks public. `ipaddress.is_global` does not replace it: its answers change with Python's
version, and in 3.11 it lets NAT64 of 169.254.169.254 pass.
https://www.iana.org/assignments/iana-ipv4-special-registry, https://www.iana.org/assignments/iana-ipv6-special-registry
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_DENIED_IPV4: Final = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
    "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
)  # fmt: skip
_DENIED_IPV6: Final = ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
"""Within 2000::/3. 2002::/16 is 6to4: it leads to any IPv4 address and is deprecated (RFC 7526)."""

DENIED: Final[tuple[Network, ...]] = tuple(map(ip_network, (*_DENIED_IPV4, *_DENIED_IPV6)))
_INTERNET_IPV6: Final = IPv6Network("2000::/3")  # all that IANA has allocated for global unicast (RFC 4291)
_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052


def is_permitted(address: Address, allowed: Sequence[Network] = ()) -> bool:
    """Whether streams may connect to the address: it is public, or in a network that the operator allowed."""
    return is_within(address, allowed) or _is_public(_judged(address))


def is_within(address: Address, networks: Sequence[Network]) -> bool:
    """Whether the address, or the IPv4 address that it leads to, is in one of the networks."""
    return any(one in network for one in {address, _judged(address)} for network in networks)


def _judged(address: Address) -> Address:
    """The IPv4 address that an IPv4-mapped or NAT64 address leads to; any other address as it is."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else address


def _is_public(address: Address) -> bool:
    if address.version == 6 and address not in _INTERNET_IPV6:  # noqa: PLR2004 - the version of IP
        return False
    return not any(address in network for network in DENIED)

"""The table of addresses that streams may connect to, against an independent one."""

import random
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from AntiSSRF import AntiSSRFPolicy, PolicyConfigOptions

from core.streams.networks import DENIED, Address, is_permitted, is_within

FORBIDDEN = """
127.0.0.1 127.255.255.254 10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 169.254.170.2 100.64.0.1
100.100.100.200 0.0.0.0 192.0.0.1 192.0.0.192 198.18.0.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
168.63.129.16 192.0.2.1 198.51.100.1 203.0.113.1 192.88.99.1 192.31.196.1 192.52.193.1 192.175.48.1
:: ::1 fe80::1 fc00::1 fd00:ec2::254 fec0::1 ff02::1 100::1 3fff::1 5f00::1 2001:db8::1
::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::127.0.0.1 ::a9fe:a9fe 64:ff9b::a9fe:a9fe 64:ff9b::7f00:1
64:ff9b:1::a00:1 2002:7f00:1::1 2002:a9fe:a9fe:: 2001:0:4136:e378:8000:63bf:3fff:fdd2 2620:4f:8000::1
"""
PUBLIC = """
1.1.1.1 8.8.8.8 93.184.216.34 172.15.255.255 172.32.0.0 100.63.255.255 100.128.0.0 223.255.255.255 2606:4700::1111
2a00:1450:4001::1 2400:cb00::1 ::ffff:8.8.8.8 64:ff9b::808:808
"""
SPECIAL_IPV6 = """
::/128 ::1/128 ::ffff:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/32 2001:2::/48 2001:10::/28
2001:20::/28 2001:30::/28 2002::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8 2000::/3
"""
_POLICY = AntiSSRFPolicy(PolicyConfigOptions.EXTERNAL_ONLY_LATEST)
NAT64 = IPv6Network("64:ff9b::/96")


@pytest.mark.parametrize("address", FORBIDDEN.split())
def test_an_address_that_is_not_public_is_forbidden(address: str) -> None:
    assert not is_permitted(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC.split())
def test_a_public_address_is_permitted(address: str) -> None:
    assert is_permitted(ip_address(address))


def test_nothing_passes_that_an_independent_table_denies_but_nat64_of_public_addresses(
    verdicts: dict[Address, bool],
) -> None:
    loose = [address for address, is_public in verdicts.items() if not is_public and is_permitted(address)]

    assert len(verdicts) > 26_000
    assert loose, "no address of NAT64 was tried"
    for address in loose:
        assert address in NAT64
        assert _verdict(IPv4Address(int(address) & 0xFFFFFFFF))


def test_nothing_is_forbidden_that_an_independent_table_allows_but_unallocated_ipv6(
    verdicts: dict[Address, bool],
) -> None:
    strict = [address for address, is_public in verdicts.items() if is_public and not is_permitted(address)]
    assert [address for address in strict if address.version == 4 or address in IPv6Network("2000::/3")] == []


def test_networks_of_the_operator_are_permitted_in_every_form_of_their_addresses() -> None:
    allowed = [ip_network("10.20.0.0/16"), ip_network("fd12::/48")]

    for address in ("10.20.0.1", "::ffff:10.20.0.1", "64:ff9b::a14:1", "fd12::7"):
        assert is_permitted(ip_address(address), allowed)
        assert is_within(ip_address(address), allowed)
    for address in ("10.21.0.1", "fd13::7", "127.0.0.1"):
        assert not is_permitted(ip_address(address), allowed)
    assert not is_within(ip_address("8.8.8.8"), allowed)


@pytest.fixture(scope="module")
def verdicts() -> dict[Address, bool]:
    """Whether the independent table takes an address for public, for all edges of networks and many others."""
    return {address: _verdict(address) for address in {*_edges(), *_random_addresses()}}


def _verdict(address: Address) -> bool:
    return bool(_POLICY._is_str_ip_address_connection_allowed(str(address)))  # noqa: SLF001 - without a connection


def _edges() -> list[Address]:
    """First, middle and last address of each special network, and their neighbours outside."""
    edges: list[Address] = []
    for network in (*DENIED, *map(ip_network, SPECIAL_IPV6.split())):
        first, last = int(network[0]), int(network[-1])
        numbers = {first - 1, first, (first + last) // 2, last, last + 1}
        kind = IPv4Address if network.version == 4 else IPv6Address
        edges += [kind(number) for number in numbers if 0 <= number < 2**network.max_prefixlen]
    return edges


def _random_addresses() -> list[Address]:
    random_bits = random.Random(20260131).getrandbits  # noqa: S311 - the same addresses in each run
    return [
        *(IPv4Address(random_bits(32)) for _ in range(20_000)),
        *(IPv6Address(random_bits(128)) for _ in range(3_000)),
        *(IPv6Address(1 << 125 | random_bits(125)) for _ in range(3_000)),
        *(IPv6Address(int(NAT64[0]) | random_bits(32)) for _ in range(200)),
    ]

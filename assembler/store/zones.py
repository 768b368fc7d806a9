"""How near to this machine an address is, so that nobody outside can send us to what only we can reach.

A server may redirect to wherever it likes. That must not lead further inside than where it came from: a server of the
world could have us ask the cloud's metadata service, a router or a program on this machine, with our address. Plain
functions of addresses; following the special-purpose registries of IANA (RFC 6890) and, for addresses in which others
are embedded, RFC 4291, 6052, 3056 and 4380.
"""

import socket
from collections.abc import Iterator, Sequence
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Address = IPv4Address | IPv6Address


class Zone(IntEnum):
    """The greater, the further inside."""

    WORLD = 0
    """Anybody's."""
    SITE = 1
    """A private network (RFC 1918, RFC 4193), a provider's (RFC 6598), and all else that is not routed globally."""
    HOST = 2
    """This machine."""
    LINK = 3
    """What only this machine is answered to: its link, and what a cloud tells each of its machines about itself."""


_HOST = tuple(map(ip_network, ("0.0.0.0/8", "127.0.0.0/8", "::/127")))
_LINK = tuple(
    map(
        ip_network,
        (
            "169.254.0.0/16",
            "fe80::/10",
            # Metadata services that are not on the link: Alibaba, Oracle, Azure, Amazon.
            "100.100.100.200/32",
            "192.0.0.192/32",
            "168.63.129.16/32",
            "fd00:ec2::254/128",
        ),
    )
)
_NAT64 = ip_network("64:ff9b::/96")
_NAT64_LOCAL = ip_network("64:ff9b:1::/48")
_COMPATIBLE = ip_network("::/96")
_NAMES = {"localhost": Zone.HOST, "metadata.google.internal": Zone.LINK}
"""Names whose address everybody knows, and those below them."""


def zone_of(address: str) -> Zone:
    """The zone of an IP address as text, with or without a scope. Raises ValueError for anything else."""
    return max(map(_zone, _meant(ip_address(address))))


def zone_of_host(host: str) -> Zone:
    """The zone of the host of an address as far as its text tells: a name is taken to be of the world.

    For servers that are reached through a proxy, which resolves their names by itself.
    """
    name = host.rstrip(".").lower()
    for known, zone in _NAMES.items():
        if name == known or name.endswith(f".{known}"):
            return zone
    try:
        # All ways to write an address, as 127.1; asks nobody.
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError, ValueError):
        return Zone.WORLD
    return max(zone_of(str(entry[4][0])) for entry in found)


def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of `host`, in order of preference. Raises socket.gaierror, or UnicodeError for what is no name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _meant(address: Address) -> Iterator[Address]:
    """`address`, and those that it embeds."""
    yield address
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            yield address.ipv4_mapped
        if address.sixtofour is not None:
            yield address.sixtofour
        if address.teredo is not None:
            yield from address.teredo
        if address in _NAT64 or address in _COMPATIBLE:
            yield IPv4Address(int(address) & 0xFFFFFFFF)


def _zone(address: Address) -> Zone:
    for networks, zone in ((_LINK, Zone.LINK), (_HOST, Zone.HOST)):
        if any(address in network for network in networks if network.version == address.version):
            return zone
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None or address in _NAT64:  # what is embedded counts
            return Zone.WORLD
        if address.is_site_local or address in _NAT64_LOCAL:
            return Zone.SITE
    return Zone.WORLD if address.is_global else Zone.SITE

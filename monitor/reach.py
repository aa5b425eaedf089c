"""Whether an added stream may lead where it does: its host is looked up, and all its addresses must be allowed.

What is checked is what is connected to: whoever asks connects to the address that comes back, and looks no name up
again. A name that has another address the next time is checked again the next time.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from monitor.errors import MonitorError
from monitor.reach_config import Network, ReachConfig

Address = IPv4Address | IPv6Address
Resolve = Callable[[str], Sequence[str]]
"""Looks a host up: all its addresses, as text. Raises socket.gaierror where there is no such host. Blocks."""

_BY_NAME_ALONE: tuple[tuple[str, str], ...] = (
    ("0.0.0.0/8", "unspecified"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("192.0.0.0/24", "special"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
    ("::1/128", "loopback"),
    ("::/96", "unspecified"),
    ("fe80::/10", "link-local"),
    ("ff00::/8", "multicast"),
    # Within these stands an IPv4 address that a router may take out again.
    ("64:ff9b::/96", "translated"),
    ("64:ff9b:1::/48", "translated"),
    ("2001::/32", "tunnelled"),
    ("2002::/16", "tunnelled"),
    # Where clouds tell their machines secrets, besides 169.254.169.254.
    ("100.100.100.200/32", "metadata"),
    ("168.63.129.16/32", "metadata"),
    ("fd00:ec2::254/128", "metadata"),
    ("fd20:ce::254/128", "metadata"),
)
_SPECIAL: tuple[tuple[Network, str], ...] = tuple((ip_network(text), kind) for text, kind in _BY_NAME_ALONE)


class OutOfReachError(MonitorError):
    """An added stream may not lead there."""


class UnknownHostError(MonitorError):
    """There is no such host, as far as can be told."""


class LookUpError(UnknownHostError):
    """The fault is this machine's, and tells nothing of the host."""


def addresses_of(host: str) -> list[str]:
    """What the system's resolver says. Raises socket.gaierror where there is no such host. Blocks."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror:
        socket.socket().close()  # the resolver calls every host unknown where no file handle is left: that is said here
        raise
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def look_up(host: str, resolve: Resolve = addresses_of) -> Sequence[str]:
    """All addresses of a host, one or more.

    Args:
        host: a name or an address, as it stands in a URL.
        resolve: looks names up.

    Raises:
        UnknownHostError: there is none.
        LookUpError: one of those; nobody can be asked.
    """
    try:
        found = resolve(host)
    except (socket.gaierror, UnicodeError):
        found = ()
    except OSError as error:
        raise LookUpError(f"host name cannot be looked up: {error.strerror or error}") from None
    if not found:
        raise UnknownHostError("host name not found")
    return found


def checked_addresses(host: str, within: ReachConfig, resolve: Resolve = addresses_of) -> list[str]:
    """All addresses of a host, each of which is allowed.

    Args:
        host: a name or an address, as it stands in a URL.
        within: what is allowed.
        resolve: looks names up.

    Raises:
        OutOfReachError: one of them is not allowed.
        UnknownHostError: there is none.
    """
    addresses = [_plain(text) for text in look_up(host, resolve)]
    for address in addresses:
        why = refusal(address, within, host=host)
        if why is not None:
            raise OutOfReachError(why)
    return [str(address) for address in addresses]


def refusal(address: Address, within: ReachConfig, *, host: str | None = None) -> str | None:
    """Why an added stream may not lead to an address; None where it may.

    Args:
        address: IPv4 within IPv6 is taken for IPv4.
        within: what is allowed.
        host: the name that was looked up.
    """
    address = _plain(str(address))
    networks = within.parsed_networks()
    for special, kind in _SPECIAL:
        if address in special:
            # A wide network that happens to hold it does not count: it must have been meant.
            meant = any(_inside(network, special) and address in network for network in networks)
            if meant:
                return None
            return f"{address} is a {kind} address: added streams reach it only where web.added_streams names it"
    if any(address in network for network in networks):
        return None
    if host is not None and host.lower().rstrip(".") in within.hosts:
        return None
    return f"{address} is in none of the networks of web.added_streams"


def _inside(network: Network, special: Network) -> bool:
    return network.version == special.version and network.subnet_of(special)  # type: ignore[arg-type]  # the same


def _plain(text: str) -> Address:
    """An address without its zone; IPv4 within IPv6 is IPv4."""
    address = ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address

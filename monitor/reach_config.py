"""The section `web.added_streams`: what may be added while the service runs, and where it may lead.

Whoever may add streams makes the service connect to what they name. So it is said here what that may be, by the
operator of the machine, in the file that nobody changes over the network.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Literal

from pydantic import Field, field_validator

from monitor.config_section import Section

Network = IPv4Network | IPv6Network

_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?")


class ReachConfig(Section):
    """Where added streams may lead; held against each stream when it is added and again whenever it connects."""

    schemes: list[Literal["rtsp", "rtsps", "whip", "whep+https", "whep+http"]] = Field(
        default=["rtsp", "rtsps", "whip", "whep+https"],
        description="Schemes of added streams. Files and devices never, nor what FFmpeg follows to other addresses "
        "unseen, as playlists over HTTP.",
    )
    networks: list[str] = Field(
        default=["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
        description="Networks that they may be in, by default the private ones. Loopback, link-local, multicast and "
        "metadata addresses only by a network of their own, such as 127.0.0.1/32.",
    )
    hosts: list[str] = Field(
        default=[],
        description="Host names whose addresses may be in other networks, too; none of those that need a network of "
        "their own.",
    )

    @field_validator("networks")
    @classmethod
    def _parsed(cls, networks: list[str]) -> list[str]:
        for network in networks:
            try:
                ip_network(network)
            except ValueError as error:
                raise ValueError(f"expected a network such as 10.1.0.0/16 or 10.0.0.5: {error}") from None
        return networks

    @field_validator("hosts")
    @classmethod
    def _names(cls, hosts: list[str]) -> list[str]:
        for host in hosts:
            if not _HOST.fullmatch(host.lower()):
                raise ValueError(f"{host} is no host name; it stands alone, without scheme and port")
        return [host.lower() for host in hosts]

    def parsed_networks(self) -> list[Network]:
        """The same as networks."""
        return [ip_network(network) for network in self.networks]


class AddedStreamsConfig(ReachConfig):
    """Streams that an admin adds by the API."""

    max_streams: int = Field(default=50, ge=0, le=1000, description="How many at the most; 0: none may be added.")

    def reach(self) -> ReachConfig:
        """Where they may lead."""
        return ReachConfig(schemes=self.schemes, networks=self.networks, hosts=self.hosts)

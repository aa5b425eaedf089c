"""Section `webrtc` of the configuration: how media of `whip:` and `whep+…:` streams finds its way here."""

from __future__ import annotations

import ipaddress
import re
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from monitor.config_section import Section

_ICE_URL = re.compile(r"^(stun|turns?):[A-Za-z0-9._-]+(:\d{1,5})?(\?transport=(udp|tcp))?$")


class IceServer(Section):
    """A STUN or TURN server. Each stream learns its own address there, and publishers are told of it."""

    urls: list[str] = Field(min_length=1, description="`stun:HOST:PORT` or `turn:HOST:PORT?transport=udp`.")
    username: str | None = Field(default=None, description="For TURN.")
    credential: SecretStr | None = Field(default=None, description="For TURN; publishers are told it too.")

    @field_validator("urls")
    @classmethod
    def _known(cls, urls: list[str]) -> list[str]:
        for url in urls:
            if not _ICE_URL.match(url):
                raise ValueError("expected addresses such as stun:stun.example:3478 or turn:turn.example:3478")
        return urls

    @model_validator(mode="after")
    def _credentials(self) -> Self:
        if any(url.startswith("turn") for url in self.urls) and (self.username is None or self.credential is None):
            raise ValueError("a TURN server needs username and credential")
        return self


class WebRtcConfig(Section):
    """How publishers reach this machine, and how many may. By default nobody outside is asked anything."""

    ice_servers: list[IceServer] = Field(default=[], description="STUN and TURN servers; by default none is asked.")
    port_min: int | None = Field(default=None, ge=1024, le=65535, description="First UDP port for media; null: any.")
    port_max: int | None = Field(default=None, ge=1024, le=65535, description="Last UDP port for media.")
    addresses: list[str] = Field(
        default=[],
        description="Addresses told to publishers besides this machine's own, where a router forwards "
        "`port_min` to `port_max` here.",
    )

    max_calls: int = Field(
        default=8,
        ge=1,
        le=1000,
        description="Calls at once, of all streams of `sessions: many` together; "
        "one login has half of them at the most.",
    )
    call_unused_s: float = Field(
        default=60, ge=1, le=3600, description="Seconds after which a call goes that nobody has published to."
    )
    call_lost_s: float = Field(
        default=30, ge=1, le=3600, description="Seconds without a picture after which a call that had begun ends."
    )

    @field_validator("addresses")
    @classmethod
    def _numeric(cls, addresses: list[str]) -> list[str]:
        for address in addresses:
            ipaddress.ip_address(address)  # its ValueError says what is wrong
        return addresses

    @model_validator(mode="after")
    def _range(self) -> Self:
        if (self.port_min is None) != (self.port_max is None):
            raise ValueError("port_min and port_max go together")
        if self.port_min is not None and self.port_max is not None and self.port_max - self.port_min < 1:
            raise ValueError("port_min to port_max must be two ports at least: each address of the machine takes one")
        return self

    @property
    def ports(self) -> range | None:
        """UDP ports for media; None: any."""
        if self.port_min is None or self.port_max is None:
            return None
        return range(self.port_min, self.port_max + 1)

"""The section `web` of the configuration: where the service is reached over HTTP, and by whom."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from monitor.config_section import Section
from monitor.reach_config import AddedStreamsConfig


class WebConfig(Section):
    """Pages, API, health and metrics over HTTP."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    public_url: str | None = Field(
        default=None, description="How others reach this service, for links and Host checks."
    )
    tls_cert: Path | None = Field(
        default=None, description="PEM file of our certificate and those that vouch for it; then HTTPS is served."
    )
    tls_key: Path | None = Field(default=None, description="PEM file of the certificate's key, not encrypted.")
    trusted_proxies: list[str] = Field(
        default=[],
        description="Addresses and networks (`10.0.0.5`, `10.1.0.0/16`) whose X-Forwarded-For, -Proto and -Host are "
        "believed; nobody else's are.",
    )
    upload_mb: float = Field(
        default=200,
        ge=0,
        le=1e5,
        description="Megabytes of a picture or video that is sent to be scored; 0 takes none.",
    )
    auth: Literal["users"] | None = Field(
        default=None,
        description="`users`: whoever asks must log in or present a token (`gend-monitor user`, `token`); null: "
        "whoever reaches the loopback address may do everything.",
    )
    session_hours: float = Field(
        default=12, ge=0.1, le=720, description="Hours without a request after which a login ends."
    )
    metrics: Literal["open", "viewer", "operator", "admin"] = Field(
        default="viewer",
        description="The least role that may read /metrics; `open`: everybody who reaches the service. Without "
        "`auth` everybody may.",
    )
    audit_days: int = Field(default=365, ge=1, le=3650, description="Days after which the audit log forgets.")
    added_streams: AddedStreamsConfig = Field(
        default=AddedStreamsConfig(), description="What an admin may add by the API while the service runs."
    )

    @field_validator("public_url")
    @classmethod
    def _address(cls, url: str | None) -> str | None:
        if url is not None and not (url.startswith(("http://", "https://")) and urlsplit(url).hostname):
            raise ValueError("expected an address such as https://monitor.example")
        return url

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, proxies: list[str]) -> list[str]:
        for proxy in proxies:
            try:
                network = ip_network(proxy)
            except ValueError as error:
                raise ValueError(f"expected an address or network such as 10.0.0.5 or 10.1.0.0/16: {error}") from None
            if network.prefixlen == 0:
                raise ValueError(f"{proxy} is everybody: then anyone could claim any address")
        return proxies

    @model_validator(mode="after")
    def _exposed(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key go together")
        if is_loopback(self.host):
            return self
        if self.auth is None:
            raise ValueError(
                f"host {self.host} is reachable from other machines, and there is no authentication; "
                "set auth: users, or use 127.0.0.1"
            )
        if self.tls_cert is None and not self.trusted_proxies:
            raise ValueError(
                f"host {self.host} is reachable from other machines, and passwords would cross the network in clear; "
                "set tls_cert and tls_key, or trusted_proxies to a proxy that speaks HTTPS"
            )
        return self


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches the address."""
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback

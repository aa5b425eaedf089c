"""Believes what configured proxies say of a request, and nobody else.

Who asks directly could claim any address, to get around the login's limit or to put somebody else's into the audit
log. So of strangers these headers are taken away, and of a proxy that is trusted they are put where everything looks
for them: client, scheme and Host. RFC 7239's `Forwarded` is not read.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.types import ASGIApp, Receive, Scope, Send

Address = IPv4Address | IPv6Address

_FORWARDED = (b"x-forwarded-", b"forwarded", b"x-real-ip")
_SECURE = {"http": {"http": "http", "https": "https"}, "websocket": {"http": "ws", "https": "wss"}}


class TrustedProxies:
    """ASGI middleware.

    Args:
        app: what is asked through proxies.
        proxies: their addresses and networks.
    """

    def __init__(self, app: ASGIApp, proxies: Collection[str]) -> None:
        self._app = app
        self._networks = tuple(map(ip_network, proxies))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes every request on, as it was before the proxy."""
        if scope["type"] in _SECURE:
            scope = self._believed(scope) if self._trusts(_address(_client(scope))) else _plain(scope)
        await self._app(scope, receive, send)

    def _trusts(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)

    def _believed(self, scope: Scope) -> Scope:
        scope = dict(scope)
        told = _values(scope, b"x-forwarded-for")
        client = self._before_proxies(told)
        if client is not None:
            scope["client"] = (str(client), 0)
        # Of several values it is unsure which hop said which: then none is believed.
        schemes = _values(scope, b"x-forwarded-proto")
        if len(schemes) == 1:
            scheme = schemes[0].lower().replace("ws", "http", 1)
            scope["scheme"] = _SECURE[scope["type"]].get(scheme, scope["scheme"])
        hosts = _values(scope, b"x-forwarded-host")
        if len(hosts) == 1:
            others = [(name, value) for name, value in scope["headers"] if name != b"host"]
            scope["headers"] = [(b"host", hosts[0].encode("latin-1")), *others]
        return scope

    def _before_proxies(self, told: list[str]) -> Address | None:
        """The last address that a proxy of ours has seen and that is none of ours; each appends whom it was asked by.

        What stands before it was said by that client, and may be anything.
        """
        client = None
        for hop in reversed(told):
            address = _address(hop)
            if address is None:
                break
            client = address
            if not self._trusts(address):
                break
        return client


def client_address(scope: Scope) -> str:
    """Who asks, for limits and the log: an address, or `unknown`."""
    address = _address(_client(scope))
    return "unknown" if address is None else str(address)


def _client(scope: Scope) -> str:
    return scope["client"][0] if scope.get("client") else ""


def _plain(scope: Scope) -> Scope:
    kept = [(name, value) for name, value in scope["headers"] if not name.startswith(_FORWARDED)]
    return {**scope, "headers": kept}


def _values(scope: Scope, name: bytes) -> list[str]:
    """What a header lists, over all its lines."""
    lines = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return [part.strip() for line in lines for part in line.split(",") if part.strip()]


def _address(text: str) -> Address | None:
    """An address, which some proxies write with a port; IPv4 within IPv6 is IPv4."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address

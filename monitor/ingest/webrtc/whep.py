"""WHEP: one POST of an offer to a media server, its answer, and a DELETE at the end. HTTP only, no WebRTC."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import httpx

from monitor.errors import SourceError
from monitor.ingest.address import AnsweredError, RefusedError
from monitor.ingest.way import addresses_within
from monitor.reach import Resolve, addresses_of
from monitor.reach_config import ReachConfig
from monitor.redact import one_line

_SDP = "application/sdp"
_MOST_BYTES = 64 * 1024
_MOST_REDIRECTS = 3
_ANSWER_S = 10.0
_GOODBYE_S = 2.0


class WhepClient:
    """Speaks to one address. Usable as an asynchronous context manager.

    Args:
        url: `whep+https://…` or `whep+http://…`; credentials in it are sent as Basic authorization.
        token: sent as bearer token to that server, and to no other that it may point to; None: none.
        within: where it may lead, redirects included; None: anywhere.
        resolve: looks hosts up, where it is bound.

    Attributes:
        addresses: of the server that was asked last, where it is bound.
    """

    def __init__(
        self, url: str, token: str | None, within: ReachConfig | None = None, resolve: Resolve = addresses_of
    ) -> None:
        self._url = url.removeprefix("whep+")
        self._origin = _origin(self._url)
        self._token = token
        self._within = within
        self._resolve = resolve
        self.addresses: tuple[str, ...] = ()
        # A proxy would look the name up once more, out of our sight.
        self._client = httpx.AsyncClient(follow_redirects=False, timeout=_ANSWER_S, trust_env=within is None)

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._client.aclose()

    async def ask(self, offer: str) -> tuple[str, str | None]:
        """Sends an offer.

        Returns:
            The answer, and the address of the session, where there is one.

        Raises:
            RefusedError: the token, or the lack of one, is refused.
            AnsweredError: the server says no for another reason.
            SourceError: it cannot be reached, or its answer cannot be used.
        """
        url = self._url
        for _ in range(_MOST_REDIRECTS + 1):
            try:
                async with asyncio.timeout(_ANSWER_S):
                    status, headers, body = await self._post(url, offer)
            except TimeoutError:
                raise SourceError(f"cannot open: no answer within {_ANSWER_S:g} s") from None
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise SourceError(f"cannot open: {_said(error)}") from None
            if status not in {307, 308}:
                break
            url = urljoin(url, headers.get("location", ""))
            if urlsplit(url).scheme not in {"http", "https"}:
                raise AnsweredError("cannot open: the server points to an address that is not HTTP")
        return self._understood(status, headers, body, url)

    async def leave(self, session: str) -> None:
        """Ends a session. That the server does not care is nobody's trouble: it sees the connection end."""
        try:
            async with asyncio.timeout(_GOODBYE_S):
                target, headers, extensions = await self._checked(session)
                headers |= self._authorization(session)
                await self._client.delete(target, headers=headers, extensions=extensions)
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, SourceError):
            return

    async def _post(self, url: str, offer: str) -> tuple[int, httpx.Headers, bytes]:
        target, host, extensions = await self._checked(url)
        headers = {"Content-Type": _SDP, "Accept": _SDP, **host, **self._authorization(url)}
        content = offer.encode()
        async with self._client.stream(
            "POST", target, content=content, headers=headers, extensions=extensions
        ) as response:
            body = b""
            async for part in response.aiter_bytes():
                body += part
                if len(body) > _MOST_BYTES:
                    raise SourceError("cannot open: the server's answer is too large")
            return response.status_code, response.headers, body

    async def _checked(self, url: str) -> tuple[httpx.URL, dict[str, str], dict[str, Any]]:
        """What to connect to for an address, and the headers and extensions by which the server is the one named.

        Raises:
            RefusedError: it may not lead there.
            SourceError: its host is not known now.
        """
        target = httpx.URL(url)
        if self._within is None:
            return target, {}, {}
        if f"whep+{target.scheme}" not in self._within.schemes:
            raise RefusedError(f"cannot open: whep+{target.scheme}: is not among web.added_streams.schemes")
        checked = await asyncio.to_thread(addresses_within, target.host, self._within, self._resolve)
        self.addresses = tuple(checked)
        # The certificate is held against the name, though the name is not looked up again.
        extensions = {"sni_hostname": target.host} if target.scheme == "https" else {}
        return target.copy_with(host=checked[0]), {"Host": target.netloc.decode("ascii")}, extensions

    def _understood(self, status: int, headers: httpx.Headers, body: bytes, url: str) -> tuple[str, str | None]:
        if status in {401, 403}:
            what = "wants a token" if self._token is None else "refuses the token"
            raise RefusedError(f"cannot open: the server {what} ({status})")
        if status in {404, 410}:
            raise AnsweredError(f"cannot open: the server has no such stream ({status})")
        if 300 <= status < 400:
            raise AnsweredError(f"cannot open: the server points elsewhere ({status}); put that address into url")
        if status not in {200, 201}:
            raise AnsweredError(f"cannot open: the server answers {status}{_detail(body)}")
        if headers.get("content-type", "").partition(";")[0].strip().lower() != _SDP:
            raise AnsweredError("cannot open: the server's answer is no session description")
        location = headers.get("location")
        session = None if location is None else urljoin(url, location)
        return body.decode(errors="replace"), session

    def _authorization(self, url: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token and _origin(url) == self._origin else {}


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _said(error: Exception) -> str:
    """What is wrong, without the address."""
    text = one_line(error).partition(": ")[2]
    return re.sub(r"^\[Errno -?\d+\] ", "", text) or type(error).__name__


def _detail(body: bytes) -> str:
    text = " ".join(body[:200].decode(errors="replace").split())
    return f": {text}" if text.isprintable() and text and "<" not in text else ""

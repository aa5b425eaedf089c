"""WHIP (RFC 9725): a browser or OBS publishes a live stream by one POST. Knows nothing of WebRTC itself."""

from __future__ import annotations

import asyncio
import http
import secrets
from collections.abc import Mapping

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect

from monitor.access import ForbiddenError, Principal
from monitor.actions.publishing import Cause, Proof, Publishing, PublishingError
from monitor.webrtc_config import IceServer

_SDP = "application/sdp"
_MOST_BYTES = 64 * 1024
_BODY_S = 10.0
"""For a body to arrive: whoever sends slower is let go."""
_STATUS: Mapping[Cause, int] = {
    "malformed": 400,
    "unproven": 401,
    "unknown": 404,
    "busy": 409,
    "unusable": 422,
    "unavailable": 503,
}


class _RefusedError(Exception):
    """A request is answered by an RFC 9457 problem."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


def whip_router(publishing: Publishing) -> APIRouter:
    """Routes under /whip.

    Args:
        publishing: sees to what is asked.
    """
    router = APIRouter()

    @router.post("/whip/{stream}")
    async def publish(stream: str, request: Request) -> Response:
        try:
            return await _publish(publishing, stream, request)
        except _RefusedError as refused:
            return _problem(refused)

    @router.delete("/whip/{stream}/{session}")
    async def leave(stream: str, session: str, request: Request) -> Response:
        try:
            await _seen_to(publishing, stream, request)
            await publishing.leave(stream, session, _proof(request))
        except (PublishingError, ForbiddenError) as error:
            return _problem(_refusal(error))
        except _RefusedError as refused:
            return _problem(refused)
        return Response(status_code=200)

    @router.options("/whip/{stream}")
    async def options(stream: str) -> Response:  # noqa: ARG001 - whether there is such a stream is told to publishers
        return Response(status_code=204, headers={"Accept-Post": _SDP, "Allow": "POST, OPTIONS"})

    @router.api_route("/whip/{stream}", methods=["GET", "HEAD", "PUT", "PATCH", "DELETE"])
    async def not_on_stream(stream: str) -> Response:  # noqa: ARG001
        allowed = {"Allow": "POST, OPTIONS", "Accept-Post": _SDP}
        return _problem(_RefusedError(405, "publish by POST of an SDP offer", allowed))

    @router.api_route("/whip/{stream}/{session}", methods=["GET", "HEAD", "PUT", "POST", "PATCH", "OPTIONS"])
    async def not_on_session(stream: str, session: str, request: Request) -> Response:  # noqa: ARG001
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": "DELETE, OPTIONS"})
        detail = "neither trickle ICE nor ICE restarts: the answer is complete, and a session is ended by DELETE"
        return _problem(_RefusedError(405, detail, {"Allow": "DELETE, OPTIONS"}))

    return router


async def _publish(publishing: Publishing, stream: str, request: Request) -> Response:
    proof = await _seen_to(publishing, stream, request)
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != _SDP:
        raise _RefusedError(415, f"the offer is to be sent as {_SDP}", {"Accept-Post": _SDP})
    sdp = await _body(request)
    try:
        session = await publishing.publish(stream, sdp, proof)
    except (PublishingError, ForbiddenError) as error:
        raise _refusal(error) from error
    answer = Response(session.sdp, status_code=201, media_type=_SDP)
    # Relative, so that it holds behind whatever proxy the request came through.
    answer.headers["Location"] = f"/whip/{session.stream}/{session.name}"
    answer.headers["ETag"] = f'"{secrets.token_hex(8)}"'
    for server in publishing.ice_servers:
        for link in _links(server):
            answer.headers.append("Link", link)
    return answer


async def _seen_to(publishing: Publishing, stream: str, request: Request) -> Proof:
    """Whether they may, before anything that they send is read."""
    proof = _proof(request)
    try:
        publishing.authorise(stream, proof)
    except (PublishingError, ForbiddenError) as error:
        raise _refusal(error) from error
    return proof


def _proof(request: Request) -> Proof:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    principal = request.scope.get("principal")
    return Proof(
        principal if isinstance(principal, Principal) else None,
        token.strip() if scheme.lower() == "bearer" and token.strip() else None,
    )


async def _body(request: Request) -> str:
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > _MOST_BYTES:
        raise _RefusedError(413, f"an offer has {_MOST_BYTES} bytes at the most", {"Connection": "close"})
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_S):
            async for part in request.stream():
                body += part
                if len(body) > _MOST_BYTES:
                    raise _RefusedError(413, f"an offer has {_MOST_BYTES} bytes at the most", {"Connection": "close"})
    except ClientDisconnect:
        raise _RefusedError(400, "the offer did not arrive whole") from None  # said to nobody
    except TimeoutError:
        raise _RefusedError(408, f"the offer did not arrive within {_BODY_S:g} s", {"Connection": "close"}) from None
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise _RefusedError(400, "the offer is not UTF-8 text") from None


def _refusal(error: PublishingError | ForbiddenError) -> _RefusedError:
    if isinstance(error, ForbiddenError):
        return _RefusedError(403, str(error))
    headers = {"unproven": {"WWW-Authenticate": 'Bearer realm="whip"'}, "unavailable": {"Retry-After": "2"}}
    return _RefusedError(_STATUS[error.cause], str(error), headers.get(error.cause))


def _problem(refused: _RefusedError) -> Response:
    body = {"status": refused.status, "title": http.HTTPStatus(refused.status).phrase, "detail": refused.detail}
    return JSONResponse(body, refused.status, refused.headers, media_type="application/problem+json")


def _links(server: IceServer) -> list[str]:
    """A STUN or TURN server as RFC 9725 section 4.6 tells of it."""
    credentials = ""
    if server.username is not None and server.credential is not None:
        credential = _quoted(server.credential.get_secret_value())
        credentials = f'; username={_quoted(server.username)}; credential={credential}; credential-type="password"'
    return [f'<{url}>; rel="ice-server"{credentials}' for url in server.urls]


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

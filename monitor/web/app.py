"""The HTTP application: what stands before every route, health, readiness, metrics, login, and what it is made of."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, replace
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.types import ASGIApp

from monitor.access import ForbiddenError, Principal
from monitor.actions import Actions
from monitor.actions.publishing import Publishing
from monitor.errors import StoreError
from monitor.health import Health
from monitor.web.api import PREFIX, create_api, handle_strays
from monitor.web.asking import asking
from monitor.web.bodies import BodyLimit, BodyLimits
from monitor.web.call import call_routes
from monitor.web.gate import Gate
from monitor.web.guard import HostAndOriginGuard
from monitor.web.identify import Identify
from monitor.web.login import login_routes
from monitor.web.proxies import TrustedProxies
from monitor.web.security_headers import SecurityHeaders
from monitor.web.whip import whip_router
from monitor.web_config import WebConfig

_log = logging.getLogger("monitor.web")

_UPLOAD_S = 900.0
"""For a file to arrive over a slow line."""


class _App(FastAPI):
    """With headers around everything: its own answer to an error that nobody expected has them too."""

    https = False

    def build_middleware_stack(self) -> ASGIApp:
        """Called once, before the first request."""
        return SecurityHeaders(super().build_middleware_stack(), https=self.https)


def create_app(
    config: WebConfig,
    health: Callable[[], Health],
    registry: CollectorRegistry,
    *,
    gate: Gate | None = None,
    publishing: Publishing | None = None,
    actions: Actions | None = None,
) -> FastAPI:
    """Builds the application.

    Args:
        config: names under which the service may be addressed, its proxies, who may read metrics.
        health: looked up at each request.
        registry: metrics to show.
        gate: knows users and tokens; None where `config.auth` is null.
        publishing: takes publishers of streams; None: there is no /whip.
        actions: what the API does; None: there is no API.
    """
    assert (gate is None) == (config.auth is None), "without its gate a service with users would be open"
    app = _App(title="gend-monitor", docs_url=None, redoc_url=None, openapi_url=None)
    app.https = config.tls_cert is not None
    # The last one added is asked first.
    app.add_middleware(Identify, gate=gate)
    limit, upload_bytes = BodyLimit(), round(config.upload_mb * 1e6)
    larger = {f"{PREFIX}/scores": BodyLimit(upload_bytes + limit.max_bytes, _UPLOAD_S)}
    app.add_middleware(BodyLimits, limit=limit, larger=larger)
    app.add_middleware(HostAndOriginGuard, hosts=_hosts(config))
    app.add_middleware(TrustedProxies, proxies=config.trusted_proxies)
    app.add_exception_handler(ForbiddenError, _forbidden)
    app.add_exception_handler(StoreError, _unavailable)

    if publishing is not None:
        app.include_router(whip_router(publishing))
        app.include_router(call_routes(publishing))
    if actions is not None:
        app.mount(PREFIX, create_api(actions, upload_bytes, None if gate is None else gate.accounts))
        handle_strays(app, "/api/")

    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "alive"})

    @app.get("/readyz")
    async def readyz(request: Request) -> JSONResponse:
        now = health()
        status = 200 if now.ready else 503
        who = request.scope.get("principal")
        if not isinstance(who, Principal):  # a load balancer need not know more
            return JSONResponse({"ready": now.ready}, status)
        seen = replace(now, streams={name: state for name, state in now.streams.items() if who.sees(name)})
        return JSONResponse(asdict(seen), status)

    @app.get("/metrics")
    async def metrics(request: Request) -> Response:
        if config.metrics != "open":
            who = asking(request)
            who.require(config.metrics)
            if who.streams is not None:
                raise ForbiddenError("metrics are of all streams, and you may see some of them only")
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    if gate is not None:
        app.include_router(login_routes(gate))
    return app


async def _forbidden(_: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}\n", 403)


async def _unavailable(_: Request, error: Exception) -> Response:
    _log.warning("a request failed: %s", error)
    return PlainTextResponse("the database does not answer; see the service's log\n", 503)


def _hosts(config: WebConfig) -> set[str]:
    hosts = {"127.0.0.1", "::1", "localhost", config.host.lower()}
    if config.public_url:
        hosts.add((urlsplit(config.public_url).hostname or "").lower())
    return hosts

"""The HTTP application: health, readiness, metrics, and the API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from monitor.actions import Actions
from monitor.config import WebConfig
from monitor.health import Health
from monitor.web.api import PREFIX, create_api, handle_strays
from monitor.web.asking import LocalPrincipal
from monitor.web.guard import HostAndOriginGuard


def create_app(
    config: WebConfig, health: Callable[[], Health], registry: CollectorRegistry, actions: Actions | None = None
) -> FastAPI:
    """Builds the application.

    Args:
        config: names under which the service may be addressed.
        health: looked up at each request.
        registry: metrics to show.
        actions: what the API does; None: there is no API.
    """
    app = FastAPI(title="gend-monitor", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(LocalPrincipal)
    app.add_middleware(HostAndOriginGuard, hosts=_hosts(config))
    if actions is not None:
        app.mount(PREFIX, create_api(actions, round(config.upload_mb * 1e6)))
        handle_strays(app, "/api/")

    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "alive"})

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        now = health()
        return JSONResponse(asdict(now), status_code=200 if now.ready else 503)

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return app


def _hosts(config: WebConfig) -> set[str]:
    hosts = {"127.0.0.1", "::1", "localhost", config.host.lower()}
    if config.public_url:
        hosts.add((urlsplit(config.public_url).hostname or "").lower())
    return hosts

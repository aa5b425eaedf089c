"""The HTTP application: health, readiness, metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from monitor.actions.publishing import Publishing
from monitor.config import WebConfig
from monitor.web.guard import HostAndOriginGuard
from monitor.web.whip import whip_router


@dataclass(frozen=True, slots=True)
class Health:
    """What /readyz answers: ready when everything that should run does."""

    ready: bool
    encoder: str
    """`ok`, or why crops cannot be scored."""
    store: str
    """`ok`, or why alerts cannot be kept."""
    mqtt: str
    """`connected` or `disconnected`; alerts wait in the outbox meanwhile, so this does not unready the service."""
    streams: dict[str, str]
    """State of each stream by name; a camera that is down does not unready the service either."""
    notify: dict[str, str] = field(default_factory=dict)
    """`ok`, or why the last delivery failed, of each target by name; what is for it waits in the outbox as well."""


def create_app(
    config: WebConfig,
    health: Callable[[], Health],
    registry: CollectorRegistry,
    publishing: Publishing | None = None,
) -> FastAPI:
    """Builds the application.

    Args:
        config: names under which the service may be addressed.
        health: looked up at each request.
        registry: metrics to show.
        publishing: takes publishers of streams; None: there is no /whip.
    """
    app = FastAPI(title="gend-monitor", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(HostAndOriginGuard, hosts=_hosts(config))

    if publishing is not None:
        app.include_router(whip_router(publishing))

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

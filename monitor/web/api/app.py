"""The application under `/api/v1`, and its OpenAPI document."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse

from monitor.actions import Actions
from monitor.actions.accounts import Accounts
from monitor.web.api.accounts import account_routes
from monitor.web.api.added_streams import added_stream_routes
from monitor.web.api.alerts import alert_routes
from monitor.web.api.board import board_routes
from monitor.web.api.events import event_routes
from monitor.web.api.evidence import evidence_routes
from monitor.web.api.pictures import picture_routes
from monitor.web.api.problems import Problem, handle_problems
from monitor.web.api.scores import score_routes
from monitor.web.api.streams import stream_routes
from monitor.web.api.system import system_routes
from monitor.web.api.wrapping import Wrapping
from monitor.web.asking import Asking

PREFIX = "/api/v1"
SESSION_COOKIE = "gend-session"

_ABOUT = """Watched streams, what is held of each face, alerts and what people say of them.

Times are RFC 3339 in UTC. Alerts, verdicts and statuses are the JSON that subscribers of MQTT get. Errors are
`application/problem+json` (RFC 9457). GET changes nothing, and HEAD works wherever GET does. Long lists come in pages:
follow `Link: …; rel="next"`, or give `next` as `cursor`. Fields may be added within version 1; none is renamed or
removed."""

_TAGS = [
    {"name": "streams", "description": "What is watched, and what its alerts are worth."},
    {"name": "live", "description": "What happens now."},
    {"name": "alerts", "description": "What happened, and what people say of it."},
    {"name": "evidence", "description": "What was kept of alerts, signed."},
    {"name": "scores", "description": "Pictures and videos that are sent to be scored."},
    {"name": "system", "description": "The service itself."},
    {"name": "accounts", "description": "Who may ask, and who did what."},
    {"name": "configuration", "description": "What is watched: streams of the file, and those that are added."},
]

_SECURITY = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token of `gend-monitor user token`."},
    "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE, "description": "Who has logged in."},
}


def create_api(actions: Actions, most_upload_bytes: int = 0, accounts: Accounts | None = None) -> FastAPI:
    """Builds the application, to be mounted at `PREFIX`. It asks `scope["principal"]` who asks.

    Args:
        actions: what it does.
        most_upload_bytes: of a file that is sent to be scored.
        accounts: users and tokens; None where the service has none.
    """
    api = FastAPI(title="gend-monitor", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    api.add_middleware(Wrapping, most_upload_bytes=most_upload_bytes)
    handle_problems(api)
    for routes in (
        stream_routes,
        event_routes,
        picture_routes,
        board_routes,
        alert_routes,
        evidence_routes,
        score_routes,
        system_routes,
        added_stream_routes,
    ):
        router: APIRouter = routes(actions)
        api.include_router(router)
    api.include_router(account_routes(accounts))
    document: dict[str, Any] = {}

    @api.get("/openapi.json", include_in_schema=False)
    async def openapi(_: Asking) -> JSONResponse:
        if not document:
            document.update(_openapi(api))
        return JSONResponse(document)

    return api


def _openapi(api: FastAPI) -> dict[str, Any]:
    made = get_openapi(
        title="gend-monitor",
        version=version("gend-monitor"),
        summary="Self-hosted monitor for manipulated faces in live video",
        description=_ABOUT,
        routes=api.routes,
        tags=_TAGS,
        servers=[{"url": PREFIX}],
    )
    components = made.setdefault("components", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components["schemas"] |= problem.pop("$defs", {}) | {"Problem": problem}
    components["securitySchemes"] = _SECURITY
    # Either, or neither at a service without users, which listens on the loopback address alone.
    made["security"] = [{"token": []}, {"session": []}, {}]
    return made

"""Who may ask what: every route there is, asked by nobody, a viewer, an operator and an admin.

A route that is not in the table fails the test, so that nobody forgets to say who may use it. To add one: a line in
`EXPECTED`, what its path names (`NAMES`), and what is sent along where something must be (`SENT`).
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from monitor.access import Role
from monitor.actions.publishing import Publishing
from monitor.messages import Reply
from monitor.stream_config import StreamConfig
from tests.monitor.access.cheap import PASSWORD
from tests.monitor.actions.acting import acting
from tests.monitor.store.examples import an_alert
from tests.monitor.web.gated import Site, served


class Answers(NamedTuple):
    """Status for each asker."""

    nobody: int
    viewer: int
    operator: int
    admin: int
    half: int
    """A viewer who may see the stream `lobby` alone."""


EXPECTED: dict[tuple[str, str], Answers] = {
    ("GET", "/api/v1/account"): Answers(401, 200, 200, 200, 200),
    ("PUT", "/api/v1/account/password"): Answers(401, 422, 422, 422, 422),  # tokens have none
    ("GET", "/api/v1/audit"): Answers(401, 403, 403, 200, 403),
    ("GET", "/api/v1/tokens"): Answers(401, 200, 200, 200, 200),
    ("POST", "/api/v1/tokens"): Answers(401, 403, 403, 403, 403),  # a token makes none
    ("DELETE", "/api/v1/tokens/{name}"): Answers(401, 403, 403, 404, 403),
    ("GET", "/api/v1/users"): Answers(401, 403, 403, 200, 403),
    ("POST", "/api/v1/users"): Answers(401, 403, 403, 201, 403),
    ("DELETE", "/api/v1/users/{name}"): Answers(401, 403, 403, 404, 403),
    ("PUT", "/api/v1/users/{name}"): Answers(401, 403, 403, 404, 403),
    ("PUT", "/api/v1/users/{name}/password"): Answers(401, 403, 403, 404, 403),
    ("GET", "/api/v1/adapters"): Answers(401, 200, 200, 200, 200),
    ("GET", "/api/v1/alerts"): Answers(401, 200, 200, 200, 200),
    ("GET", "/api/v1/alerts.csv"): Answers(401, 200, 200, 200, 200),
    ("GET", "/api/v1/alerts.ndjson"): Answers(401, 200, 200, 200, 200),
    ("GET", "/api/v1/alerts/{alert_id}"): Answers(401, 200, 200, 200, 404),
    ("GET", "/api/v1/alerts/{alert_id}/evidence"): Answers(401, 200, 200, 200, 404),
    ("GET", "/api/v1/alerts/{alert_id}/messages"): Answers(401, 200, 200, 200, 404),
    ("POST", "/api/v1/alerts/{alert_id}/reviews"): Answers(401, 403, 201, 201, 403),
    ("GET", "/api/v1/calibrations"): Answers(401, 200, 200, 200, 200),
    ("GET", "/api/v1/calibrations/{stream}"): Answers(401, 200, 200, 200, 403),
    ("POST", "/api/v1/configuration/reload"): Answers(401, 403, 403, 409, 403),  # there is no file
    ("GET", "/api/v1/configuration/streams"): Answers(401, 403, 403, 409, 403),
    ("POST", "/api/v1/configuration/streams"): Answers(401, 403, 403, 409, 403),
    ("POST", "/api/v1/configuration/streams/check"): Answers(401, 403, 403, 409, 403),
    ("DELETE", "/api/v1/configuration/streams/{name}"): Answers(401, 403, 403, 409, 403),
    ("GET", "/api/v1/configuration/streams/{name}"): Answers(401, 403, 403, 409, 403),
    ("PUT", "/api/v1/configuration/streams/{name}"): Answers(401, 403, 403, 409, 403),
    ("GET", "/api/v1/events"): Answers(401, 200, 200, 200, 200),
    ("GET", "/api/v1/evidence/{stream}/{package}/archive"): Answers(401, 404, 404, 404, 403),
    ("GET", "/api/v1/evidence/{stream}/{package}/files/{name:path}"): Answers(401, 404, 404, 404, 403),
    ("GET", "/api/v1/evidence/{stream}/{package}/verification"): Answers(401, 404, 404, 404, 403),
    ("GET", "/api/v1/openapi.json"): Answers(401, 200, 200, 200, 200),
    ("GET", "/api/v1/scores"): Answers(401, 403, 200, 200, 403),
    ("POST", "/api/v1/scores"): Answers(401, 403, 202, 202, 403),
    ("DELETE", "/api/v1/scores/{job_id}"): Answers(401, 403, 404, 404, 403),
    ("GET", "/api/v1/scores/{job_id}"): Answers(401, 403, 404, 404, 403),
    ("GET", "/api/v1/scores/{job_id}/annotated"): Answers(401, 403, 404, 404, 403),
    ("GET", "/api/v1/scores/{job_id}/faces.csv"): Answers(401, 403, 404, 404, 403),
    ("GET", "/api/v1/scores/{job_id}/pictures/{frame}"): Answers(401, 403, 404, 404, 403),
    ("GET", "/api/v1/scores/{job_id}/result.json"): Answers(401, 403, 404, 404, 403),
    ("GET", "/api/v1/streams"): Answers(401, 200, 200, 200, 200),
    ("GET", "/api/v1/streams/{stream}"): Answers(401, 200, 200, 200, 403),
    ("POST", "/api/v1/streams/{stream}/calls"): Answers(401, 403, 404, 404, 403),  # nobody publishes to it
    ("DELETE", "/api/v1/streams/{stream}/snooze"): Answers(401, 403, 204, 204, 403),
    ("POST", "/api/v1/streams/{stream}/snooze"): Answers(401, 403, 200, 200, 403),
    ("GET", "/api/v1/streams/{stream}/faces"): Answers(401, 200, 200, 200, 403),
    ("GET", "/api/v1/board"): Answers(401, 200, 200, 200, 200),
    ("GET", "/api/v1/streams/{stream}/preview.jpg"): Answers(401, 404, 404, 404, 403),  # no picture comes
    ("GET", "/api/v1/streams/{stream}/verdicts"): Answers(401, 200, 200, 200, 403),
    ("GET", "/api/v1/system"): Answers(401, 200, 200, 200, 200),
    ("GET", "/api/v1/version"): Answers(401, 200, 200, 200, 200),
    ("GET", "/assets/call/{name}"): Answers(404, 404, 404, 404, 404),
    ("GET", "/call"): Answers(303, 404, 303, 303, 404),
    ("GET", "/call/{stream}"): Answers(303, 403, 200, 200, 404),
    ("GET", "/healthz"): Answers(200, 200, 200, 200, 200),
    ("GET", "/login"): Answers(200, 303, 303, 303, 303),
    ("POST", "/login"): Answers(403, 403, 403, 403, 403),  # without a form from our page
    ("POST", "/logout"): Answers(303, 303, 303, 303, 303),
    ("GET", "/metrics"): Answers(401, 200, 200, 200, 403),
    ("GET", "/password"): Answers(303, 200, 200, 200, 200),
    ("POST", "/password"): Answers(303, 422, 422, 422, 422),  # without a form
    ("GET", "/readyz"): Answers(200, 200, 200, 200, 200),
    ("DELETE", "/whip/{stream}"): Answers(405, 405, 405, 405, 405),
    ("GET", "/whip/{stream}"): Answers(405, 405, 405, 405, 405),
    ("OPTIONS", "/whip/{stream}"): Answers(204, 204, 204, 204, 204),
    ("PATCH", "/whip/{stream}"): Answers(405, 405, 405, 405, 405),
    ("POST", "/whip/{stream}"): Answers(401, 403, 415, 415, 404),
    ("PUT", "/whip/{stream}"): Answers(405, 405, 405, 405, 405),
    ("DELETE", "/whip/{stream}/{session}"): Answers(401, 403, 404, 404, 404),
    ("GET", "/whip/{stream}/{session}"): Answers(405, 405, 405, 405, 405),
    ("OPTIONS", "/whip/{stream}/{session}"): Answers(204, 204, 204, 204, 204),
    ("PATCH", "/whip/{stream}/{session}"): Answers(405, 405, 405, 405, 405),
    ("POST", "/whip/{stream}/{session}"): Answers(405, 405, 405, 405, 405),
    ("PUT", "/whip/{stream}/{session}"): Answers(405, 405, 405, 405, 405),
}
NAMES = {
    "{stream}": "gate",
    "{alert_id}": "episode-1",
    "{package}": "20260131T120005Z-episode-1",
    "{name:path}": "alert.json",
    "{name}": "nothing",
    "{job_id}": "0" * 32,
    "{frame}": "0",
    "{session}": "s1",
}
"""What is put into paths; the stream is one that the half-blind viewer may not see, and what else there is is its."""
SENT: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/api/v1/alerts/{alert_id}/reviews"): {"json": {"answer": "right"}},
    ("POST", "/api/v1/streams/{stream}/snooze"): {"json": {"for_s": 600}},
    ("POST", "/api/v1/scores"): {"files": {"file": ("a.png", b"no picture")}},
    ("PUT", "/api/v1/account/password"): {"json": {"current": PASSWORD, "password": "another good password"}},
    ("POST", "/api/v1/tokens"): {"json": {"name": "child", "role": "viewer"}},
    ("POST", "/api/v1/users"): {"json": {"name": "new", "role": "viewer", "password": PASSWORD}},
    ("PUT", "/api/v1/users/{name}"): {"json": {"role": "viewer"}},
    ("PUT", "/api/v1/users/{name}/password"): {"json": {"password": PASSWORD}},
    ("POST", "/api/v1/configuration/streams"): {"json": {"name": "porch", "url": "whip:"}},
    ("POST", "/api/v1/configuration/streams/check"): {"json": {"url": "whip:"}},
    ("PUT", "/api/v1/configuration/streams/{name}"): {"json": {"url": "whip:"}},
    ("POST", "/whip/{stream}"): {"content": b"no description", "headers": {"Content-Type": "text/plain"}},
}
"""What httpx sends along, by method and the route's path."""
ASKERS: dict[str, Role] = {"viewer": "viewer", "operator": "operator", "admin": "admin", "half": "viewer"}


def routes_of(app: FastAPI, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Method and path of everything that the application answers; of what is mounted and has no routes, `MOUNT`."""
    for route in iter_route_contexts(app.routes):
        yield from _asked(route.original_route, route.path or "", route.methods, prefix)


def _asked(route: BaseRoute, path: str, methods: set[str] | None, prefix: str) -> Iterator[tuple[str, str]]:
    if isinstance(route, Mount):
        if isinstance(route.app, FastAPI):
            yield from routes_of(route.app, prefix + path)
        elif not route.routes:
            yield "MOUNT", prefix + path
        for inner in route.routes if not isinstance(route.app, FastAPI) else ():
            yield from _asked(inner, getattr(inner, "path", "?"), getattr(inner, "methods", None), prefix + path)
    elif isinstance(route, WebSocketRoute):
        yield "WEBSOCKET", prefix + path
    elif isinstance(route, Route) or methods is not None:
        for method in sorted((methods or {"GET"}) - {"HEAD"}):
            yield method, prefix + path
    else:
        yield "UNKNOWN", prefix + path


class _Nobody:
    """Takes no publisher, and knows none."""

    def publish(self, stream: str, session: str, sdp: str) -> Future[Reply]:
        raise NotImplementedError

    def leave(self, stream: str, session: str) -> Future[Reply]:
        gone: Future[Reply] = Future()
        gone.set_result(Reply(stream, 1, refusal="unknown", reason="there is no such session"))
        return gone


async def asked_by(site: Site, browser: httpx.AsyncClient, method: str, path: str, header: dict[str, str]) -> int:
    sent = dict(SENT.get((method, path), {}))
    sent["headers"] = {**sent.get("headers", {}), **header}
    # Not read to its end: news never ends.
    for name, value in NAMES.items():
        path = path.replace(name, value)
    assert "{" not in path, f"say in NAMES what stands in {path}"
    async with browser.stream(method, path, **sent) as answer:
        return answer.status_code


@pytest.mark.anyio
async def test_every_route_answers_whom_it_should_and_refuses_the_others(tmp_path: Path) -> None:
    calls = {"gate": StreamConfig.model_validate({"name": "gate", "url": "whip:", "token": "a token of its own"})}
    publishing = Publishing(_Nobody(), calls.get, configured=calls.values, locked=True)
    async with (
        acting(tmp_path) as parts,
        served(
            tmp_path,
            actions=parts.actions,
            publishing=publishing,
        ) as site,
    ):
        await parts.store.record(an_alert(1, stream="gate"), [])
        found = set(routes_of(site.app))
        assert not found - set(EXPECTED), "say in EXPECTED who may use these"
        assert not set(EXPECTED) - found, "these are gone; take them out of EXPECTED"
        browser = await site.client()
        headers: dict[str, dict[str, str]] = {"nobody": {}}
        for asker, role in ASKERS.items():
            streams = frozenset({"lobby"}) if asker == "half" else None
            headers[asker] = await site.token(asker, role, streams=streams)
        answers = {
            (method, path): Answers(
                **{asker: await asked_by(site, browser, method, path, header) for asker, header in headers.items()}
            )
            for method, path in sorted(found)
            if method not in {"WEBSOCKET", "MOUNT"}
        }
    assert answers == {key: expected for key, expected in EXPECTED.items() if key in answers}


def test_a_route_that_was_forgotten_is_found_wherever_it_hides() -> None:
    from fastapi import APIRouter, WebSocket
    from fastapi.staticfiles import StaticFiles

    app, inner, router, deeper = FastAPI(openapi_url=None), FastAPI(openapi_url=None), APIRouter(), APIRouter()

    @deeper.get("/deep/{name}")
    async def deep(name: str) -> None: ...

    @inner.put("/mounted")
    async def mounted() -> None: ...

    @app.websocket("/live")
    async def live(socket: WebSocket) -> None: ...

    router.include_router(deeper, prefix="/deeper")
    app.include_router(router, prefix="/router")
    app.mount("/inner", inner)
    app.mount("/files", StaticFiles(directory=Path(__file__).parent))
    assert set(routes_of(app)) == {
        ("GET", "/router/deeper/deep/{name}"),
        ("PUT", "/inner/mounted"),
        ("WEBSOCKET", "/live"),
        ("MOUNT", "/files"),
    }


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ("open", Answers(200, 200, 200, 200, 200)),
        ("operator", Answers(401, 403, 200, 200, 403)),
        ("admin", Answers(401, 403, 403, 200, 403)),
    ],
)
async def test_metrics_are_for_whom_the_configuration_says(tmp_path: Path, metrics: str, expected: Answers) -> None:
    async with served(tmp_path, metrics=metrics) as site:
        browser = await site.client()
        got = {"nobody": (await browser.get("/metrics")).status_code}
        for asker, role in ASKERS.items():
            header = await site.token(asker, role, streams=frozenset({"lobby"}) if asker == "half" else None)
            got[asker] = (await browser.get("/metrics", headers=header)).status_code
    assert Answers(**got) == expected


@pytest.mark.anyio
async def test_readiness_tells_strangers_no_more_than_that(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        browser = await site.client()
        assert (await browser.get("/readyz")).json() == {"ready": True}
        assert (await browser.get("/readyz", headers=await site.token("all"))).json()["streams"] == {
            "lobby": "live",
            "gate": "live",
        }
        half = await site.token("half", streams=frozenset({"lobby"}))
        assert (await browser.get("/readyz", headers=half)).json()["streams"] == {"lobby": "live"}

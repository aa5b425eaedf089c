"""Streams of the configuration: shown, added, edited and removed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Body, Path, Request, Response
from pydantic import Field, WithJsonSchema

from monitor.actions import Actions
from monitor.actions.added_streams import ConfiguredStream
from monitor.stream_check import StreamCheck
from monitor.stream_config import STREAM_NAME, StreamConfig
from monitor.web.api.models import Shape, Time, time
from monitor.web.api.problems import declared
from monitor.web.asking import Asking
from monitor.web.proxies import client_address
from monitor.web.stream_name import StreamName

_SCHEMA = StreamConfig.model_json_schema()
_SCHEMA["description"] = "A stream as in the configuration file; of `url` and `token`, secrets may stand in it."
_CHANGED = {**_SCHEMA, "required": []}

InPath = Annotated[str, Path(pattern=STREAM_NAME, description="Name of a stream.", examples=["porch"])]
# Read by the action, which checks it as the file is checked, whoever it comes from.
Whole = Annotated[dict[str, Any], Body(), WithJsonSchema(_SCHEMA)]
Part = Annotated[dict[str, Any], Body(), WithJsonSchema(_CHANGED)]


class ConfiguredStreamShape(Shape):
    """A stream as it is configured."""

    name: StreamName
    from_: Literal["file", "added"] = Field(alias="from", description="`file`: edit the configuration file.")
    settings: dict[str, Any] = Field(description="The fields of the configuration file, with `***` for secrets.")
    watched: bool
    problem: str | None = Field(description="Why it is not watched.")
    by: str | None = Field(description="Who added or edited it last; null: it is of the file.")
    at: Time | None = Field(description="When; null: it is of the file.")

    @classmethod
    def of(cls, stream: ConfiguredStream) -> Self:
        """The same."""
        return cls.model_validate(
            {
                "name": stream.name,
                "from": stream.origin,
                "settings": dict(stream.settings),
                "watched": stream.watched,
                "problem": stream.problem,
                "by": stream.by,
                "at": None if stream.at is None else time(stream.at),
            }
        )


class ConfiguredStreamsShape(Shape):
    """Every stream: those of the file, then those that were added."""

    items: list[ConfiguredStreamShape]


class StreamCheckShape(Shape):
    """What came of trying a stream."""

    name: StreamName
    ok: bool
    codec: str | None
    width: int | None
    height: int | None
    fps: float | None
    error: str | None = Field(description="Why it cannot be watched.")
    note: str | None

    @classmethod
    def of(cls, found: StreamCheck) -> Self:
        """The same."""
        return cls(**asdict(found))


def added_stream_routes(actions: Actions) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["configuration"], prefix="/configuration/streams")
    does = actions.added_streams

    @router.get("", responses=declared(409), summary="Every stream as it is configured")
    async def streams(asking: Asking) -> ConfiguredStreamsShape:
        return ConfiguredStreamsShape(items=[ConfiguredStreamShape.of(each) for each in await does.all(asking)])

    @router.post("", status_code=201, responses=declared(400, 409, 413), summary="Add a stream")
    async def add(asking: Asking, body: Whole, request: Request, response: Response) -> ConfiguredStreamShape:
        added = await does.add(asking, body, client_address(request.scope))
        response.headers["Location"] = f"/api/v1/configuration/streams/{added.name}"
        return ConfiguredStreamShape.of(added)

    @router.post("/check", responses=declared(400, 409, 413), summary="Try a stream without adding it")
    async def check(asking: Asking, body: Part, request: Request) -> StreamCheckShape:
        return StreamCheckShape.of(await does.check(asking, body, client_address(request.scope)))

    @router.get("/{name}", responses=declared(404, 409), summary="One stream as it is configured")
    async def stream(asking: Asking, name: InPath) -> ConfiguredStreamShape:
        return ConfiguredStreamShape.of(await does.one(asking, name))

    @router.put("/{name}", responses=declared(400, 404, 409, 413), summary="Edit an added stream")
    async def change(asking: Asking, name: InPath, body: Part, request: Request) -> ConfiguredStreamShape:
        return ConfiguredStreamShape.of(await does.change(asking, name, body, client_address(request.scope)))

    @router.delete("/{name}", status_code=204, responses=declared(404, 409), summary="Remove an added stream")
    async def remove(asking: Asking, name: InPath, request: Request) -> Response:
        await does.remove(asking, name, client_address(request.scope))
        return Response(status_code=204)

    return router

"""The service itself, and its adapters."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Self

from fastapi import APIRouter
from pydantic import Field

from monitor.actions import Actions
from monitor.actions.adapters import AdapterView
from monitor.actions.system import System, Versions
from monitor.web.api.models import ModelShape, Sha256, Shape
from monitor.web.api.problems import declared
from monitor.web.asking import Asking


class VersionShape(Shape):
    """What runs."""

    software: str = Field(examples=["0.1.0"])
    api: int = Field(default=1, examples=[1])
    python: str
    platform: str
    libraries: dict[str, str]

    @classmethod
    def of(cls, versions: Versions) -> Self:
        """The same."""
        return cls(**asdict(versions))


class HealthShape(Shape):
    """Whether everything that should run does; as /readyz."""

    ready: bool
    encoder: str = Field(description="`ok`, or why crops cannot be scored.")
    store: str = Field(description="`ok`, or why alerts cannot be kept.")
    mqtt: str = Field(description="`connected` or `disconnected`; alerts wait in the outbox meanwhile.")
    streams: dict[str, str] = Field(description="State of each stream.")
    notify: dict[str, str] = Field(description="`ok`, or why the last delivery failed, of each target.")
    shortages: list[str] = Field(description="What there is too little of; all runs nevertheless.")


class StoreShape(Shape):
    """The outbox."""

    delivered: int = Field(description="Messages that sinks acknowledged since the start.")
    waiting: dict[str, int] = Field(description="Messages not yet delivered, by sink.")
    reserve_held: bool = Field(description="False where the disk is nearly full.")
    oldest: dict[str, datetime] = Field(description="When the message that waits longest was decided, by sink.")


class WorkersShape(Shape):
    """Where streams are analysed."""

    isolation: str
    restarts: dict[str, int] = Field(description="Times that a stream's process had to be replaced.")


class ListenersShape(Shape):
    """Who follows `/events`."""

    subscribers: int
    refused: int = Field(description="Who wanted to while too many did.")
    dropped: int = Field(description="News that a listener was too slow for.")
    waiting: int = Field(description="News that they have not taken yet.")


class UploadsShape(Shape):
    """Files that are sent to be scored."""

    waiting: int = Field(description="Those that wait now, or are scored.")
    done: int
    failed: int
    cancelled: int
    refused: int = Field(description="Those that came while too many waited.")


class SystemShape(Shape):
    """Everything that is not a stream's."""

    versions: VersionShape
    uptime_s: float
    health: HealthShape
    model: ModelShape
    face_detector: str
    notices: list[str] = Field(description="What must be said wherever verdicts are shown.")
    store: StoreShape
    workers: WorkersShape
    listeners: ListenersShape
    uploads: UploadsShape | None = Field(description="Null where nothing may be sent.")

    @classmethod
    def of(cls, system: System) -> Self:
        """The same."""
        return cls(
            versions=VersionShape.of(system.versions),
            uptime_s=round(system.uptime_s, 3),
            health=HealthShape(**asdict(system.health)),
            model=ModelShape(**asdict(system.model)),
            face_detector=system.face_detector,
            notices=list(system.notices),
            store=StoreShape(
                delivered=system.store.delivered,
                waiting=dict(system.store.waiting),
                reserve_held=system.store.reserve_held,
                oldest=dict(system.store.oldest),
            ),
            workers=WorkersShape(**asdict(system.workers)),
            listeners=ListenersShape(**asdict(system.listeners)),
            uploads=None if system.uploads is None else UploadsShape(**asdict(system.uploads)),
        )


class AdapterShape(Shape):
    """A fine-tune that is loaded."""

    name: str
    sha256: Sha256
    streams: list[str] = Field(description="Those that it judges.")


class AdaptersShape(Shape):
    """Every fine-tune that is loaded."""

    items: list[AdapterShape]

    @classmethod
    def of(cls, adapters: list[AdapterView]) -> Self:
        """The same."""
        return cls(
            items=[AdapterShape(name=each.name, sha256=each.sha256, streams=list(each.streams)) for each in adapters]
        )


class ChangesShape(Shape):
    """What was done to take the configuration file over."""

    begun: list[str] = Field(description="Streams that begin anew.")
    gone: list[str] = Field(description="Streams that are watched no more.")
    waiting: list[str] = Field(description="Fields that wait for a restart.")


def system_routes(actions: Actions) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["system"])

    @router.get("/version", responses=declared(), summary="What runs")
    async def version(asking: Asking) -> VersionShape:
        return VersionShape.of(actions.system.versions(asking))

    @router.get("/system", responses=declared(), summary="Whether all of it works")
    async def system(asking: Asking) -> SystemShape:
        return SystemShape.of(actions.system.show(asking))

    @router.get("/adapters", responses=declared(), summary="The fine-tunes that are loaded")
    async def adapters(asking: Asking) -> AdaptersShape:
        return AdaptersShape.of(actions.adapters.all(asking))

    @router.post(
        "/configuration/reload", responses=declared(409), summary="Take over the configuration file, as SIGHUP does"
    )
    async def reload(asking: Asking) -> ChangesShape:
        done = await actions.configuration.reload(asking)
        return ChangesShape(
            begun=[stream.name for stream in done.begun], gone=list(done.gone), waiting=list(done.waiting)
        )

    return router

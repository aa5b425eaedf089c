"""Streams, what is promised of them, and how they are snoozed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from fastapi import APIRouter, Path, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from monitor.actions import Actions
from monitor.actions.promises import StreamPromise
from monitor.actions.streams import StreamView
from monitor.moments import MOST_SNOOZE_DAYS
from monitor.stream_config import STREAM_NAME
from monitor.web.api.models import Shape, StatusShape, Time, VerdictShape, time
from monitor.web.api.problems import declared
from monitor.web.asking import Asking
from monitor.web.moments import utc
from monitor.web.stream_name import StreamName

InPath = Annotated[str, Path(pattern=STREAM_NAME, description="Name of a configured stream.", examples=["lobby"])]


class CalibrationMadeShape(Shape):
    """The file that a stream is calibrated by."""

    sha256: str
    made: Time
    software: str
    sessions: int = Field(description="Recordings of real people that it was made of.")
    session_hours: float


class DriftShape(Shape):
    """Whether a stream's scores still fit its calibration."""

    compared: bool = Field(description="False where nobody can tell.")
    text: str | None = Field(description="What no longer fits; null while all does.")


class PromiseShape(Shape):
    """How many false alarms a stream may raise."""

    stream: str
    false_alarms_target_per_stream_day: float
    false_alarms_promised_per_stream_day: float | None = Field(description="Null when nobody has measured them.")
    calibrated: bool = Field(description="True only if no more is promised than is asked for.")
    threshold: float = Field(description="Evidence that raises an alert.")
    missing_hours: float | None = Field(description="Of real footage until what is asked for can be promised.")
    summary: str = Field(examples=["calibrated: false; nobody has measured the false alarms of this stream"])
    calibration: CalibrationMadeShape | None
    drift: DriftShape

    @classmethod
    def of(cls, promise: StreamPromise) -> Self:
        """The same."""
        made = promise.calibration
        return cls(
            stream=promise.stream,
            false_alarms_target_per_stream_day=promise.target_per_day,
            false_alarms_promised_per_stream_day=promise.promised_per_day,
            calibrated=promise.calibrated,
            threshold=promise.threshold,
            missing_hours=promise.missing_hours,
            summary=promise.summary,
            calibration=None
            if made is None
            else CalibrationMadeShape(
                sha256=made.sha256,
                made=time(made.made),
                software=made.software,
                sessions=made.sessions,
                session_hours=made.session_hours,
            ),
            drift=DriftShape(compared=promise.drift.compared, text=promise.drift.text),
        )


class FiguresShape(Shape):
    """What was counted of a stream since the start: the metrics of /metrics, without `gend_` and `_total`."""

    values: dict[str, float] = Field(examples=[{"frames": 1500, "analysed_frames": 300, "tracks_begun": 2}])
    by_cause: dict[str, dict[str, float]] = Field(examples=[{"frames_dropped": {"superseded": 12}}])


class AdapterOfStreamShape(Shape):
    """The fine-tune that judges a stream."""

    name: str
    sha256: str | None


class StreamShape(Shape):
    """A configured stream, or a call of one."""

    name: StreamName
    url: str = Field(description="Without credentials.", examples=["rtsp://***@camera.example/main"])
    status: StatusShape
    alerting: bool = Field(description="Whether an alert stands on it.")
    promise: PromiseShape
    adapter: AdapterOfStreamShape | None = Field(description="Null: the encoder as it is.")
    figures: FiguresShape
    call_of: str | None = Field(description="The configured stream that it is a call of; null: it is none.")
    calls: int | None = Field(description="How many are on; null where it takes none.")

    @classmethod
    def of(cls, view: StreamView) -> Self:
        """The same."""
        adapter = None if view.adapter is None else AdapterOfStreamShape(name=view.adapter, sha256=view.adapter_sha256)
        return cls(
            name=view.name,
            url=view.url,
            status=StatusShape.of(view.status),
            alerting=view.alerting,
            promise=PromiseShape.of(view.promise),
            adapter=adapter,
            figures=FiguresShape(
                values=dict(view.figures.values),
                by_cause={name: dict(counts) for name, counts in view.figures.by_cause.items()},
            ),
            call_of=view.call_of,
            calls=view.calls,
        )


class StreamsShape(Shape):
    """Every stream."""

    items: list[StreamShape]


class CallShape(Shape):
    """A call that waits for its publisher."""

    name: str = Field(description="Of its stream.", examples=["call-u3ckx5mrgqe4zmq2nnbvszta"])
    call_of: str = Field(description="The configured stream by whose settings it is judged.")
    whip_url: str = Field(description="Where it is published to.", examples=["/whip/call-u3ckx5mrgqe4zmq2nnbvszta"])
    token: str = Field(description="Bearer token by which it is published; it is for this call, and is told once.")
    unused_s: float = Field(description="Seconds within which somebody must publish.")


class VerdictsShape(Shape):
    """What is held of each face that is followed now."""

    items: list[VerdictShape]


class PromisesShape(Shape):
    """What is promised of each stream."""

    items: list[PromiseShape]


class SnoozeRequest(BaseModel):
    """For how long a stream's alerts shall call nobody; one of the two."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"for_s": 7200}]})

    for_s: int | None = Field(default=None, ge=1, le=MOST_SNOOZE_DAYS * 86400, description="Seconds from now.")
    until: AwareDatetime | None = Field(
        default=None, description=f"A moment with its zone, {MOST_SNOOZE_DAYS} days from now at the most."
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.for_s is None) == (self.until is None):
            raise ValueError("give one of for_s and until")
        return self

    def moment(self) -> datetime:
        """When it ends."""
        if self.until is not None:
            return utc(self.until, "body.until")
        return datetime.now(UTC) + timedelta(seconds=self.for_s or 0)


class SnoozeShape(Shape):
    """A snooze that holds."""

    stream: str
    snoozed_until: Time


def stream_routes(actions: Actions) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["streams"])

    @router.get("/streams", responses=declared(), summary="Every stream")
    async def streams(asking: Asking) -> StreamsShape:
        return StreamsShape(items=[StreamShape.of(view) for view in await actions.streams.all(asking)])

    @router.get("/streams/{stream}", responses=declared(404), summary="One stream")
    async def stream(asking: Asking, stream: InPath) -> StreamShape:
        return StreamShape.of(await actions.streams.one(asking, stream))

    @router.get("/streams/{stream}/verdicts", responses=declared(404), summary="What is held of its faces now")
    async def verdicts(asking: Asking, stream: InPath) -> VerdictsShape:
        return VerdictsShape(items=[VerdictShape.of(held) for held in actions.live.verdicts(asking, stream)])

    @router.post(
        "/streams/{stream}/calls", responses=declared(404, 409), summary="Begin a call of one's own", status_code=201
    )
    async def call(asking: Asking, stream: InPath, request: Request) -> CallShape:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        begun = await actions.calls.begin(asking, stream, token.strip() if scheme.lower() == "bearer" else None)
        return CallShape(
            name=begun.name,
            call_of=begun.call_of,
            whip_url=f"/whip/{begun.name}",
            token=begun.token,
            unused_s=begun.unused_s,
        )

    @router.post("/streams/{stream}/snooze", responses=declared(400, 404, 413), summary="Let its alerts call nobody")
    async def snooze(asking: Asking, stream: InPath, body: SnoozeRequest) -> SnoozeShape:
        until = await actions.snoozes.begin(asking, stream, body.moment())
        return SnoozeShape(stream=stream, snoozed_until=time(until))

    @router.delete("/streams/{stream}/snooze", responses=declared(404), summary="End its snooze", status_code=204)
    async def wake(asking: Asking, stream: InPath) -> Response:
        await actions.snoozes.end(asking, stream)
        return Response(status_code=204)

    @router.get("/calibrations", responses=declared(), summary="What is promised of every stream")
    async def calibrations(asking: Asking) -> PromisesShape:
        return PromisesShape(items=[PromiseShape.of(promise) for promise in await actions.calibrations.all(asking)])

    @router.get("/calibrations/{stream}", responses=declared(404), summary="What is promised of one stream")
    async def calibration(asking: Asking, stream: InPath) -> PromiseShape:
        return PromiseShape.of(await actions.calibrations.one(asking, stream))

    return router

"""Pictures and videos to be scored: sent, followed, read, taken back."""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import APIRouter, File, Form, Path, Response, UploadFile
from pydantic import Field

from monitor.actions import Actions, RefusedError
from monitor.uploads import Job, JobState, Wish
from monitor.web.api.models import Shape, Time, time
from monitor.web.api.problems import declared
from monitor.web.asking import Asking

JobId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="`id` of the job.")]


class FaceScoreShape(Shape):
    """One face in one frame."""

    frame: int
    at_s: float
    track: int
    box: tuple[float, float, float, float] = Field(description="x0, y0, x1, y1 in pixels.")
    confidence: float
    logit: float
    p_fake: float


class TrackScoreShape(Shape):
    """One face over the frames of a file."""

    id: int
    frames: int
    mean: float = Field(description="Of p(fake).")
    median: float
    first_s: float
    last_s: float


class FileScoreShape(Shape):
    """What came of a file: as `gend score --json --details`."""

    path: str | None = Field(description="The file's name.")
    frames: int
    faces: int
    mean: float | None = Field(description="Of p(fake) over all faces.")
    median: float | None
    tracks: list[TrackScoreShape]
    left_out: int = Field(description="Faces too small, or turned away too far.")
    details: list[FaceScoreShape] = Field(description="Every face of every frame that was looked at.")


class JobShape(Shape):
    """A file that was sent to be scored."""

    id: str
    owner: str
    file: str
    submitted_at: Time
    state: JobState
    frames_done: int
    frames_due: int = Field(description="0 while nobody knows.")
    error: str | None

    @classmethod
    def of(cls, job: Job) -> Self:
        """The same."""
        return cls.model_validate(_fields(job))


class WholeJobShape(JobShape):
    """The same with what came of it."""

    result: FileScoreShape | None

    @classmethod
    def of(cls, job: Job) -> Self:
        """The same."""
        return cls.model_validate({**_fields(job), "result": job.result})


class JobsShape(Shape):
    """Files that were sent, the newest first."""

    items: list[JobShape]


def score_routes(actions: Actions) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["scores"])

    @router.post(
        "/scores", responses=declared(400, 409, 413), summary="Send a picture or a video to be scored", status_code=202
    )
    async def submit(
        asking: Asking,
        response: Response,
        file: Annotated[UploadFile, File(description="The picture or video.")],
        *,
        frames: Annotated[int | None, Form(ge=1, le=10_000, description="So many, spread evenly; 32.")] = None,
        stride: Annotated[int | None, Form(ge=1, le=100_000, description="Every so many-th frame instead.")] = None,
        largest: Annotated[bool, Form(description="The largest face of each frame alone.")] = False,
        min_face_px: Annotated[int, Form(ge=1, le=10_000, description="Leave out narrower faces.")] = 30,
    ) -> JobShape:
        if frames is not None and stride is not None:
            raise RefusedError("body.stride", "give one of frames and stride")
        name = (file.filename or "").replace("\\", "/").rpartition("/")[2][:200] or "file"
        job = await actions.scores.submit(asking, name, file.file, Wish(frames, stride, largest, min_face_px))
        response.headers["Location"] = f"/api/v1/scores/{job.id}"
        return JobShape.of(job)

    @router.get("/scores", responses=declared(), summary="What was sent")
    async def jobs(asking: Asking) -> JobsShape:
        return JobsShape(items=[JobShape.of(job) for job in actions.scores.all(asking)])

    @router.get("/scores/{job_id}", responses=declared(404), summary="How far it is, and what came of it")
    async def job(asking: Asking, job_id: JobId) -> WholeJobShape:
        return WholeJobShape.of(actions.scores.one(asking, job_id))

    @router.delete("/scores/{job_id}", responses=declared(404), summary="End it and forget it", status_code=204)
    async def cancel(asking: Asking, job_id: JobId) -> Response:
        await actions.scores.cancel(asking, job_id)
        return Response(status_code=204)

    return router


def _fields(job: Job) -> dict[str, object]:
    return {
        "id": job.id,
        "owner": job.owner,
        "file": job.file,
        "submitted_at": time(job.submitted_at),
        "state": job.state,
        "frames_done": job.done,
        "frames_due": job.due,
        "error": job.error,
    }

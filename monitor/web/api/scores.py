"""Pictures and videos to be scored: sent, followed, read, taken back."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import PurePath
from typing import Annotated, Any, Self
from urllib.parse import quote

from fastapi import APIRouter, File, Form, Path, Response, UploadFile
from fastapi.responses import FileResponse
from pydantic import Field

from monitor.actions import Actions, NotFoundError, RefusedError
from monitor.uploads import Job, JobState, Wish
from monitor.web.api.models import Shape, Time, time
from monitor.web.api.problems import declared
from monitor.web.api.score_table import as_csv
from monitor.web.asking import Asking

_BYTES: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}


def _file(what: str, *kinds: str) -> dict[int | str, dict[str, Any]]:
    # What a part of a file is, and that there is no such part, Starlette tells by itself.
    return {
        200: {"description": what, "content": dict.fromkeys(kinds, _BYTES)},
        206: {"description": "The part of it that `Range` asks for."},
        416: {"description": "It has no such part.", "content": {"text/plain": {"schema": {"type": "string"}}}},
    }


_ANNOTATED = _file("The copy.", "image/png", "video/mp4")
_PICTURE = _file("A JPEG.", "image/jpeg")
_CSV: dict[int | str, dict[str, Any]] = {
    200: {"description": "The table.", "content": {"text/csv": {"schema": {"type": "string"}}}}
}

JobId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="`id` of the job.")]


Frame = Annotated[int, Path(ge=0, le=2**31, description="Number of the frame: one of `pictures`.")]


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


class PictureShape(Shape):
    """A frame of which a small picture is kept: `/scores/{id}/pictures/{frame}`."""

    frame: int
    at_s: float
    width: int = Field(description="Of the frame, in pixels; boxes are in these, whatever the picture has.")
    height: int


class JobShape(Shape):
    """A file that was sent to be scored."""

    id: str
    owner: str
    file: str
    adapter: str | None = Field(description="The fine-tune that judges; null: the encoder as it is.")
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
    pictures: list[PictureShape] = Field(description="Some frames, and the one that looks most fake.")
    annotated: bool = Field(description="Whether there is a copy with each face marked: `/scores/{id}/annotated`.")

    @classmethod
    def of(cls, job: Job) -> Self:
        """The same."""
        pictures = [PictureShape(**asdict(picture)) for picture in job.pictures]
        more = {"result": job.result, "pictures": pictures, "annotated": job.annotated is not None}
        return cls.model_validate({**_fields(job), **more})


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
        per_second: Annotated[
            float | None, Form(ge=0.01, le=1000, description="About so many frames of a second instead.")
        ] = None,
        largest: Annotated[bool, Form(description="The largest face of each frame alone.")] = False,
        most_faces: Annotated[
            int | None, Form(ge=1, le=1000, description="So many faces of each frame at the most, the largest.")
        ] = None,
        min_face_px: Annotated[int, Form(ge=1, le=10_000, description="Leave out narrower faces.")] = 30,
        adapter: Annotated[
            str | None, Form(max_length=63, description="The fine-tune that judges: a name of `/adapters`.")
        ] = None,
        annotate: Annotated[
            bool, Form(description="Make a copy with each face marked, of a video with all of its frames.")
        ] = False,
    ) -> JobShape:
        given = [value is not None for value in (frames, stride, per_second)]
        if sum(given) > 1:
            field = "per_second" if given[2] else "stride"
            raise RefusedError(f"body.{field}", "give one of frames, stride and per_second")
        wish = Wish(
            frames,
            stride,
            per_second,
            largest=largest,
            most_faces=most_faces,
            min_face_px=min_face_px,
            adapter=adapter,
            annotate=annotate,
        )
        name = (file.filename or "").replace("\\", "/").rpartition("/")[2][:200] or "file"
        job = await actions.scores.submit(asking, name, file.file, wish)
        response.headers["Location"] = f"/api/v1/scores/{job.id}"
        return JobShape.of(job)

    @router.get("/scores", responses=declared(), summary="What was sent")
    async def jobs(asking: Asking) -> JobsShape:
        return JobsShape(items=[JobShape.of(job) for job in actions.scores.all(asking)])

    @router.get("/scores/{job_id}", responses=declared(404), summary="How far it is, and what came of it")
    async def job(asking: Asking, job_id: JobId) -> WholeJobShape:
        return WholeJobShape.of(actions.scores.one(asking, job_id))

    @router.get(
        "/scores/{job_id}/result.json", responses=declared(404), summary="What came of it alone, as a file to keep"
    )
    async def result(asking: Asking, job_id: JobId) -> FileScoreShape:
        name, told = _told(actions.scores.one(asking, job_id))
        # As it is: of a long video to check and to write it anew takes a second, in which nobody is served.
        content = await asyncio.to_thread(json.dumps, told, indent=2)
        return Response(content, media_type="application/json", headers=_kept_as(f"{name}.json"))  # type: ignore[return-value]

    @router.get(
        "/scores/{job_id}/faces.csv",
        responses={**declared(404), **_CSV},
        response_class=Response,
        summary="Every face of every frame, as a table",
    )
    async def faces(asking: Asking, job_id: JobId) -> Response:
        name, told = _told(actions.scores.one(asking, job_id))
        content = await asyncio.to_thread(as_csv, told)
        return Response(content, media_type="text/csv", headers=_kept_as(f"{name}.csv"))

    @router.get(
        "/scores/{job_id}/annotated",
        responses={**declared(404), **_ANNOTATED},
        response_class=Response,
        summary="The copy with each face marked",
    )
    async def annotated(asking: Asking, job_id: JobId) -> Response:
        path = actions.scores.annotated(asking, job_id)
        name = PurePath(actions.scores.one(asking, job_id).file).stem
        media_type = "video/mp4" if path.suffix == ".mp4" else "image/png"
        return FileResponse(path, media_type=media_type, filename=f"{name}-annotated{path.suffix}")

    @router.get(
        "/scores/{job_id}/pictures/{frame}",
        responses={**declared(404), **_PICTURE},
        response_class=Response,
        summary="A frame of it, small",
    )
    async def picture(asking: Asking, job_id: JobId, frame: Frame) -> Response:
        return FileResponse(actions.scores.picture(asking, job_id, frame), media_type="image/jpeg")

    @router.delete("/scores/{job_id}", responses=declared(404), summary="End it and forget it", status_code=204)
    async def cancel(asking: Asking, job_id: JobId) -> Response:
        await actions.scores.cancel(asking, job_id)
        return Response(status_code=204)

    return router


def _told(job: Job) -> tuple[str, dict[str, Any]]:
    """What its files are called, and what came of it."""
    if job.result is None:
        raise NotFoundError(f"job {job.id} has no result: {job.error or job.state}")
    return PurePath(job.file).stem, job.result


def _kept_as(name: str) -> dict[str, str]:
    return {"Content-Disposition": f"attachment; filename*=utf-8''{quote(name, safe='')}"}


def _fields(job: Job) -> dict[str, object]:
    return {
        "id": job.id,
        "owner": job.owner,
        "file": job.file,
        "adapter": job.wish.adapter,
        "submitted_at": time(job.submitted_at),
        "state": job.state,
        "frames_done": job.done,
        "frames_due": job.due,
        "error": job.error,
    }

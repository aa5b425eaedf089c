"""Files that are sent to be scored, by the real process and the demo encoder."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from gend.adapter import cut_adapter
from gend.checkpoint import load_checkpoint
from gend.video import Video
from monitor.config import MonitorConfig
from monitor.demo.clip import make_clip
from monitor.uploads import Job, Judge, ScoreJobs, Wish, taking_uploads
from monitor.uploads.jobs import TooManyError
from tests.processes import gone
from tests.waiting import PATIENCE_S

_PATIENCE_S = 5 * PATIENCE_S
"""The process that scores an upload goes after all others, and beside them may take a minute for seconds of work."""

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("clip") / "call.mp4"
    make_clip(path, seconds=6, manipulated_from_s=0, names=["astronaut"])
    return path.read_bytes()


@asynccontextmanager
async def taking() -> AsyncIterator[ScoreJobs]:
    config = MonitorConfig.model_validate(
        {"streams": [{"name": "a", "url": "file:a.mp4"}], "encoder": {"weights": "demo"}}
    )
    async with taking_uploads(config, "auto") as jobs:
        assert jobs is not None
        yield jobs


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.02)


def now(jobs: ScoreJobs, job: Job) -> Job:
    found = jobs.job(job.id)
    assert found is not None
    return found


def files(jobs: ScoreJobs) -> list[Path]:
    """What was sent."""
    # Not by rglob, which fails where a folder is just removed.
    walked = [] if jobs._folder is None else os.walk(jobs._folder)
    return [Path(root, "upload") for root, _, names in walked if "upload" in names]


async def test_video_is_scored_with_every_face_and_removed(clip: bytes) -> None:
    async with taking() as jobs:
        job = await jobs.submit("anna", "call.mp4", io.BytesIO(clip), Wish(frames=8))
        await until(lambda: now(jobs, job).over)
        done = now(jobs, job)
        await until(lambda: not files(jobs))
        folder = jobs._folder
    assert (done.state, done.error, done.done, done.due) == ("done", None, 8, 8)
    assert done.result is not None
    assert (done.result["path"], done.result["frames"], len(done.result["tracks"])) == ("call.mp4", 8, 1)
    assert done.result["mean"] > 0.5
    assert [face["frame"] for face in done.result["details"]] == sorted(
        face["frame"] for face in done.result["details"]
    )
    assert folder is not None
    assert not folder.exists()


async def test_pictures_and_an_annotated_copy_stay_as_long_as_the_job_is_known(tmp_path: Path, clip: bytes) -> None:
    sent = tmp_path / "call.mp4"
    sent.write_bytes(clip)
    async with taking() as jobs:
        wish = Wish(per_second=5, annotate=True, most_faces=1)
        job = await jobs.submit("anna", "call.mp4", io.BytesIO(clip), wish)
        await until(lambda: now(jobs, job).over)
        done = now(jobs, job)
        await until(lambda: not files(jobs))
        assert (done.state, done.error, done.annotated) == ("done", None, "annotated.mp4")
        assert done.result is not None
        assert done.result["frames"] == done.done == done.due == 30
        looked_at = {face["frame"] for face in done.result["details"]}
        assert 6 <= len(done.pictures) <= 13
        assert {picture.frame for picture in done.pictures} <= looked_at
        highest = max(done.result["details"], key=lambda face: face["p_fake"])
        assert highest["frame"] in {picture.frame for picture in done.pictures}
        for picture in done.pictures:
            path = jobs.picture(job.id, picture.frame)
            assert path is not None
            with Image.open(path) as shown:
                assert (shown.format, shown.width * picture.height) == ("JPEG", shown.height * picture.width)
        copy = jobs.annotated(job.id)
        assert copy is not None
        assert Video(copy).frames_stored == Video(sent).frames_stored
        assert jobs.picture(job.id, 1) is None, "it was not looked at"
        assert jobs._folder is not None
        assert {path.name for path in (jobs._folder / job.id).iterdir()} == {
            "annotated.mp4",
            *(f"{picture.frame}.jpg" for picture in done.pictures),
        }
        await jobs.cancel(job.id)
        assert list(jobs._folder.iterdir()) == []
        assert jobs.statistics().cancelled == 0, "it was over before"


async def test_copies_beyond_their_share_go_the_oldest_first() -> None:
    async with working(copies_bytes=1) as jobs:
        one, two = [await jobs.submit("anna", name, a_picture(), Wish(annotate=True)) for name in ("1.jpg", "2.jpg")]
        await until(lambda: now(jobs, two).over and now(jobs, one).annotated is None)
        assert (now(jobs, one).state, now(jobs, two).annotated) == ("done", "annotated.png")
        assert jobs.annotated(one.id) is None
        left = jobs.annotated(two.id)
        assert left is not None
        assert left.exists()
        assert len(now(jobs, one).pictures) == 1, "without a face it is shown all the same"


@pytest.fixture
def trusting(tmp_path: Path) -> Path:
    """A fine-tune that takes everything for real."""
    own = cut_adapter(load_checkpoint("demo").model)
    replace(own, head_bias=own.head_bias + np.array([50, -50], np.float32)).save(tmp_path / "trusting.safetensors")
    return tmp_path / "trusting.safetensors"


async def test_chosen_adapter_judges_and_one_that_is_gone_is_told(trusting: Path, clip: bytes) -> None:
    configured = {"trusting": str(trusting)}
    async with working(adapters=lambda: configured) as jobs:
        assert jobs.adapters == ("trusting",)
        plain = await jobs.submit("anna", "call.mp4", io.BytesIO(clip), Wish(frames=2))
        tuned = await jobs.submit("anna", "call.mp4", io.BytesIO(clip), Wish(frames=2, adapter="trusting"))
        await until(lambda: now(jobs, tuned).over)
        configured.clear()
        gone = await jobs.submit("anna", "call.mp4", io.BytesIO(clip), Wish(frames=2, adapter="trusting"))
        await until(lambda: now(jobs, gone).over)
        judged, trusted = now(jobs, plain).result, now(jobs, tuned).result
        assert judged is not None
        assert trusted is not None
        assert judged["mean"] > 0.5
        assert trusted["mean"] < 1e-6
        assert now(jobs, gone).error == "there is no adapter trusting any more"


def a_picture() -> io.BytesIO:
    """One without a face."""
    content = io.BytesIO()
    Image.new("RGB", (300, 200)).save(content, "JPEG")
    content.seek(0)
    return content


def new_jobs(**options: Any) -> ScoreJobs:
    return ScoreJobs(
        Judge(
            weights="demo", engine="auto", precision="auto", device="auto", max_logit_drift=0.1, face_detector="auto"
        ),
        **options,
    )


@asynccontextmanager
async def working(**options: Any) -> AsyncIterator[ScoreJobs]:
    jobs = new_jobs(**options)
    task = asyncio.create_task(jobs.run())
    try:
        yield jobs
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await jobs.aclose()


BAD = {
    b"neither": "cannot read it as a picture or video: Invalid data found when processing input",
    b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n": "neither a picture nor a video, but a list of others",
    b"ffconcat version 1.0\nfile /etc/passwd\n": "neither a picture nor a video, but a list of others",
    b"\0\0\0\x18ftypheic" + bytes(100): "HEIF pictures are not supported; convert it to JPEG or PNG",
    b"": "cannot read it as a picture or video: Invalid data found when processing input",
}


async def test_what_is_no_video_fails_and_says_so() -> None:
    async with taking() as jobs:
        sent = [await jobs.submit("anna", "bad.mp4", io.BytesIO(content), Wish()) for content in BAD]
        await until(lambda: all(now(jobs, job).over for job in sent))
        assert [now(jobs, job).state for job in sent] == ["failed"] * len(BAD)
        assert [now(jobs, job).error for job in sent] == list(BAD.values())
        await until(lambda: not files(jobs))


async def test_the_first_two_at_once_are_kept_in_one_folder(clip: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    make, made = tempfile.mkdtemp, list[str]()

    def slowly(**options: str) -> str:
        time.sleep(0.2)
        made.append(make(**options))
        return made[-1]

    monkeypatch.setattr("monitor.uploads.jobs.tempfile.mkdtemp", slowly)
    async with taking() as jobs:
        sent = [jobs.submit("anna", "call.mp4", io.BytesIO(clip), Wish(frames=1)) for _ in range(2)]
        for job in await asyncio.gather(*sent):
            await jobs.cancel(job.id)
    assert len(made) == 1
    assert not Path(made[0]).exists()


async def test_a_process_that_is_just_made_for_what_is_cancelled_is_ended(
    clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, begun, cancelled = asyncio.create_subprocess_exec, asyncio.Event(), asyncio.Event()
    made: list[asyncio.subprocess.Process] = []

    async def late(*command: str, **options: Any) -> asyncio.subprocess.Process:
        begun.set()
        await cancelled.wait()
        made.append(await make(*command, **options))
        return made[-1]

    monkeypatch.setattr("monitor.uploads.jobs.asyncio.create_subprocess_exec", late)
    async with taking() as jobs:
        job = await jobs.submit("anna", "call.mp4", io.BytesIO(clip), Wish(frames=1))
        await begun.wait()
        await jobs.cancel(job.id)
        cancelled.set()
        await until(lambda: made and made[0].returncode is not None)
    assert made[0].returncode == -signal.SIGKILL


async def test_no_more_wait_than_may_and_what_is_cancelled_makes_room(clip: bytes) -> None:
    async with taking() as jobs:
        sent = [await jobs.submit("anna", f"{n}.mp4", io.BytesIO(clip), Wish(stride=1)) for n in range(8)]
        with pytest.raises(TooManyError, match="8 files wait already"):
            await jobs.submit("anna", "9.mp4", io.BytesIO(clip), Wish())
        await until(lambda: now(jobs, sent[0]).state == "running" and jobs._process is not None)
        assert jobs._process is not None
        process = psutil.Process(jobs._process.pid)
        for job in sent:
            await jobs.cancel(job.id)
        await until(lambda: gone(process))
        await until(lambda: not files(jobs))
        assert jobs.jobs() == []
        await until(lambda: jobs._folder is not None and not list(jobs._folder.iterdir()))
        assert jobs.statistics().cancelled == 8
        again = await jobs.submit("anna", "again.mp4", io.BytesIO(b"no"), Wish())
        await until(lambda: now(jobs, again).over)


async def test_process_that_dies_costs_its_file_alone(clip: bytes) -> None:
    async with taking() as jobs:
        job = await jobs.submit("anna", "call.mp4", io.BytesIO(clip), Wish(stride=1))
        await until(lambda: jobs._process is not None)
        assert jobs._process is not None
        jobs._process.kill()
        await until(lambda: now(jobs, job).over)
        assert now(jobs, job).error == "its process has ended over it"


async def test_end_of_the_service_ends_the_process(clip: bytes) -> None:
    jobs = new_jobs()
    running = asyncio.create_task(jobs.run())
    await jobs.submit("anna", "call.mp4", io.BytesIO(clip), Wish(stride=1))
    await until(lambda: jobs._process is not None)
    process = jobs._process
    assert process is not None
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert process.returncode == -signal.SIGKILL  # it was waited for: nothing of it is left to a loop that ends now
    await jobs.aclose()

"""Files that are sent to be scored, by the real process and the demo encoder."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from monitor.config import MonitorConfig
from monitor.demo.clip import make_clip
from monitor.uploads import Job, ScoreJobs, Wish, taking_uploads
from monitor.uploads.jobs import TooManyError
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.anyio


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
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.02)


def now(jobs: ScoreJobs, job: Job) -> Job:
    found = jobs.job(job.id)
    assert found is not None
    return found


def files(jobs: ScoreJobs) -> list[Path]:
    return [] if jobs._folder is None else list(jobs._folder.iterdir())


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


BAD = {
    b"neither": "cannot read it as a picture or video: Invalid data found when processing input",
    b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n": "neither a picture nor a video, but a list of others",
    b"ffconcat version 1.0\nfile /etc/passwd\n": "neither a picture nor a video, but a list of others",
    b"": "cannot read it as a picture or video: Invalid data found when processing input",
}


async def test_what_is_no_video_fails_and_says_so() -> None:
    async with taking() as jobs:
        sent = [await jobs.submit("anna", "bad.mp4", io.BytesIO(content), Wish()) for content in BAD]
        await until(lambda: all(now(jobs, job).over for job in sent))
        assert [now(jobs, job).state for job in sent] == ["failed"] * len(BAD)
        assert [now(jobs, job).error for job in sent] == list(BAD.values())
        await until(lambda: not files(jobs))


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
        await until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
        await until(lambda: not files(jobs))
        assert jobs.jobs() == []
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
    async with taking() as jobs:
        await jobs.submit("anna", "call.mp4", io.BytesIO(clip), Wish(stride=1))
        await until(lambda: jobs._process is not None)
        assert jobs._process is not None
        process = psutil.Process(jobs._process.pid)
    await until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)

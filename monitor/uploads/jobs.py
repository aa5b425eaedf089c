"""The queue of files that wait to be scored, and the one that is; each file is removed as soon as it is over.

What was made of it, some frames and the annotated copy, stays as long as its job is known.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import sys
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from pydantic import TypeAdapter, ValidationError

from gend.tally import FileScore
from monitor.errors import MonitorError
from monitor.uploads.job import Job, JobState, Wish
from monitor.uploads.task import UPLOAD, Judge, Said, Task, picture_name

_log = logging.getLogger("monitor.uploads")

_WAITING = 8
_KEPT = 50
"""Jobs that are over and can still be asked for."""
_COPIES_BYTES = 2_000_000_000
"""Annotated copies, all together; the oldest go first. The newest stays, whatever it has."""
_LONGEST_S = 3600.0
_LINE_BYTES = 64_000_000
"""Of the result, which has a line of its own: of 100,000 faces about 20 MB."""
_RESULT = TypeAdapter(FileScore)


class TooManyError(MonitorError):
    """As many wait as may."""


@dataclass(frozen=True, slots=True)
class UploadStatistics:
    """A snapshot: of what waits or runs now, and counts since the start."""

    waiting: int
    done: int
    failed: int
    cancelled: int
    refused: int


class ScoreJobs:
    """Scores files one after the other, each in a process that gives way to everything else.

    Belongs to the event loop. `run` it, and call `aclose` at the end.

    Args:
        judge: by what.
        adapters: files of the fine-tunes that may be chosen, by name; asked for each time.
        most_waiting: files that wait or are scored at the most.
        longest_s: a file that takes longer is given up.
        copies_bytes: annotated copies that are kept, all together.
    """

    def __init__(
        self,
        judge: Judge,
        *,
        adapters: Callable[[], Mapping[str, str]] = dict,
        most_waiting: int = _WAITING,
        longest_s: float = _LONGEST_S,
        copies_bytes: int = _COPIES_BYTES,
    ) -> None:
        self._judge = judge
        self._adapters = adapters
        self._copies_bytes = copies_bytes
        self._most = most_waiting
        self._longest_s = longest_s
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._folder: Path | None = None
        self._making = threading.Lock()  # so that of two first uploads at once one makes it
        self._changed = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._refused = 0
        self._counts = {"done": 0, "failed": 0, "cancelled": 0}
        self._claimed = 0

    @property
    def adapters(self) -> tuple[str, ...]:
        """Names of the fine-tunes that may be chosen now."""
        return tuple(self._adapters())

    def jobs(self) -> list[Job]:
        """All that are known, the newest first."""
        return list(reversed(self._jobs.values()))

    def job(self, job_id: str) -> Job | None:
        """One of them; None where it is not known, or not any more."""
        return self._jobs.get(job_id)

    def annotated(self, job_id: str) -> Path | None:
        """The copy of a job's file in which each face is marked; None where there is none, or not any more."""
        job = self._jobs.get(job_id)
        return None if job is None or job.annotated is None else self._path(job_id) / job.annotated

    def picture(self, job_id: str, frame: int) -> Path | None:
        """A frame that was kept of a job's file, a JPEG; None where it was not."""
        job = self._jobs.get(job_id)
        if job is None or all(picture.frame != frame for picture in job.pictures):
            return None
        return self._path(job_id) / picture_name(frame)

    async def submit(self, owner: str, name: str, content: BinaryIO, wish: Wish) -> Job:
        """Takes a file.

        Args:
            owner: name of whoever sends it.
            name: of the file, as they call it.
            content: is read to its end.
            wish: how it is looked at.

        Raises:
            TooManyError: as many wait as may.
            OSError: it cannot be kept.
        """
        if sum(not job.over for job in self._jobs.values()) + self._claimed >= self._most:
            self._refused += 1
            raise TooManyError(f"{self._most} files wait already; try again later")
        self._claimed += 1  # while it is written
        job = Job(uuid4().hex, owner, name, wish, datetime.now(UTC))
        try:
            await asyncio.to_thread(self._keep, job.id, content)
        finally:
            self._claimed -= 1
        self._jobs[job.id] = job
        self._changed.set()
        await self._forget()
        return job

    async def cancel(self, job_id: str) -> None:
        """Ends a job and forgets it; does nothing where it is not known."""
        job = self._jobs.pop(job_id, None)
        if job is None:
            return
        if not job.over:
            self._counts["cancelled"] += 1
        if job.state == "running":
            self._kill()
        await asyncio.to_thread(self._remove, job_id)

    async def run(self) -> None:
        """Scores what waits, until cancelled."""
        while True:
            job = next((job for job in self._jobs.values() if job.state == "waiting"), None)
            if job is None:
                self._changed.clear()
                await self._changed.wait()
                continue
            await self._score(job)
            scored = self._jobs.get(job.id)
            # One that was cancelled may have written until its process was gone.
            remove = self._remove_upload if scored is not None and scored.state == "done" else self._remove
            await asyncio.to_thread(remove, job.id)
            await self._forget()

    async def aclose(self) -> None:
        """Removes every file."""
        if self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def statistics(self) -> UploadStatistics:
        """A snapshot."""
        waiting = sum(not job.over for job in self._jobs.values())
        return UploadStatistics(waiting, **self._counts, refused=self._refused)

    async def _score(self, job: Job) -> None:
        self._jobs[job.id] = replace(job, state="running")
        try:
            async with asyncio.timeout(self._longest_s):
                said = await self._ask(job)
        except TimeoutError:
            said = Said(error=f"it took longer than {self._longest_s:g} s")
        except (OSError, ValueError) as error:  # no process can be had; its line is none, or far too long
            _log.warning("an upload cannot be scored: %s", error)
            said = Said(error="internal error; the log says more")
        running = self._jobs.get(job.id)
        if running is None:  # was cancelled meanwhile
            return
        state: JobState = "done" if said.result is not None else "failed"
        self._counts[state] += 1
        result: dict[str, Any] | None = None
        if said.result is not None:
            result = _RESULT.dump_python(replace(said.result, path=job.file), mode="json")
        why = None if said.result is not None else said.error or "its process has ended over it"
        self._jobs[job.id] = replace(
            running, state=state, result=result, pictures=said.pictures, annotated=said.annotated, error=why
        )

    async def _ask(self, job: Job) -> Said:
        """Returns the last line of the process: the result, or why there is none."""
        adapter_file = None if job.wish.adapter is None else self._adapters().get(job.wish.adapter)
        if job.wish.adapter is not None and adapter_file is None:
            return Said(error=f"there is no adapter {job.wish.adapter} any more")
        task = Task(judge=self._judge, folder=str(self._path(job.id)), wish=job.wish, adapter_file=adapter_file)
        process = self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "monitor.uploads.child",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=_LINE_BYTES,
        )
        try:
            return await self._hear(process, job, task)
        finally:
            # Ended already or not: what is left of it goes before the event loop does.
            self._kill()
            await process.communicate()

    async def _hear(self, process: asyncio.subprocess.Process, job: Job, task: Task) -> Said:
        said = Said()
        if job.id not in self._jobs:  # was cancelled while the process was made
            return said
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(task.model_dump_json().encode())
        process.stdin.close()
        while line := await process.stdout.readline():
            try:
                said = await asyncio.to_thread(Said.model_validate_json, line)
            except ValidationError:
                _log.debug("the process of an upload said %r", line[:200])
                continue
            known = self._jobs.get(job.id)
            if said.due and known is not None:
                self._jobs[job.id] = replace(known, done=said.done, due=said.due)
        await process.wait()
        return said

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    def _keep(self, job_id: str, content: BinaryIO) -> None:
        with self._making:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="gend-monitor-uploads-"))
        try:
            self._path(job_id).mkdir()
            with (self._path(job_id) / UPLOAD).open("wb") as file:
                shutil.copyfileobj(content, file)
        except OSError:
            self._remove(job_id)
            raise

    def _remove(self, job_id: str) -> None:
        """Everything of a job."""
        try:
            shutil.rmtree(self._path(job_id))
        except FileNotFoundError:
            pass
        except OSError as error:
            _log.warning("an upload cannot be removed: %s", error)

    def _remove_upload(self, job_id: str) -> None:
        """What was sent; what was made of it stays."""
        try:
            (self._path(job_id) / UPLOAD).unlink(missing_ok=True)
        except OSError as error:
            _log.warning("an upload cannot be removed: %s", error)

    def _path(self, job_id: str) -> Path:
        assert self._folder is not None
        return self._folder / job_id

    async def _forget(self) -> None:
        """What is too much of jobs that are over, and of their annotated copies, the oldest first."""
        over = [job.id for job in self._jobs.values() if job.over]
        for job_id in over[: max(0, len(over) - _KEPT)]:
            self._jobs.pop(job_id, None)
            await asyncio.to_thread(self._remove, job_id)
        copies = [path for job_id in over if (path := self.annotated(job_id)) is not None]
        for path in await asyncio.to_thread(_beyond, copies, self._copies_bytes):
            job = self._jobs.get(path.parent.name)
            if job is not None:
                self._jobs[job.id] = replace(job, annotated=None)


def _beyond(copies: list[Path], most_bytes: int) -> list[Path]:
    """Removes the oldest of these files, which come first, until no more is left; never the newest."""
    sizes = [_bytes_of(path) for path in copies]
    gone = []
    for number, path in enumerate(copies[:-1]):
        if sum(sizes[number:]) <= most_bytes:
            break
        path.unlink(missing_ok=True)
        gone.append(path)
    return gone


def _bytes_of(path: Path) -> int:
    """Of a file that somebody else may just remove."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0

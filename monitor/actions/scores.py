"""Files that people send to be scored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from monitor.access import Principal
from monitor.actions.errors import BusyError, ConflictError, NotFoundError, RefusedError
from monitor.uploads import Job, ScoreJobs, Wish
from monitor.uploads.jobs import TooManyError


@dataclass(frozen=True, slots=True)
class Offer:
    """What may be sent, and chosen for it.

    Attributes:
        most_bytes: of one file; 0: nothing may be sent.
        adapters: names of fine-tunes that may judge instead of the encoder as it is.
    """

    most_bytes: int
    adapters: tuple[str, ...]


class ScoreActions:
    """Takes files and shows what came of them. Everybody sees their own, an admin all.

    Args:
        jobs: the queue; None where nothing may be sent.
        most_bytes: of one file.
    """

    def __init__(self, jobs: ScoreJobs | None, most_bytes: int) -> None:
        self._jobs = jobs
        self._most_bytes = most_bytes

    def offer(self, principal: Principal) -> Offer:
        """What may be sent, and chosen for it."""
        principal.require("operator")
        if self._jobs is None:
            return Offer(0, ())
        return Offer(self._most_bytes, self._jobs.adapters)

    async def submit(self, principal: Principal, name: str, content: BinaryIO, wish: Wish) -> Job:
        """Takes a file.

        Raises:
            ConflictError: nothing may be sent to this service.
            BusyError: as many wait as may, or the disk takes no more.
            RefusedError: there is no such adapter.
        """
        principal.require("operator")
        if self._jobs is None:
            raise ConflictError("uploads are turned off: web.upload_mb is 0")
        if wish.adapter is not None and wish.adapter not in self._jobs.adapters:
            known = ", ".join(self._jobs.adapters) or "none"
            raise RefusedError("body.adapter", f"there is no adapter {wish.adapter}; there is: {known}")
        try:
            return await self._jobs.submit(principal.name, name, content, wish)
        except TooManyError as error:
            raise BusyError(str(error)) from error
        except OSError as error:
            raise BusyError(f"the file cannot be kept: {error.strerror or error}") from error

    def all(self, principal: Principal) -> list[Job]:
        """Theirs, the newest first."""
        principal.require("operator")
        jobs = [] if self._jobs is None else self._jobs.jobs()
        return [job for job in jobs if _sees(principal, job)]

    def one(self, principal: Principal, job_id: str) -> Job:
        """One of theirs.

        Raises:
            NotFoundError: there is none of that id, or not any more.
        """
        principal.require("operator")
        job = None if self._jobs is None else self._jobs.job(job_id)
        if job is None or not _sees(principal, job):
            raise NotFoundError(f"there is no job {job_id}, or not any more")
        return job

    def annotated(self, principal: Principal, job_id: str) -> Path:
        """The copy of one of theirs in which each face is marked, PNG or MP4.

        Raises:
            NotFoundError: there is no such job or copy, or not any more.
        """
        principal.require("operator")
        job = self.one(principal, job_id)
        path = None if self._jobs is None else self._jobs.annotated(job.id)
        if path is None:
            raise NotFoundError(f"there is no annotated copy of job {job_id}, or not any more")
        return path

    def picture(self, principal: Principal, job_id: str, frame: int) -> Path:
        """A frame of one of theirs, a JPEG; a job tells in `pictures` which there are.

        Raises:
            NotFoundError: there is no such job or picture, or not any more.
        """
        principal.require("operator")
        job = self.one(principal, job_id)
        path = None if self._jobs is None else self._jobs.picture(job.id, frame)
        if path is None:
            raise NotFoundError(f"no picture of frame {frame} of job {job_id} is kept")
        return path

    async def cancel(self, principal: Principal, job_id: str) -> None:
        """Ends one of theirs and forgets it.

        Raises:
            NotFoundError: there is none of that id, or not any more.
        """
        principal.require("operator")
        job = self.one(principal, job_id)
        if self._jobs is not None:
            await self._jobs.cancel(job.id)


def _sees(principal: Principal, job: Job) -> bool:
    return principal.may("admin") or job.owner == principal.name

"""Files that people send to be scored."""

from __future__ import annotations

from typing import BinaryIO

from monitor.access import Principal
from monitor.actions.errors import BusyError, ConflictError, NotFoundError
from monitor.uploads import Job, ScoreJobs, Wish
from monitor.uploads.jobs import TooManyError


class ScoreActions:
    """Takes files and shows what came of them. Everybody sees their own, an admin all.

    Args:
        jobs: the queue; None where nothing may be sent.
    """

    def __init__(self, jobs: ScoreJobs | None) -> None:
        self._jobs = jobs

    async def submit(self, principal: Principal, name: str, content: BinaryIO, wish: Wish) -> Job:
        """Takes a file.

        Raises:
            ConflictError: nothing may be sent to this service.
            BusyError: as many wait as may, or the disk takes no more.
        """
        principal.require("operator")
        if self._jobs is None:
            raise ConflictError("uploads are turned off: web.upload_mb is 0")
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

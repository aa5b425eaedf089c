"""Pictures and videos that people send to be scored: one at a time, in a process that gives way to streams."""

from monitor.uploads.job import Job, JobState, Wish
from monitor.uploads.jobs import ScoreJobs, UploadStatistics
from monitor.uploads.start import taking_uploads
from monitor.uploads.task import Judge

__all__ = ["Job", "JobState", "Judge", "ScoreJobs", "UploadStatistics", "Wish", "taking_uploads"]

"""Pictures and videos that people send to be scored: one at a time, in a process that gives way to streams."""

from monitor.uploads.job import Job, JobState, KeyPicture, Wish
from monitor.uploads.jobs import ScoreJobs, UploadStatistics
from monitor.uploads.start import taking_uploads
from monitor.uploads.task import Judge

__all__ = ["Job", "JobState", "Judge", "KeyPicture", "ScoreJobs", "UploadStatistics", "Wish", "taking_uploads"]

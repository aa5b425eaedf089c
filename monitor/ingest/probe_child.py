"""The process that looks at one stream which somebody wants to add. What it sends may crash this one, and no other.

python -m monitor.ingest.probe_child < task
"""

from __future__ import annotations

import math
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from monitor.added_stream import AddedStreamConfig
from monitor.errors import MonitorError
from monitor.ingest.probe import probe
from monitor.redact import redact

_NICENESS = 5
"""Streams that are watched go first; it must be there within seconds all the same."""
_MORE_MEMORY = 2 * 2**30
"""Bytes beyond what it begins with: room for 8K video, not for a picture that claims more."""
_MOST_LETTERS = 2000


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Task(_Line):
    """One stream to look at; goes through a pipe, as there are secrets in it."""

    stream: dict[str, Any]
    """An `AddedStreamConfig`, with where it may lead."""
    timeout_s: float

    @classmethod
    def of(cls, stream: AddedStreamConfig, timeout_s: float) -> Task:
        """To look at a stream for so long."""
        fields = stream.model_dump(mode="json")
        secrets = {name: value.get_secret_value() for name, value in stream if isinstance(value, SecretStr)}
        return cls(stream=fields | secrets, timeout_s=timeout_s)


class Said(_Line):
    """What came of it: what the stream carries, or why nothing does. Not to be trusted more than the stream is."""

    codec: str = Field(default="", max_length=100)
    width: int = 0
    height: int = 0
    fps: float | None = None
    error: str | None = Field(default=None, max_length=_MOST_LETTERS)


def main() -> None:
    """Reads the task from standard input, and says on standard output what comes of it."""
    task = Task.model_validate_json(sys.stdin.read())
    os.nice(_NICENESS)
    signal.alarm(math.ceil(task.timeout_s) + 1)  # ends it though nobody should be there any more to kill it
    _bound_memory()
    try:
        found = probe(AddedStreamConfig.model_validate(task.stream), task.timeout_s)
        said = Said(codec=found.codec[:100], width=found.width, height=found.height, fps=found.fps)
    except MonitorError as error:
        said = Said(error=redact(str(error))[:_MOST_LETTERS])
    sys.stdout.write(said.model_dump_json() + "\n")
    sys.stdout.flush()
    # At once: a thread may be stuck in FFmpeg, which would hold up an orderly end.
    os._exit(0)


def _bound_memory() -> None:
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + _MORE_MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    main()

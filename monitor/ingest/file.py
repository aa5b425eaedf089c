"""Recordings, read as fast as they are asked for, on their own time."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from monitor.clock import LiveClock
from monitor.errors import SourceError
from monitor.ingest.frame import AvFrame, Converter
from monitor.ingest.source import Source
from monitor.ingest.tally import Tally
from monitor.ingest.timeline import Timeline
from monitor.messages import Frame

logger = logging.getLogger("monitor.ingest")


def read_file(path: Path | str, stream: str) -> Iterator[Frame]:
    """Yields every frame of a recording, the same each time.

    `at_s` counts from the first frame by presentation times; one that is missing or jumps is replaced by the
    frame rate's. A damaged end of the file ends the frames, as a recorder that lost power leaves it.

    Args:
        path: the file.
        stream: name that the frames carry.

    Raises:
        SourceError: on the first frame asked for, where there is no such file or no video in it.
    """
    with _open(path) as source:
        timeline = Timeline(source.frame_s)
        converter = Converter()
        index = 0
        try:
            for pictures in source.read():
                for picture in pictures:
                    at_s = timeline.place(picture.pts_s)
                    yield AvFrame(stream, index, at_s, picture.pts_s, picture.trusted, picture.video, converter)
                    index += 1
        except SourceError as error:
            if index == 0:
                raise SourceError(f"{path}: {error}") from None
            logger.warning(f"{stream}: {path} cannot be read to its end: {error}")
        if index == 0:
            raise SourceError(f"{path}: no picture in it can be decoded")


@dataclass(frozen=True, slots=True)
class FileInfo:
    """What a recording says of itself."""

    created: datetime | None
    """When it began, where the file knows."""
    duration_s: float | None
    """Its length, where the file knows."""


def inspect_file(path: Path | str) -> FileInfo:
    """Opens a recording without decoding it. Raises SourceError where it is missing or holds no video."""
    with _open(path) as source:
        return FileInfo(_created(source.metadata), source.duration_s)


def _created(metadata: Mapping[str, str]) -> datetime | None:
    try:
        created = datetime.fromisoformat(metadata.get("creation_time", ""))
    except ValueError:
        return None
    return created if created.tzinfo is not None else created.replace(tzinfo=UTC)


def _open(path: Path | str) -> Source:
    try:
        return Source.open(f"file:{path}", clock=LiveClock(), tally=Tally())
    except SourceError as error:
        raise SourceError(f"{path}: {error}") from None

"""What differs between the configuration that runs and the one in the file now, and what of it needs a restart."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from pydantic import BaseModel

from monitor.config import MonitorConfig
from monitor.stream_config import StreamConfig


@dataclass(frozen=True, slots=True)
class Changes:
    """What is done to take a configuration over."""

    begun: tuple[StreamConfig, ...]
    """Streams that begin anew, as they are now; those that were watched before are ended first."""
    gone: tuple[str, ...]
    """Streams that are not watched any more."""
    waiting: tuple[str, ...]
    """Fields whose change waits for a restart."""


def applicable(running: MonitorConfig, wanted: MonitorConfig) -> MonitorConfig:
    """What can be taken over without a restart: streams and which may be added, faces, judging, workers, adapters."""
    return running.model_copy(
        update={
            "streams": wanted.streams,
            "faces": wanted.faces.model_copy(update={"detector": running.faces.detector}),
            "workers": wanted.workers,
            "encoder": running.encoder.model_copy(update={"adapters": wanted.encoder.adapters}),
            # Where added streams may lead is theirs already.
            "web": running.web.model_copy(update={"added_streams": wanted.web.added_streams}),
            "decision": wanted.decision.model_copy(update={"learning": running.decision.learning}),
        }
    )


def changes(running: MonitorConfig, wanted: MonitorConfig, recalibrated: Collection[str]) -> Changes:
    """Compares two configurations.

    Args:
        running: by which streams are watched now.
        wanted: the file's.
        recalibrated: names of streams whose calibration is another than the one in use.
    """
    after = applicable(running, wanted)
    judged_alike = (running.faces, running.workers, running.decision) == (after.faces, after.workers, after.decision)
    before = {stream.name: stream for stream in running.streams}
    begun = [
        stream
        for stream in after.streams
        if not judged_alike
        or stream.name in recalibrated
        # Another adapter alone is the encoder's business: the stream goes on.
        or before.get(stream.name) != stream.model_copy(update={"adapter": _adapter(before, stream)})
    ]
    gone = before.keys() - {stream.name for stream in after.streams}
    return Changes(tuple(begun), tuple(sorted(gone)), tuple(_differing(after, wanted)))


def _adapter(before: dict[str, StreamConfig], stream: StreamConfig) -> str | None:
    return before[stream.name].adapter if stream.name in before else None


def _differing(one: BaseModel, other: BaseModel) -> list[str]:
    """The fields, `section.field`, in which two configurations differ."""
    found = []
    for section in type(one).model_fields:
        left, right = getattr(one, section), getattr(other, section)
        if left == right:
            continue
        if isinstance(left, BaseModel) and isinstance(right, BaseModel):
            found += [
                f"{section}.{field}"
                for field in type(left).model_fields
                if getattr(left, field) != getattr(right, field)
            ]
        else:
            found.append(section)
    return found

"""Faces that do not live: told once when it begins, and never evidence, neither of a fake nor of a real face."""

from __future__ import annotations

from collections.abc import Collection

from monitor.messages import Event, EventKind, Frozen, TrackObservation

_TOLD: dict[Frozen, tuple[EventKind, str]] = {
    "duplicate frames": ("duplicate_frames", "the stream shows the same picture again and again"),
    "still picture": ("still_picture", "nothing in the face has moved for 10 s; it may be a picture"),
}


def begun(observation: TrackObservation, before: Collection[str]) -> list[Event]:
    """What has begun with this block.

    Args:
        observation: of the block.
        before: `frozen` of the track's block before.
    """
    told = [_TOLD[how] for how in observation.frozen if how not in before]
    track = observation.track
    return [Event(observation.stream, kind, observation.at_s, track, f"track {track}: {text}") for kind, text in told]

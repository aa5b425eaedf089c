"""Recordings through the steps up to decision: nothing is dropped, and equal input gives equal output."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from monitor.clock import RecordingClock
from monitor.config import MonitorConfig
from monitor.ingest import read_file
from monitor.messages import Alert, Crop, Demand, Event, Logit, Tracked, TrackObservation, Verdict
from monitor.steps import Parts, new_decision, score_all, worker_plan
from monitor.stream_config import StreamConfig
from monitor.worker import track_ids


@dataclass(frozen=True, slots=True)
class Seen:
    """What the steps before decision made of one frame of a recording."""

    at_s: float
    crops: list[Crop]
    logits: list[Logit]
    """One for each of `crops`, in their order."""
    observations: list[TrackObservation]


class Recording:
    """A recording on its way to decision: nothing is dropped, and equal input gives equal output.

    Args:
        path: the video.
        config: `faces` and `encoder` are used.
        parts: encoder and face detectors.
        stream: the name under which it is seen; where the configuration has such a stream, with its `ignore`.
    """

    def __init__(self, path: Path, config: MonitorConfig, parts: Parts, *, stream: str) -> None:
        self._path = path
        self._stream = stream
        self._parts = parts
        self._batch = config.encoder.max_batch
        ignore = [each.ignore for each in config.streams if each.name == stream]
        stream_config = StreamConfig.model_validate(
            {"name": stream, "url": f"file:{path}", "ignore": ignore[0] if ignore else []}
        )
        self._tracking = worker_plan(config, stream_config, parts).tracking(track_ids("replay"))

    def demand(self, demand: Demand) -> None:
        """Changes how often a track is sampled, from the next frame on."""
        self._tracking.demand(demand)

    def frames(self) -> Iterator[Seen]:
        """Every frame in order, and once more what the last second held.

        Raises:
            SourceError: no such file, or no video in it.
        """
        at_s = 0.0
        for frame in read_file(self._path, self._stream):
            at_s = frame.at_s
            yield self._seen(at_s, self._tracking.process(frame) if self._tracking.due(at_s) else [])
        yield self._seen(at_s, [*self._tracking.flush(at_s)])

    def _seen(self, at_s: float, messages: list[Tracked]) -> Seen:
        adapter = self._parts.adapters.of(self._stream)
        crops = [replace(message, adapter=adapter) for message in messages if isinstance(message, Crop)]
        observations = [message for message in messages if isinstance(message, TrackObservation)]
        return Seen(at_s, crops, score_all(crops, self._parts, self._batch), observations)


def replay(
    path: Path, config: MonitorConfig, parts: Parts, *, stream: str, started: datetime
) -> Iterator[tuple[float, list[Verdict | Alert | Event]]]:
    """Runs a recording through the same steps as a live stream.

    Args:
        path: the video.
        config: `faces`, `encoder` and `decision` are used.
        parts: encoder, face detectors and calibration.
        stream: the name under which it is judged.
        started: time of day of its first frame.

    Yields:
        For each frame read, its time in seconds and what was decided at it.

    Raises:
        SourceError: no such file, or no video in it.
    """
    clock = RecordingClock(started)
    numbers, sequence = itertools.count(1), itertools.count(1)
    space = uuid.uuid5(uuid.NAMESPACE_URL, f"{stream}@{started.isoformat()}")
    decision = new_decision(config, parts, clock, lambda: uuid.uuid5(space, str(next(numbers))).hex)
    recording = Recording(path, config, parts, stream=stream)
    for seen in recording.frames():
        clock.advance(seen.at_s)
        outputs = [output for logit in seen.logits for output in decision.score(logit)]
        outputs += [output for observation in seen.observations for output in decision.observe(observation)]
        decided: list[Verdict | Alert | Event] = []
        for output in outputs:
            if isinstance(output, Demand):
                recording.demand(output)
            elif isinstance(output, Alert):
                decided.append(replace(output, sequence=next(sequence)))
            else:
                decided.append(output)
        yield seen.at_s, decided

"""`gend-monitor calibrate`: footage of real people through the pipeline, and what may be promised after it."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from monitor.calibration_report import place_report, write_report
from monitor.calibration_summary import duration, tell
from monitor.calibrations import without_calibrations
from monitor.config import MonitorConfig
from monitor.decision import Calibration, Encoder, sampling_policy
from monitor.decision.calibration import RealPeople
from monitor.decision.fitting import Fakes, RealSession, TrackCrops, fit
from monitor.decision_config import DecisionConfig
from monitor.errors import ConfigError, MonitorError
from monitor.ingest import inspect_file
from monitor.learning import manipulated
from monitor.messages import BLOCK_S, Logit
from monitor.parts import load_parts
from monitor.recorded import Recording, Seen
from monitor.steps import Parts, score_all
from monitor.stream_config import StreamConfig
from monitor.terminal import recording_progress

_FAKE_EVERY = 2
"""Of so many crops one is manipulated as well."""
_HOUR_S = 3600.0
_SHORT = 0.98
"""A recording this much of a session long still is one."""
_LAST_FRAME_S = 1.0
"""The last frame comes before the end that a file tells."""
_VIDEO = {".mp4", ".mkv", ".mov", ".avi", ".webm", ".ts", ".m4v"}


@dataclass(frozen=True, slots=True)
class Footage:
    """One session: a recording, or a folder of its chunks in the order of their names."""

    name: str
    chunks: tuple[Path, ...]
    duration_s: float


def calibrate_files(
    paths: Sequence[Path],
    config: MonitorConfig,
    out: Path,
    *,
    stream: str | None = None,
    session_hours: float | None = None,
    report: Path | None = None,
    console: Console | None = None,
) -> Calibration:
    """Measures real footage, writes the calibration, and says what it is good for.

    Args:
        paths: each a session: a file, or a folder with the chunks of one recording.
        config: `faces`, `encoder` and `decision` are used.
        out: the file to write; replaced whole.
        stream: whose footage it is: its adapter and its `ignore` are used. May be left out where streams have the same.
        session_hours: length of a session; longer recordings are cut there. By default `decision.session_hours`, or
            else the length of the shortest recording.
        report: the HTML file that shows it; by default beside `out`, where matplotlib is installed.
        console: where the result is told; standard output by default.

    Raises:
        ConfigError: footage is given twice, or shorter than a session.
        SourceError: footage is missing or no video.
        MonitorError: no face could be scored, footage ends too soon, or the file cannot be written.
        GendError: weights or face detector cannot be had.
    """
    console = console or Console()
    of = stream_of(config, stream)
    footage = find_footage(paths)
    hours = session_hours or config.decision.session_hours
    session_s = _session_s(footage, hours)
    if not out.parent.is_dir():
        raise ConfigError(f"{out}: no such folder")
    report = place_report(out, report, console)
    # A calibration is not judged by the one before it.
    config = without_calibrations(config)
    parts = load_parts(config)
    sessions, fakes = _watched(footage, session_s, config, parts, of.name)
    policy = sampling_policy(config.faces, parts.face_detector, of.ignore)
    given_s = sum(each.duration_s for each in footage)
    made_for = MadeFor(parts.encoder_of(of), policy, session_s / _HOUR_S, given_s / _HOUR_S)
    return calibrate_sessions(sessions, fakes, made_for, config.decision, out, report=report, console=console)


@dataclass(frozen=True, slots=True)
class MadeFor:
    """What sessions are of, and so the calibration that is made of them."""

    encoder: Encoder
    policy: Mapping[str, Any]
    """As `sampling_policy`."""
    session_hours: float
    given_hours: float
    """Hours of all sessions before they were cut to that length."""


def calibrate_sessions(
    sessions: Sequence[RealSession],
    fakes: Fakes,
    made_for: MadeFor,
    asked: DecisionConfig,
    out: Path,
    *,
    report: Path | None,
    console: Console,
) -> Calibration:
    """Makes a calibration of sessions however they were come by, writes it, and says what it is good for.

    Args:
        sessions: known to be real.
        fakes: made of some of their crops.
        made_for: what both are of.
        asked: `decision` of the configuration.
        out: the file to write; replaced whole.
        report: where to show it, by `place_report`; None is nowhere.
        console: where the result is told.

    Raises:
        MonitorError: there is no crop of a face in them, or the file cannot be written.
    """
    try:
        fitted = fit(sessions, fakes)
    except ValueError as error:
        raise MonitorError(f"footage without faces: {error}") from error
    calibration = Calibration(
        made=datetime.now(UTC),
        software=version("gend-monitor"),
        encoder=made_for.encoder,
        policy=dict(made_for.policy),
        session_hours=made_for.session_hours,
        curves=fitted.curves,
        calibration_error=fitted.calibration_error,
        correlation_blocks=fitted.correlation_blocks,
        population=RealPeople.of(fitted.population),
        sessions=fitted.sessions,
    )
    try:
        calibration.write(out)
    except OSError as error:
        raise MonitorError(f"{out}: cannot be written ({error.strerror})") from error
    tell(calibration, fitted, asked, made_for.given_hours, console)
    console.out(f"{out} written", highlight=False)
    if report is not None:
        write_report(report, out.name, calibration, asked, fitted)
        console.out(f"{report} shows it: open it in a browser", highlight=False)
    return calibration


def stream_of(config: MonitorConfig, name: str | None) -> StreamConfig:
    """The stream of that name, or any, where all have the same adapter and `ignore`; else ConfigError."""
    if name is not None:
        for stream in config.streams:
            if stream.name == name:
                return stream
        raise ConfigError(
            f"--stream: no stream is called {name}; there are {', '.join(s.name for s in config.streams)}"
        )
    first, *others = config.streams
    if any((each.adapter, each.ignore) != (first.adapter, first.ignore) for each in others):
        raise ConfigError("--stream: streams differ in adapter or ignore; say whose footage this is")
    return first


def find_footage(paths: Sequence[Path]) -> list[Footage]:
    """Opens every recording once, before the first is watched.

    Raises:
        ConfigError: a folder has no video, one does not tell its length, or one is given twice.
        SourceError: one is missing or no video.
    """
    seen: dict[str, Path] = {}
    footage = []
    for path in paths:
        chunks = sorted(each for each in path.iterdir() if each.suffix.lower() in _VIDEO) if path.is_dir() else [path]
        if not chunks:
            raise ConfigError(f"{path}: a folder without video")
        duration_s = 0.0
        for chunk in chunks:
            known = inspect_file(chunk).duration_s
            if not known:
                raise ConfigError(f"{chunk}: does not tell its length, which sessions are measured by")
            duration_s += known
            with chunk.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if digest in seen:
                raise ConfigError(f"{chunk}: the same footage as {seen[digest]}; repeated footage promises too much")
            seen[digest] = chunk
        footage.append(Footage(path.name, tuple(chunks), duration_s))
    return footage


def _session_s(footage: Sequence[Footage], hours: float | None) -> float:
    shortest = min(footage, key=lambda each: each.duration_s)
    if hours is None:
        return shortest.duration_s
    session_s = hours * _HOUR_S
    if shortest.duration_s < _SHORT * session_s:
        raise ConfigError(
            f"{shortest.name}: {shortest.duration_s / _HOUR_S:.3g} h long, a session is {hours:g} h; put chunks of one "
            f"recording into a folder, or take shorter sessions"
        )
    return session_s


@dataclass(slots=True)
class _Crops:
    block: list[int] = field(default_factory=list)
    logits: list[float] = field(default_factory=list)
    quality: list[float] = field(default_factory=list)

    def add(self, block: int, logit: Logit) -> None:
        self.block.append(block)
        self.logits.append(logit.logit)
        self.quality.append(logit.quality)

    def track(self) -> TrackCrops:
        return TrackCrops(np.array(self.block), np.array(self.logits), np.array(self.quality))


def _watched(
    footage: Sequence[Footage], session_s: float, config: MonitorConfig, parts: Parts, stream: str
) -> tuple[list[RealSession], Fakes]:
    rng = np.random.default_rng(0)
    sessions, fakes, fakes_of = [], _Crops(), []
    for number, each in enumerate(_with_progress(footage)):
        tracks: dict[tuple[int, str], _Crops] = defaultdict(_Crops)
        last_s = 0.0
        for chunk, began_s, seen in _seen(each, session_s, config, parts, stream):
            last_s = began_s + seen.at_s
            for logit in seen.logits:
                if math.isfinite(logit.logit):
                    tracks[chunk, logit.track].add(int((began_s + logit.at_s) // BLOCK_S), logit)
            chosen = [crop for crop in seen.crops if rng.integers(_FAKE_EVERY) == 0]
            for logit in score_all([manipulated(crop, rng) for crop in chosen], parts, config.encoder.max_batch):
                if math.isfinite(logit.logit):
                    fakes.add(0, logit)
                    fakes_of.append(number)
        if last_s < _SHORT * session_s - _LAST_FRAME_S:
            raise MonitorError(f"{each.name}: ends after {duration(last_s / _HOUR_S)}, though it says it is longer")
        sessions.append(RealSession(each.name, tuple(crops.track() for crops in tracks.values())))
    return sessions, Fakes(np.array(fakes.logits), np.array(fakes.quality), np.array(fakes_of, dtype=np.int64))


def _seen(
    footage: Footage, session_s: float, config: MonitorConfig, parts: Parts, stream: str
) -> Iterator[tuple[int, float, Seen]]:
    """Number and beginning of a chunk, and what was seen in it, up to the session's end."""
    began_s = 0.0
    for number, chunk in enumerate(footage.chunks):
        at_s = 0.0
        for seen in Recording(chunk, config, parts, stream=stream).frames():
            at_s = seen.at_s
            if began_s + at_s >= session_s:
                return
            yield number, began_s, seen
        began_s += math.ceil(at_s / BLOCK_S) * BLOCK_S  # no block holds crops of two chunks


def _with_progress(footage: Sequence[Footage]) -> Iterator[Footage]:
    with recording_progress() as progress:
        task = progress.add_task("", total=sum(each.duration_s for each in footage))
        for each in footage:
            progress.update(task, description=each.name)
            yield each
            progress.advance(task, each.duration_s)

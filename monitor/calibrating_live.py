"""`gend-monitor calibrate --live`: watches streams for days, only to learn, and makes a calibration at the end.

Nothing is stored or published, and nobody is alerted. What was learnt is kept whenever it is stopped, and the same
command goes on with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.status import Status

from monitor.calibrating_learnt import calibrate_learnt, learnt_file, streams_of
from monitor.calibration_report import place_report
from monitor.calibration_summary import count, verdict
from monitor.calibrations import without_calibrations
from monitor.clock import LiveClock
from monitor.config import MonitorConfig
from monitor.decision import Promise
from monitor.decision.calibration import LEAST_NATS
from monitor.decision.fitting import fit
from monitor.decision.measured import read_measured
from monitor.decision.promise import Aim, promise
from monitor.decision_config import DecisionConfig
from monitor.errors import ConfigError
from monitor.ingest import check_protocols
from monitor.learning import Choice, Learner, choose, new_learner
from monitor.parts import load_live_parts
from monitor.pipeline import Pipeline
from monitor.steps import Parts
from monitor.stream_config import PUBLISHED

_DEFAULT_HOURS = 24.0
_LOOK_EVERY_S = 1.0
_STOP_S = 5.0
_LATE_S = 6.0
"""So long after a session's end the last of its crops have been scored."""
_INTERRUPTED = 130


def calibrate_live(
    config: MonitorConfig,
    out: Path,
    *,
    days: float,
    stream: str | None = None,
    session_hours: float | None = None,
    report: Path | None = None,
    console: Console | None = None,
) -> int:
    """Watches until so many days of sessions are complete on a stream, or Ctrl-C; then the process should be left.

    Args:
        config: `streams`, `faces`, `encoder` and `decision` are used.
        out: the calibration to write; what is learnt goes to `decision.learning`, or else beside it.
        days: of complete sessions, those of earlier runs included.
        stream: watch that one alone. May be left out where streams have the same adapter and `ignore`: all of them.
        session_hours: length of a session; by default `decision.session_hours`, or else a day.
        report: where the result is shown; by default beside `out`.
        console: where it is told; standard output by default.

    Returns:
        0 when the calibration is written, 130 when it was interrupted.

    Raises:
        ConfigError: something of the configuration, or what was learnt before is of something else.
        MonitorError: files cannot be written, or no face was seen in all the time.
        GendError: weights or face detector cannot be had.
    """
    console = console or Console()
    names = streams_of(config, stream)
    if not out.parent.is_dir():
        raise ConfigError(f"{out}: no such folder")
    hours = session_hours or config.decision.session_hours or _DEFAULT_HOURS
    place_report(out, report, Console(quiet=True))  # said now, not after days
    changes = {"learning": learnt_file(config, out), "session_hours": hours}
    config = without_calibrations(config)
    config = config.model_copy(
        update={
            "decision": config.decision.model_copy(update=changes),
            "streams": [each for each in config.streams if each.name in names],
            "evidence": None,
        }
    )
    check_protocols(config.streams)
    for each in config.streams:
        if each.scheme == PUBLISHED:
            raise ConfigError(
                f"streams.{each.name}.url: nobody can publish while this runs; "
                "learn from calls beside the ordinary work, by decision.learning"
            )
    goal = math.ceil(days * 24 / hours - 1e-9)
    # Not closed: a thread that is stuck in FFmpeg would hold it up.
    if not asyncio.Runner().run(_Live(config, names, goal, console).run()):
        console.out(
            f"stopped; what was learnt is in {learnt_file(config, out)}, the same command goes on", highlight=False
        )
        return _INTERRUPTED
    calibrate_learnt(config, out, stream=stream, report=report, console=console)
    return 0


class _Live:
    def __init__(self, config: MonitorConfig, names: Sequence[str], goal: int, console: Console) -> None:
        self._config = config
        self._names = names
        self._goal = goal
        self._console = console
        hours = config.decision.session_hours
        assert hours is not None
        self._session_s = hours * 3600
        self._late_s = min(_LATE_S, self._session_s / 4)

    async def run(self) -> bool:
        """Whether enough sessions are complete; False if it was asked to stop before."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        loading = asyncio.create_task(asyncio.to_thread(self._load))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([loading, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not loading.done():
            return False
        parts, learner = loading.result()
        pipeline = Pipeline(
            self._config, parts, run_id=f"live-{uuid.uuid4().hex[:8]}", taps=[learner], on_spare=learner.spare
        )
        learner.begin(pipeline)
        tasks = [
            asyncio.create_task(pipeline.run(lambda _: None), name="pipeline"),
            asyncio.create_task(learner.run(), name="learn"),
        ]
        watching = asyncio.create_task(self._watch(pipeline, learner), name="watch")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        await asyncio.wait([*tasks, watching, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in (*tasks, watching, stopping):
            task.cancel()
        ended = await asyncio.gather(*tasks, watching, return_exceptions=True)
        await pipeline.stop(lambda _: None, _STOP_S)
        await asyncio.to_thread(learner.stop, _STOP_S)
        await asyncio.to_thread(parts.close)
        for error in ended:
            if isinstance(error, Exception):
                raise error
        return ended[-1] is True

    def _load(self) -> tuple[Parts, Learner]:
        parts = load_live_parts(self._config)
        learner = new_learner(self._config, parts, LiveClock())
        assert learner is not None  # a file for it was configured
        return parts, learner

    async def _watch(self, pipeline: Pipeline, learner: Learner) -> bool:
        """Says how far it is whenever a session is over; returns when enough are complete."""
        told = None
        with self._line() as line:
            while True:
                now = datetime.now(UTC)
                session = int((now.timestamp() - self._late_s) // self._session_s)
                if session != told:
                    told = session
                    await asyncio.to_thread(learner.flush)
                    progress = await asyncio.to_thread(self._progress, now)
                    self._console.out(progress.text(), highlight=False)
                    if progress.most >= self._goal:
                        return True
                if line is not None:
                    line.update(self._now(pipeline, learner, now))
                await asyncio.sleep(min(_LOOK_EVERY_S, self._late_s / 4))

    def _progress(self, now: datetime) -> _Progress:
        path = self._config.decision.learning
        assert path is not None
        choice = choose(read_measured(path), self._names, now)
        complete = {name: choice.complete(name) for name in self._names}
        partly = tuple(f"{session.name}: {why}" for session, why in choice.left_out if now >= session.ends)
        asked = self._config.decision
        return _Progress(complete, self._goal, partly, promised(choice, self._session_s / 3600, asked), asked)

    def _now(self, pipeline: Pipeline, learner: Learner, now: datetime) -> str:
        left_s = self._session_s - now.timestamp() % self._session_s
        streams = ", ".join(
            f"{status.stream} {status.state}" + (f" ({count(status.faces, 'face')})" if status.state == "live" else "")
            for status in pipeline.statuses()
        )
        learnt = learner.statistics()
        said = f"{streams}; {learnt.crops:,} crops learnt; the session is over in {_clock(left_s)}"
        return f"{said}; {learnt.failure}" if learnt.failure else said

    @contextlib.contextmanager
    def _line(self) -> Iterator[Status | None]:
        """What stands at the end of the terminal, where somebody looks."""
        stderr = Console(stderr=True, highlight=False, markup=False)
        if not stderr.is_terminal:
            yield None
            return
        with stderr.status("") as line:
            yield line


@dataclass(frozen=True, slots=True)
class _Progress:
    complete: dict[str, int]
    """Sessions by stream."""
    goal: int
    partly: tuple[str, ...]
    promise: Promise
    asked: DecisionConfig

    @property
    def most(self) -> int:
        """Sessions of the stream that has most."""
        return max(self.complete.values())

    def text(self) -> str:
        each = ", ".join(f"{name} {number}" for name, number in self.complete.items())
        said = f"{self.most} of {count(self.goal, 'session')} complete ({each})"
        if self.partly:
            said += f", {len(self.partly)} left out ({self.partly[-1]})"
        return f"{said}; {verdict(self.promise, self.asked)}"


def promised(choice: Choice, session_hours: float, asked: DecisionConfig) -> Promise:
    """What could be promised if no more were learnt."""
    aim = Aim(asked.false_alarms_per_stream_day, session_hours, asked.max_alerts_per_session, asked.confidence)
    try:
        fitted = fit(choice.real(), choice.fakes())
    except ValueError:  # nobody was there: no evidence of anyone
        return promise([np.zeros(0) for _ in choice.kept], aim, least=LEAST_NATS)
    return promise([np.array(session.peaks) for session in fitted.sessions], aim, least=LEAST_NATS)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"

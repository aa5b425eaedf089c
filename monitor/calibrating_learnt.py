"""`gend-monitor calibrate --learnt` and `--from-reviews`: a calibration of sessions that were learnt while watching."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from monitor.calibrating import MadeFor, calibrate_sessions, stream_of
from monitor.calibration_report import place_report
from monitor.calibration_summary import count
from monitor.config import MonitorConfig
from monitor.decision import Calibration, sampling_policy
from monitor.decision.calibration import difference
from monitor.decision.measured import Measured, MeasuredSession, StreamLine, read_measured
from monitor.errors import ConfigError, MonitorError
from monitor.learning import Choice, SessionKey, choose
from monitor.messages import Alert
from monitor.store import ReviewedEpisode, ReviewStore

_ALL = sys.maxsize
_CLOCKS = timedelta(minutes=2)
"""By so much may clocks have been corrected since the service started."""


def calibrate_learnt(
    config: MonitorConfig,
    out: Path,
    *,
    stream: str | None = None,
    session_hours: float | None = None,
    from_reviews: bool = False,
    report: Path | None = None,
    console: Console | None = None,
) -> Calibration:
    """Makes a calibration of what has been learnt so far, writes it, and says what it is good for.

    Args:
        config: `streams` and `decision` are used, and `store` for reviews.
        out: the file to write; replaced whole.
        stream: whose sessions. May be left out where streams have the same adapter and `ignore`: those of all.
        session_hours: length of a session, where one is asked for: another than the file's is refused.
        from_reviews: leave out sessions whose alerts people did not call wrong.
        report: where the result is shown; by default beside `out`.
        console: where the result is told; standard output by default.

    Raises:
        ConfigError: nothing was learnt yet, what was learnt does not fit the configuration, or it was edited.
        MonitorError: no session is complete, there was no face in any, the file cannot be written, or the store
            cannot be read.
    """
    console = console or Console()
    path = learnt_file(config, out)
    names = streams_of(config, stream)
    if not out.parent.is_dir():
        raise ConfigError(f"{out}: no such folder")
    report = place_report(out, report, console)
    measured = read_measured(path)
    line = _checked(path, measured, config, names, session_hours or config.decision.session_hours)
    choice = choose(measured, names, datetime.now(UTC))
    words: list[str] = []
    if from_reviews:
        reviewed = asyncio.run(_reviews(config))
        said = what_reviews_say(choice.kept, *reviewed)
        choice, words = choice.without(said.reasons), said.words()
    for word in words:
        console.out(word, highlight=False)
    tell_left_out(choice, console)
    if not choice.kept:
        raise MonitorError(
            f"{path}: no session is complete; each is {measured.session_hours:g} h and has to be watched"
        )
    hours = len(choice.kept) * measured.session_hours
    made_for = MadeFor(line.encoder, line.policy, measured.session_hours, hours)
    return calibrate_sessions(
        choice.real(), choice.fakes(), made_for, config.decision, out, report=report, console=console
    )


def learnt_file(config: MonitorConfig, out: Path) -> Path:
    """What is learnt into: as configured, or else beside the calibration that is to be made of it."""
    return config.decision.learning or out.with_name(f"{out.name}.learnt")


def streams_of(config: MonitorConfig, stream: str | None) -> list[str]:
    """The stream of that name, or all, which then have the same adapter and `ignore`."""
    first = stream_of(config, stream)
    return [first.name] if stream is not None else [each.name for each in config.streams]


def tell_left_out(choice: Choice, console: Console) -> None:
    """A table of the sessions that do not count, where there are any."""
    if choice.left_out:
        table = Table("session left out", "because")
        for session, why in choice.left_out:
            table.add_row(session.name, why)
        console.print(table)


@dataclass(frozen=True, slots=True)
class ReviewsSay:
    """What people's words on alerts come to."""

    reasons: dict[SessionKey, str]
    """Why sessions are left out."""
    wrong: int
    """Alerts that were called wrong: false alarms, and known to be."""
    unreviewed: int
    """Alerts of which nobody said anything: they count as false alarms."""

    def words(self) -> list[str]:
        """For the person who asked."""
        told = [f"{count(self.wrong, 'alert')} reviewed as wrong: counted as false alarms"] if self.wrong else []
        if self.unreviewed:
            told.append(f"{count(self.unreviewed, 'alert')} that nobody reviewed: counted as false alarms")
        return told


@dataclass(slots=True)
class _Doubts:
    fakes: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return "; ".join([*self.fakes, *self.unsure])


def what_reviews_say(
    sessions: Sequence[MeasuredSession], reviewed: Iterable[ReviewedEpisode], unreviewed: Iterable[Alert]
) -> ReviewsSay:
    """Which of these sessions are not known to be real, since an alert in them was not called wrong.

    Args:
        sessions: those that would be kept.
        reviewed: episodes of any stream and time.
        unreviewed: the messages that raised the others.
    """
    doubts: dict[SessionKey, _Doubts] = {}
    wrong = 0
    for episode in reviewed:
        keys = _sessions_of(episode.raised, sessions)
        if episode.answer == "wrong":
            wrong += bool(keys)
        for key in keys:
            doubt = doubts.setdefault(key, _Doubts())
            if episode.answer == "right":
                doubt.fakes.append(f"alert {episode.alert_id} was right, by {_by(episode)}")
            elif episode.answer == "unsure":
                doubt.unsure.append(f"alert {episode.alert_id}: {episode.contradiction or f'unsure by {_by(episode)}'}")
    counted = sum(bool(_sessions_of(alert, sessions)) for alert in unreviewed)
    reasons = {key: str(doubt) for key, doubt in doubts.items() if doubt.fakes or doubt.unsure}
    return ReviewsSay(reasons, wrong, counted)


def _sessions_of(alert: Alert, sessions: Sequence[MeasuredSession]) -> list[SessionKey]:
    """Where the alert was raised: by its time, and beside that wherever its track was within minutes of it.

    The service goes by the time of day as it stood when it started, an alert by that of its moment: near the border
    of two sessions they may differ.
    """
    found = []
    for session in sessions:
        if session.stream == alert.stream:
            near = session.begins - _CLOCKS <= alert.captured_at < session.ends + _CLOCKS
            there = any(name == alert.track for _, name in session.tracks)
            if session.begins <= alert.captured_at < session.ends or (near and there):
                found.append((session.stream, session.number))
    return found


def _by(episode: ReviewedEpisode) -> str:
    return episode.reviews[-1].by or "somebody"


async def _reviews(config: MonitorConfig) -> tuple[list[ReviewedEpisode], list[Alert]]:
    store = await ReviewStore.open(config.store.url.get_secret_value())
    try:
        return await store.reviewed_episodes(), await store.unreviewed_episodes(_ALL)
    finally:
        await store.aclose()


def _checked(
    path: Path, measured: Measured, config: MonitorConfig, names: Sequence[str], hours: float | None
) -> StreamLine:
    """What the streams' numbers are of: all of them of the same, and of what the configuration says."""
    if hours is not None and hours != measured.session_hours:
        raise ConfigError(f"{path}: learnt in sessions of {measured.session_hours:g} h, not of {hours:g} h")
    lines = [measured.streams[name] for name in names if name in measured.streams]
    if not lines:
        raise ConfigError(f"{path}: nothing was learnt of {', '.join(names)}")
    ignored = {stream.name: stream.ignore for stream in config.streams}
    for line in lines:
        policy = sampling_policy(config.faces, line.policy.get("detector", "auto"), ignored[line.stream])
        why = difference(line.encoder, line.policy, line.encoder, policy)
        why = why or difference(line.encoder, line.policy, lines[0].encoder, lines[0].policy)
        if why is not None:
            raise ConfigError(f"{path}: {why} (stream {line.stream}); learn into another file")
    return lines[0]

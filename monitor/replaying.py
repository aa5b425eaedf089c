"""`gend-monitor replay`: recordings through the pipeline, as a table of tracks or one alert per line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from monitor import payloads
from monitor.config import MonitorConfig
from monitor.errors import ConfigError
from monitor.ingest import FileInfo, inspect_file
from monitor.messages import Alert, Event, Verdict
from monitor.parts import load_parts
from monitor.recorded import replay
from monitor.steps import Parts
from monitor.terminal import recording_progress


def replay_files(
    files: list[Path],
    config: MonitorConfig | None,
    *,
    weights: str | None,
    as_json: bool,
    console: Console | None = None,
) -> None:
    """Judges recordings one after the other and prints what was decided.

    Args:
        files: the recordings; all are opened once before the first is judged.
        config: `faces`, `encoder` and `decision` are taken from it; None takes the defaults.
        weights: encoder weights, instead of the configuration's.
        as_json: print one alert per line, as published; else a table of each file's tracks.
        console: where tables go; standard output by default.

    Raises:
        SourceError: a file is missing or has no video.
        GendError: weights or face detector cannot be had.
    """
    recordings = [(path, inspect_file(path)) for path in files]
    settings = _settings(config, weights)
    parts = load_parts(settings)
    console = console or Console()
    for path, info in recordings:
        tracks = _Tracks()
        for at_s, output in _with_progress(path, info, settings, parts):
            if isinstance(output, Verdict):
                tracks.add(output)
            elif not as_json:
                console.out(_line(at_s, output), highlight=False)
            elif isinstance(output, Alert):
                console.out(payloads.alert(output), highlight=False)
        if not as_json:
            console.print(tracks.table(path))


def _with_progress(
    path: Path, info: FileInfo, settings: MonitorConfig, parts: Parts
) -> Iterator[tuple[float, Verdict | Alert | Event]]:
    started = info.created or datetime.fromtimestamp(path.stat().st_mtime, tz=UTC)
    with recording_progress() as progress:
        task = progress.add_task(path.name, total=info.duration_s)
        for at_s, outputs in replay(path, settings, parts, stream=_stream_name(path), started=started):
            progress.update(task, completed=at_s)
            yield from ((at_s, output) for output in outputs)


class _Tracks:
    """The last word on each track, and how sure it ever was."""

    def __init__(self) -> None:
        self._first: dict[str, Verdict] = {}
        self._last: dict[str, Verdict] = {}
        self._highest: dict[str, float] = {}

    def add(self, verdict: Verdict) -> None:
        self._first.setdefault(verdict.track, verdict)
        self._last[verdict.track] = verdict
        self._highest[verdict.track] = max(verdict.evidence, self._highest.get(verdict.track, 0.0))

    def table(self, path: Path) -> Table:
        table = Table("track", "from", "to", "verdict", "evidence", "crops", "p(fake)", "why", title=str(path))
        for name, verdict in self._last.items():
            probability = "" if verdict.mean_probability is None else f"{verdict.mean_probability:.2f}"
            table.add_row(
                name, _minutes(self._first[name].at_s), _minutes(verdict.at_s), verdict.state,
                f"{self._highest[name]:.1f}", str(verdict.samples), probability, ", ".join(verdict.reasons),
            )  # fmt: skip
        table.caption = "evidence: its highest; p(fake): mean over the crops"
        return table


def _line(at_s: float, output: Alert | Event) -> str:
    if isinstance(output, Event):
        return f"{_minutes(at_s)} {output.kind}: {output.text}"
    return f"{_minutes(at_s)} {output.type.upper()} {output.track}: {output.reason}, {output.evidence:.1f}"


def _minutes(at_s: float) -> str:
    minutes, seconds = divmod(int(at_s), 60)
    return f"{minutes}:{seconds:02}"


def _settings(config: MonitorConfig | None, weights: str | None) -> MonitorConfig:
    if config is None:
        config = MonitorConfig.model_validate({"streams": [{"name": "replay", "url": "file:replay"}]})
    if weights is None:
        return config
    if not weights.strip():
        raise ConfigError("--weights: empty")
    return config.model_copy(update={"encoder": config.encoder.model_copy(update={"weights": weights})})


def _stream_name(path: Path) -> str:
    """A valid stream name made of the file's."""
    name = re.sub(r"[^a-z0-9_-]+", "-", path.stem.lower()).strip("-_")
    return name[:63] or "recording"

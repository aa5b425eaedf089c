"""Makes the actions of a running service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from monitor.actions.adapters import AdapterActions
from monitor.actions.alerts import AlertActions
from monitor.actions.all import Actions
from monitor.actions.board import BoardActions
from monitor.actions.calibrations import CalibrationActions
from monitor.actions.configuration import ConfigurationActions
from monitor.actions.evidence import EvidenceActions
from monitor.actions.live import LiveActions
from monitor.actions.pictures import PictureActions
from monitor.actions.promises import Promises, Watching
from monitor.actions.recent import RecentActions
from monitor.actions.scores import ScoreActions
from monitor.actions.snoozes import SnoozeActions
from monitor.actions.streams import StreamActions, Watched
from monitor.actions.system import Service, SystemActions
from monitor.changes import Changes
from monitor.clock import Clock
from monitor.config import MonitorConfig
from monitor.live import Live
from monitor.messages import Status
from monitor.previews import Previews
from monitor.recent import RecentFaces
from monitor.steps import Parts
from monitor.store import EpisodeReader, opened_reviews
from monitor.uploads import ScoreJobs


class Configured(Protocol):
    """What is in force now, which may be another in a moment."""

    @property
    def config(self) -> MonitorConfig:
        """By which streams are watched and judged."""

    @property
    def parts(self) -> Parts:
        """What they are watched and judged with."""


class Seen(Watched, Watching, Service, Protocol):
    """What is read of the running service."""


def new_actions(
    configured: Configured,
    seen: Seen,
    store: EpisodeReader,
    live: Live,
    previews: Previews,
    *,
    recent: RecentFaces,
    clock: Clock,
    heed_snoozes: Callable[[], Awaitable[None]],
    reload: Callable[[], Awaitable[Changes]] | None,
    fingerprint: str | None,
    jobs: ScoreJobs | None = None,
) -> Actions:
    """Hands each what it needs.

    Args:
        configured: what is in force.
        seen: what is read of the service.
        store: where alerts are found.
        live: what happens now.
        previews: what streams show now.
        recent: what they showed of late.
        clock: that of the service.
        heed_snoozes: has the service look at what was snoozed.
        reload: reads the configuration file and takes it over; None where there is none.
        fingerprint: of the key that signs evidence; None where none is kept.
        jobs: scores what is sent; None where nothing may be.
    """
    parts = configured.parts  # of which only the calibrations change

    def config() -> MonitorConfig:
        return configured.config

    # Opened for each word, as the command line does it: where the file was replaced, none is lost in the old one.
    book = partial(opened_reviews, config().store.url.get_secret_value())
    promises = Promises(config, lambda: configured.parts.calibrations, seen)

    def names() -> list[str]:
        return [stream.name for stream in config().streams]

    def status(stream: str) -> Status | None:
        return next((status for status in seen.statuses() if status.stream == stream), None)

    def min_face_px() -> float:
        return config().faces.min_face_px

    return Actions(
        streams=StreamActions(config, seen, promises, parts.adapters),
        live=LiveActions(names, live, store),
        pictures=PictureActions(names, previews, live, status, min_face_px),
        board=BoardActions(names, seen, previews, live, min_face_px),
        recent=RecentActions(names, recent, clock.now_s),
        alerts=AlertActions(store, book),
        snoozes=SnoozeActions(names, book, heed_snoozes),
        evidence=EvidenceActions(lambda: config().evidence, lambda: fingerprint, store),
        calibrations=CalibrationActions(names, promises),
        adapters=AdapterActions(names, parts.adapters),
        configuration=ConfigurationActions(reload),
        scores=ScoreActions(jobs, round(config().web.upload_mb * 1e6)),
        system=SystemActions(
            config, seen, parts.model, face_detector=parts.face_detector, notices=parts.encoder.notices, jobs=jobs
        ),
    )

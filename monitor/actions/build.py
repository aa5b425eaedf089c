"""Makes the actions of a running service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from monitor.actions.adapters import AdapterActions
from monitor.actions.added_streams import AddedStreamActions
from monitor.actions.alerts import AlertActions
from monitor.actions.all import Actions
from monitor.actions.board import BoardActions
from monitor.actions.calibrations import CalibrationActions
from monitor.actions.calls import CallActions
from monitor.actions.configuration import ConfigurationActions
from monitor.actions.evidence import EvidenceActions
from monitor.actions.live import LiveActions
from monitor.actions.pictures import PictureActions
from monitor.actions.promises import Promises, Watching
from monitor.actions.publishing import CallKeeper, Publishing
from monitor.actions.recent import RecentActions
from monitor.actions.scores import ScoreActions
from monitor.actions.snoozes import SnoozeActions
from monitor.actions.streams import StreamActions, Watched
from monitor.actions.system import Service, SystemActions
from monitor.added import AddedStreams
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
    publishing: Publishing | None = None,
    calls: CallKeeper | None = None,
    added: AddedStreams | None = None,
    amend: Callable[[AddedStreams], Awaitable[Changes]] | None = None,
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
        publishing: knows who may publish; None: nobody.
        calls: begins calls.
        added: streams besides those of the file; None where there is none.
        amend: has the service take over what was added; None with `added`.
    """
    parts = configured.parts  # of which only the calibrations change

    def config() -> MonitorConfig:
        return configured.config

    # Opened for each word, as the command line does it: where the file was replaced, none is lost in the old one.
    book = partial(opened_reviews, config().store.url.get_secret_value())
    promises = Promises(config, lambda: configured.parts.calibrations, seen)

    def names() -> list[str]:
        return [stream.name for stream in config().streams]

    def watched() -> list[str]:
        return [*names(), *seen.kin]

    def status(stream: str) -> Status | None:
        return next((status for status in seen.statuses() if status.stream == stream), None)

    def min_face_px() -> float:
        return config().faces.min_face_px

    return Actions(
        streams=StreamActions(config, seen, promises, parts.adapters),
        calls=CallActions(publishing, calls),
        live=LiveActions(watched, live, store, seen.kin.of),
        pictures=PictureActions(watched, previews, live, status, min_face_px, call_of=seen.kin.of),
        board=BoardActions(watched, seen, previews, live, min_face_px, call_of=seen.kin.of),
        recent=RecentActions(watched, recent, clock.now_s, call_of=seen.kin.of),
        alerts=AlertActions(store, book),
        snoozes=SnoozeActions(names, book, heed_snoozes),
        evidence=EvidenceActions(lambda: config().evidence, lambda: fingerprint, store),
        calibrations=CalibrationActions(names, promises),
        adapters=AdapterActions(names, parts.adapters),
        configuration=ConfigurationActions(reload),
        added_streams=AddedStreamActions(None if amend is None else added, amend or _nothing),
        scores=ScoreActions(jobs, round(config().web.upload_mb * 1e6)),
        system=SystemActions(
            config, seen, parts.model, face_detector=parts.face_detector, notices=parts.encoder.notices, jobs=jobs
        ),
    )


async def _nothing(_: AddedStreams) -> Changes:
    raise AssertionError("nothing can be added to a service that was not started from a file")

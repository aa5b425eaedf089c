"""The service itself: its version, what judges, and whether all of it works."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Protocol

from monitor.access import Principal
from monitor.broadcast import BroadcastStatistics
from monitor.config import MonitorConfig
from monitor.health import Health
from monitor.kin import Kin
from monitor.messages import ModelIdentity
from monitor.store import StoreStatistics
from monitor.uploads import ScoreJobs, UploadStatistics
from monitor.worker import WorkerStatistics

_LIBRARIES = ("av", "openvino", "torch", "numpy", "opencv-python-headless", "fastapi", "sqlalchemy")


@dataclass(frozen=True, slots=True)
class Versions:
    """What runs."""

    software: str
    python: str
    platform: str
    libraries: dict[str, str]


@dataclass(frozen=True, slots=True)
class Workers:
    """Where streams are analysed.

    Attributes:
        isolation: `process` or `thread`.
        restarts: times that a stream's process had to be replaced, by stream.
    """

    isolation: str
    restarts: dict[str, int]


@dataclass(frozen=True, slots=True)
class System:
    """Everything that is not a stream's."""

    versions: Versions
    uptime_s: float
    health: Health
    model: ModelIdentity
    face_detector: str
    notices: tuple[str, ...]
    store: StoreStatistics
    workers: Workers
    listeners: BroadcastStatistics
    uploads: UploadStatistics | None
    """None where nothing may be sent to be scored."""


class Service(Protocol):
    """What is needed of the running service."""

    @property
    def kin(self) -> Kin:
        """Which streams are calls, and of which others."""

    def health(self) -> Health:
        """Whether everything that should run does."""

    def store_statistics(self) -> StoreStatistics:
        """What waits to be delivered."""

    def stream_statistics(self) -> Mapping[str, WorkerStatistics]:
        """What the worker of each stream has counted."""

    def broadcast_statistics(self) -> BroadcastStatistics:
        """Who listens."""


class SystemActions:
    """Shows the service.

    Args:
        config: as it is now.
        service: what runs.
        model: what judges.
        face_detector: what finds faces.
        notices: what must be said wherever its answers are shown.
        jobs: files that are sent to be scored; None where nothing may be.
        now_s: seconds on some clock that never goes back.
    """

    def __init__(
        self,
        config: Callable[[], MonitorConfig],
        service: Service,
        model: ModelIdentity,
        *,
        face_detector: str,
        notices: tuple[str, ...],
        jobs: ScoreJobs | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._service = service
        self._model = model
        self._face_detector = face_detector
        self._notices = notices
        self._jobs = jobs
        self._now_s = now_s
        self._began_s = now_s()
        self._versions = _versions()

    def versions(self, principal: Principal) -> Versions:
        """What runs."""
        principal.require("viewer")
        return self._versions

    def show(self, principal: Principal) -> System:
        """All of it; of streams only those that they may see."""
        principal.require("viewer")
        health = self._service.health()
        streams = {name: state for name, state in health.streams.items() if principal.sees(name)}
        statistics, kin = self._service.stream_statistics(), self._service.kin
        return System(
            self._versions,
            self._now_s() - self._began_s,
            replace(health, streams=streams),
            self._model,
            self._face_detector,
            self._notices,
            self._service.store_statistics(),
            Workers(
                self._config().workers.isolation,
                {name: each.restarts for name, each in statistics.items() if principal.sees(kin.of(name))},
            ),
            self._service.broadcast_statistics(),
            None if self._jobs is None else self._jobs.statistics(),
        )


def _versions() -> Versions:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except ModuleNotFoundError:  # an extra that is not installed
            continue
    return Versions(version("gend-monitor"), platform.python_version(), platform.system(), found)

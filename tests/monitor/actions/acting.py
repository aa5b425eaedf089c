"""Actions on a real store, a real evidence folder and a real broadcast; only the pipeline beneath is made up."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from monitor.access import Principal
from monitor.actions import Actions, new_actions
from monitor.broadcast import Broadcast, BroadcastStatistics
from monitor.clock import LiveClock
from monitor.config import MonitorConfig
from monitor.health import Health
from monitor.ingest import ReaderStatistics
from monitor.kin import Kin
from monitor.live import Live
from monitor.messages import ModelIdentity, Status
from monitor.previews import Previews
from monitor.recent import RecentFaces
from monitor.snoozes import Snoozes
from monitor.steps import Encoder, Parts
from monitor.store import EpisodeReader, Store, StoreStatistics
from monitor.tracking import TrackingStatistics
from monitor.uploads import Judge, ScoreJobs
from monitor.worker import WorkerStatistics

SINCE = datetime(2026, 1, 31, 12, tzinfo=UTC)
VIEWER, OPERATOR, ADMIN = Principal("vera", "viewer"), Principal("otto", "operator"), Principal("ada", "admin")
ELSEWHERE = Principal("gustav", "admin", frozenset({"gate"}))
"""May do everything, on another stream than `lobby`."""


class _Encoder:
    notices = ("demo encoder: not for real use",)


def a_configuration(folder: Path, **sections: Any) -> MonitorConfig:
    """Of two streams; the first has a password."""
    return MonitorConfig.model_validate(
        {
            "streams": [
                {"name": "lobby", "url": "rtsp://user:s3cr%2Ft@camera.example/main?token=t0ken-of-it"},
                {"name": "gate", "url": "file:gate.mp4"},
            ],
            "store": {"url": f"sqlite+aiosqlite:///{folder}/alerts.db"},
            "evidence": {"folder": folder / "evidence"},
            **sections,
        }
    )


def _worker_statistics() -> WorkerStatistics:
    def zeros(made: Any, **values: Any) -> Any:
        names = inspect.signature(made).parameters
        return made(**{name: values.get(name, 0) for name in names})

    reader = zeros(ReaderStatistics, frames=1500, fps=25.0, degraded=None, substream=None)
    tracking = zeros(TrackingStatistics, gated={"small": 7}, degraded=None, faces=2)
    return WorkerStatistics(reader, tracking, superseded=12, failures=0)


@dataclass
class Watched:
    """Two streams, of which one is live."""

    live: Live
    store: Store
    worker: WorkerStatistics = field(default_factory=_worker_statistics)
    kin: Kin = field(default_factory=Kin)

    def statuses(self) -> list[Status]:
        return [
            Status("lobby", "live", SINCE, fps=25.0, faces=2),
            Status("gate", "stalled", SINCE, ("slow",), "no frame for 10 s"),
            *(Status(call, "live", SINCE) for call in self.kin),
        ]

    def stream_statistics(self) -> Mapping[str, WorkerStatistics]:
        return {"lobby": self.worker, "gate": self.worker}

    def alerting(self, stream: str) -> bool:
        return stream == "lobby"

    def drift(self, stream: str) -> str | None:
        return None

    def drifted(self) -> Mapping[str, bool]:
        return {}

    def learning(self) -> None:
        return None

    def health(self) -> Health:
        return Health(True, "ok", "ok", "connected", {"lobby": "live", "gate": "stalled"})

    def store_statistics(self) -> StoreStatistics:
        return self.store.statistics()

    def broadcast_statistics(self) -> BroadcastStatistics:
        return self.live.broadcast.statistics()


@dataclass(frozen=True)
class InForce:
    """A configuration that never changes."""

    config: MonitorConfig
    parts: Parts


@dataclass
class Acting:
    """What a test works with."""

    actions: Actions
    store: Store
    live: Live
    snoozes: Snoozes
    config: MonitorConfig
    jobs: ScoreJobs
    """Nobody works on them."""
    previews: Previews
    recent: RecentFaces
    kin: Kin


@asynccontextmanager
async def acting(folder: Path, broadcast: Broadcast | None = None, **sections: Any) -> AsyncIterator[Acting]:
    """Opens everything, in that folder."""
    config = a_configuration(folder, **sections)
    url = config.store.url.get_secret_value()
    store = await Store.open(url)
    episodes = await EpisodeReader.open(url)
    kin = Kin()
    live = Live(LiveClock(), broadcast, kin)
    snoozes = Snoozes(store, lambda _: None)
    model = ModelIdentity("demo", "0" * 64, None, "torch", "fp32")
    parts = Parts(cast("Encoder", _Encoder()), model, cast("Any", None), face_detector="yunet")
    judge = Judge(
        weights="demo", engine="auto", precision="auto", device="auto", max_logit_drift=0.1, face_detector="auto"
    )
    jobs = ScoreJobs(judge, most_waiting=20)
    previews = Previews(lambda *_: None)
    recent = RecentFaces()
    actions = new_actions(
        InForce(config, parts),
        Watched(live, store, kin=kin),
        episodes,
        live,
        previews,
        recent=recent,
        clock=LiveClock(),
        heed_snoozes=snoozes.read,
        reload=None,
        fingerprint=None,
        jobs=jobs,
    )
    try:
        yield Acting(actions, store, live, snoozes, config, jobs, previews, recent, kin)
    finally:
        await jobs.aclose()
        await episodes.aclose()
        await store.aclose()

"""What can be read of a running service: how its streams are, whether all of it works, and every figure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from monitor.broadcast import BroadcastStatistics
from monitor.calls import Calls
from monitor.evidence import EvidenceKeeper
from monitor.figures import samples
from monitor.health import Health
from monitor.kin import Kin
from monitor.learning import Learner, LearningStatistics
from monitor.live import Live
from monitor.loop_lag import LoopLag
from monitor.messages import Status
from monitor.metrics import AnySample
from monitor.notify import Notifier
from monitor.pipeline import Pipeline
from monitor.previews import Previews
from monitor.publish import MqttPublisher
from monitor.recorder import Recorder
from monitor.snoozes import Snoozes
from monitor.store import OutboxRow, Store, StoreStatistics
from monitor.worker import WorkerStatistics


class View:
    """Looks at the parts and changes none of them. Belongs to the event loop; none of its methods waits."""

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        store: Store,
        recorder: Recorder,
        publisher: MqttPublisher[OutboxRow],
        notifier: Notifier[OutboxRow],
        snoozes: Snoozes,
        live: Live,
        calls: Calls,
        evidence: EvidenceKeeper | None,
        learner: Learner | None,
        previews: Previews,
        loop_lag: LoopLag,
    ) -> None:
        self._pipeline = pipeline
        self._store = store
        self._recorder = recorder
        self._publisher = publisher
        self._notifier = notifier
        self._snoozes = snoozes
        self._live = live
        self._calls = calls
        self._evidence = evidence
        self._learner = learner
        self._previews = previews
        self._loop_lag = loop_lag

    @property
    def kin(self) -> Kin:
        """Which streams are calls, and of which others."""
        return self._pipeline.kin

    def statuses(self) -> list[Status]:
        """The state of every stream now: of those that take calls, and of each call, too."""
        return [
            replace(status, snoozed_until=self._snoozes.until(self.kin.of(status.stream)))
            for status in (*self._pipeline.statuses(), *self._calls.statuses())
        ]

    def stream_statistics(self) -> Mapping[str, WorkerStatistics]:
        """What the worker of each stream has counted."""
        return self._pipeline.statistics().streams

    def alerting(self, stream: str) -> bool:
        """Whether an alert stands on the stream."""
        return self._pipeline.alerting(stream)

    def drift(self, stream: str) -> str | None:
        """What of the stream's scores no longer fits its calibration; None while all does, or nobody can tell."""
        return self._pipeline.drift(stream)

    def drifted(self) -> Mapping[str, bool]:
        """Whether scores no longer fit, of the streams that are compared with a calibration."""
        return self._pipeline.statistics().decision.drifted

    def learning(self) -> LearningStatistics | None:
        """What was learnt since the start; None where nothing is learnt."""
        return None if self._learner is None else self._learner.statistics()

    def store_statistics(self) -> StoreStatistics:
        """What waits to be delivered."""
        return self._store.statistics()

    def broadcast_statistics(self) -> BroadcastStatistics:
        """Who listens."""
        return self._live.broadcast.statistics()

    def health(self) -> Health:
        """Whether everything that should run does."""
        encoder = self._pipeline.scoring_failure or "ok"
        store = self._recorder.failure or self._publisher.statistics().store_failure or "ok"
        starved = sum(self._pipeline.starved().values())
        faces = "a face wait" if starved == 1 else f"{starved} faces wait"
        return Health(
            ready=encoder == store == "ok",
            encoder=encoder,
            store=store,
            mqtt="connected" if self._publisher.connected else "disconnected",
            streams={each.stream: each.state for each in self.statuses() if not self.kin.passing(each.stream)},
            notify={target.name: target.failing or "ok" for target in self._notifier.statistics()},
            shortages=(f"the encoder is too slow: crops of {faces} too long to be scored",) if starved else (),
        )

    def samples(self) -> list[AnySample]:
        """Every figure."""
        return samples(
            self._pipeline.statistics(),
            self.statuses(),
            self._recorder.statistics(),
            self._store.statistics(),
            self._publisher.statistics(),
            targets=self._notifier.statistics(),
            listeners=self.broadcast_statistics(),
            evidence=None if self._evidence is None else self._evidence.statistics(),
            learning=self.learning(),
            calls=self._calls.counts(),
            calls_refused=self._calls.refused,
            previews=self._previews.statistics(),
            loop_lag=self._loop_lag.snapshot(),
            ready=self.health().ready,
            now=datetime.now(UTC),
        )

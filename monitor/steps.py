"""What live streams and recordings have in common: what they are made of, and how their steps are set up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from gend.faces import FaceDetector
from gend.preprocess import encoder_input
from gend.resample import Interpolation
from monitor.adapters import StreamAdapters
from monitor.calibrations import StreamCalibrations
from monitor.clips import RingPlan
from monitor.clock import Clock
from monitor.config import MonitorConfig
from monitor.decision import Decision, Statistic
from monitor.decision import Encoder as CalibratedEncoder
from monitor.kin import Kin
from monitor.messages import Crop, Logit, ModelIdentity
from monitor.scoring import Encoder as ScoringEncoder
from monitor.scoring import score
from monitor.stream_config import StreamConfig
from monitor.usage import Usage
from monitor.worker import WorkerPlan


class Encoder(ScoringEncoder, Protocol):
    """What a pipeline needs of the detector; `gend.model.Detector` is one."""

    @property
    def input_px(self) -> int:
        """Side of the encoder's input, pixels."""

    @property
    def interpolation(self) -> Interpolation:
        """How crops are resized to it."""

    @property
    def notices(self) -> tuple[str, ...]:
        """What must be said wherever its answers are shown."""


class EncoderProcess(Protocol):
    """What there is to know and to do where the encoder has a process of its own."""

    @property
    def failure(self) -> str | None:
        """Why it cannot be asked now: it ended, and another one is being loaded. None while it can."""

    @property
    def restarts(self) -> int:
        """Times it was replaced."""

    @property
    def usage(self) -> Usage:
        """What it takes of the machine; processor time goes on over restarts."""

    def give_up(self) -> None:
        """Ends it over the batch that it has: that is overdue. Returns at once."""

    def close(self) -> None:
        """Ends it for good."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a pipeline is made of besides its configuration; loaded once, before anything starts."""

    encoder: Encoder
    model: ModelIdentity
    new_face_detector: Callable[[], FaceDetector]
    """Makes a detector for one stream, in the process that will use it: can be pickled."""
    adapters: StreamAdapters = field(default_factory=StreamAdapters)
    """Which fine-tune of the encoder judges which stream."""
    face_detector: str = "auto"
    """Name of the face detector."""
    calibrations: StreamCalibrations = field(default_factory=StreamCalibrations)
    """What false alarms of each stream are measured by."""
    process: EncoderProcess | None = None
    """The encoder's own; None: it runs in this one."""

    def close(self) -> None:
        """Nothing is scored any more."""
        if self.process is not None:
            self.process.close()

    def encoder_of(self, stream: StreamConfig) -> CalibratedEncoder:
        """What scores a stream, as calibrations name it."""
        return CalibratedEncoder.of(replace(self.model, adapter=stream.adapter), self.adapters.sha256(stream.adapter))


def score_all(crops: list[Crop], parts: Parts, batch: int) -> list[Logit]:
    """The encoder's answers to crops, in their order, `batch` at a time."""
    return [
        logit
        for start in range(0, len(crops), batch)
        for logit in score(parts.encoder, crops[start : start + batch], parts.model.weights)
    ]


def statistic_of(config: MonitorConfig, parts: Parts, kin: Kin) -> Callable[[str], Statistic]:
    """What each stream is decided by, computed now."""
    of = parts.calibrations.statistics(config.decision)
    return lambda stream: of(kin.of(stream))


def new_decision(
    config: MonitorConfig,
    parts: Parts,
    clock: Clock,
    new_id: Callable[[], str],
    *,
    epoch_s: float | None = None,
    kin: Kin | None = None,
) -> Decision:
    """The last step, with calibrations where there are some.

    Args:
        config: `decision` and `faces` are used.
        parts: encoder and calibrations.
        clock: translates `at_s` into the time of day.
        new_id: makes ids of alerts and episodes.
        epoch_s: as `Decision`'s.
        kin: streams that are judged by the settings of others; None: there are none.
    """
    kin = Kin() if kin is None else kin
    return Decision(
        config.decision,
        statistic_of(config, parts, kin),
        clock=clock,
        model_of=lambda stream: replace(parts.model, adapter=parts.adapters.of(kin.of(stream))),
        notices=parts.encoder.notices,
        new_id=new_id,
        base_crops_per_s=config.faces.crops_per_s,
        max_crops_per_s=config.faces.max_crops_per_s,
        epoch_s=epoch_s,
    )


def worker_plan(config: MonitorConfig, stream: StreamConfig, parts: Parts) -> WorkerPlan:
    """What a stream's worker is made of, wherever it runs: can be pickled."""
    encoder = parts.encoder
    prepare = partial(encoder_input, input_px=encoder.input_px, interpolation=encoder.interpolation)
    return WorkerPlan(stream, config.faces, parts.new_face_detector, prepare, _ring(config), config.webrtc)


def _ring(config: MonitorConfig) -> RingPlan | None:
    evidence = config.evidence
    if evidence is None or not evidence.clip_s:
        return None
    return RingPlan(evidence.clip_s, round(evidence.clip_mb * 1e6))

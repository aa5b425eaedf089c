"""What a calibration keeps: how logits are scored, and how high real sessions came. Nothing of any picture.

It is of one encoder, one engine, one adapter, one way of sampling and one length of session; with another of these
its numbers mean nothing, so it is refused. The promise is not in it but follows from it (`promise.py`), so that another
rate of false alarms needs no new calibration.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gend.whole_files import written_whole
from monitor.config import FacesConfig
from monitor.decision.likelihood import LikelihoodRatio
from monitor.decision.population import Population
from monitor.decision.promise import Aim, Promise, PromiseCurve, promise, promise_curve
from monitor.decision.reference import Reference
from monitor.decision.scores import AS_IT_IS, Curve, Scorer
from monitor.decision.track_scores import TrackScores
from monitor.decision_config import DecisionConfig
from monitor.errors import ConfigError
from monitor.messages import ModelIdentity

SCHEMA = 1
STATISTIC = 2
"""Number of the statistic that peaks are of: counted up with any change of `likelihood.py`, its constants included, or
of how crops and blocks count."""
LEAST_NATS = 0.2
"""No alert is raised on evidence that hardly speaks for a fake, whatever a calibration would allow."""

_POLICY = (
    "analysis_fps",
    "analysis_px",
    "search_every",
    "min_face_px",
    "reassociate_s",
    "crops_per_s",
    "min_confidence",
    "min_sharpness",
    "max_yaw",
)
"""Settings of `faces` that decide which crops are scored."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Encoder(_Part):
    """The encoder whose logits were calibrated; as `ModelIdentity`."""

    weights: str
    sha256: str
    adapter: str | None
    adapter_sha256: str | None = None
    engine: str
    precision: str

    @classmethod
    def of(cls, model: ModelIdentity, adapter_sha256: str | None = None) -> Self:
        """The same, of a message, with the hash of the adapter's file."""
        return cls(
            weights=model.weights,
            sha256=model.sha256,
            adapter=model.adapter,
            adapter_sha256=adapter_sha256,
            engine=model.engine,
            precision=model.precision,
        )


class QualityCurve(_Part):
    """The curve of crops from one quality on."""

    least_quality: float = Field(ge=0, le=1)
    kind: Literal["platt", "beta"]
    above: float = Field(ge=0, allow_inf_nan=False)
    below: float = Field(ge=0, allow_inf_nan=False)
    offset: Finite


class RealPeople(_Part):
    """How real people score; as `Population`."""

    mean: Finite
    between: Positive
    noise: Positive
    shift: Positive

    @classmethod
    def of(cls, population: Population) -> Self:
        """The same."""
        return cls(**asdict(population))


class Track(_Part):
    """One face of a session."""

    peak: float = Field(ge=0, allow_inf_nan=False, description="Its highest evidence.")
    blocks: int = Field(ge=0, description="Seconds in which a crop of it was scored.")
    mean: Finite = Field(description="Mean of their scores.")
    deviation: float = Field(ge=0, allow_inf_nan=False, description="Of their scores about the mean.")


class Session(_Part):
    """One recording, one call or one camera-day of real people."""

    name: str
    tracks: tuple[Track, ...]

    @property
    def blocks(self) -> int:
        """Seconds of its tracks in which a crop was scored."""
        return sum(track.blocks for track in self.tracks)

    @property
    def peaks(self) -> tuple[float, ...]:
        """Highest evidence of each track."""
        return tuple(track.peak for track in self.tracks)


class Calibration(_Part):
    """The whole file."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    made: datetime
    software: str
    encoder: Encoder
    policy: dict[str, Any] = Field(description="The settings of `faces` that decide which crops are scored.")
    session_hours: Positive
    curves: tuple[QualityCurve, ...] = Field(min_length=1)
    calibration_error: float | None = Field(description="ECE of the curves on sessions that they were not made of.")
    correlation_blocks: float = Field(ge=1, allow_inf_nan=False)
    population: RealPeople
    statistic: int = Field(default=STATISTIC, description="Number of the statistic that `peaks` are of.")
    sessions: tuple[Session, ...]
    sha256: str = ""

    @model_validator(mode="after")
    def _bins_rise(self) -> Self:
        edges = [curve.least_quality for curve in self.curves]
        if edges[0] != 0 or edges != sorted(set(edges)):
            raise ValueError("curves: their least_quality begins with 0 and rises")
        return self

    @property
    def scorer(self) -> Scorer:
        """What makes scores of logits."""
        curves = tuple(Curve(each.kind, each.above, each.below, each.offset) for each in self.curves)
        return Scorer(tuple(each.least_quality for each in self.curves), curves)

    @property
    def curved(self) -> bool:
        """Whether scores are log-likelihood ratios, and not log-odds as the encoder gave them."""
        return any(curve != AS_IT_IS for curve in self.scorer.curves)

    def rule(self, cap: float = math.inf) -> LikelihoodRatio:
        """What makes evidence of scores."""
        return LikelihoodRatio(Population(**self.population.model_dump()), cap)

    def promise(self, config: DecisionConfig) -> Promise:
        """What follows for what is asked for."""
        return promise(self._peaks(), self._aim(config), least=LEAST_NATS)

    def promise_curve(self, config: DecisionConfig) -> PromiseCurve:
        """What could be promised at which threshold, whatever rate is asked for."""
        return promise_curve(self._peaks(), self._aim(config), least=LEAST_NATS)

    def _peaks(self) -> list[NDArray[np.float64]]:
        return [np.array(session.peaks) for session in self.sessions]

    def _aim(self, config: DecisionConfig) -> Aim:
        return Aim(
            config.false_alarms_per_stream_day, self.session_hours, config.max_alerts_per_session, config.confidence
        )

    def reference(self, least_blocks: int) -> Reference | None:
        """What sessions to come are compared with; None where those with a track of so many blocks are too few."""
        sessions = [
            [TrackScores(track.blocks, track.mean, track.deviation) for track in session.tracks]
            for session in self.sessions
        ]
        return Reference.of(sessions, least_blocks)

    def refusal(self, encoder: Encoder, policy: Mapping[str, Any]) -> str | None:
        """Why it cannot be used with this encoder and `sampling_policy`, with both values; None if it can."""
        if self.statistic != STATISTIC:
            return f"of statistic {self.statistic} ({self.software}), but this software decides by {STATISTIC}"
        return difference(self.encoder, self.policy, encoder, policy)

    def write(self, path: Path) -> None:
        """Writes the file, with the hash of what is in it.

        Raises:
            OSError: it cannot be written.
        """
        content = self._content()
        text = json.dumps({**content, "sha256": _digest(content)}, indent=1)
        with written_whole(path) as unfinished:
            unfinished.write_text(text + "\n", encoding="utf-8")

    def _content(self) -> dict[str, Any]:
        content = self.model_dump(mode="json", by_alias=True)
        content.pop("sha256")
        return content


def sampling_policy(faces: FacesConfig, detector: str, ignore: Sequence[Any] = ()) -> dict[str, Any]:
    """The settings that decide which crops are scored.

    Args:
        faces: the section.
        detector: the one that `auto` came to.
        ignore: what of the stream's picture is not looked at.
    """
    areas = [[list(point) for point in area] for area in ignore]
    return {"detector": detector, "ignore": areas, **{name: getattr(faces, name) for name in _POLICY}}


def read_calibration(path: Path) -> Calibration:
    """Reads a file of `gend-monitor calibrate`.

    Raises:
        ConfigError: there is none, it is of another version, it was edited, or something in it is wrong.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ConfigError(f"{path}: no calibration, but something else ({error})") from error
    if not isinstance(content, dict) or "schema" not in content:
        raise ConfigError(f"{path}: no calibration, but something else")
    if content["schema"] != SCHEMA:
        raise ConfigError(f"{path}: of version {content['schema']}; this software reads version {SCHEMA}")
    said = content.pop("sha256", None)
    if said != _digest(content):
        raise ConfigError(f"{path}: was changed after it was made; calibrate again")
    try:
        return Calibration.model_validate({**content, "sha256": said})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{path}: {place}: {first['msg']}") from error


def difference(
    made_for: Encoder, made_by: Mapping[str, Any], encoder: Encoder, policy: Mapping[str, Any]
) -> str | None:
    """What keeps numbers of one encoder and `sampling_policy` from another, with both values; None where nothing."""
    mine, here = made_for.model_dump(), encoder.model_dump()
    if mine["adapter_sha256"] != here["adapter_sha256"] and mine["adapter"] == here["adapter"]:
        hashes = [str(each["adapter_sha256"])[:12] for each in (mine, here)]
        return f"made for adapter {mine['adapter']} ({hashes[0]}), but its file has changed ({hashes[1]})"
    if (mine["sha256"], mine["adapter"]) != (here["sha256"], here["adapter"]):
        said = [f"{each['weights']} ({each['sha256'][:12]}, adapter {each['adapter']})" for each in (mine, here)]
        return f"made for the encoder {said[0]}, but {said[1]} is used"
    for name in ("engine", "precision"):
        if mine[name] != here[name]:
            return f"made with encoder.{name} {mine[name]}, but {here[name]} is used"
    for name in sorted({*made_by, *policy}):
        if made_by.get(name) != policy.get(name):
            return f"made with {_place(name)} {_said(made_by.get(name))}, but it is {_said(policy.get(name))} here"
    return None


def _place(name: str) -> str:
    return "ignore" if name == "ignore" else f"faces.{name}"


def _said(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _digest(content: dict[str, Any]) -> str:
    """Of the values, whatever the layout of the file."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

"""The configuration file: one pydantic model per section, every field with its unit in its name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from gend.face_detectors import PATTERN as FACE_DETECTOR_PATTERN
from monitor.config_section import Section
from monitor.decision_config import DecisionConfig
from monitor.mqtt_config import MqttConfig
from monitor.notify_config import TargetConfig, check_targets
from monitor.redact import url_secrets
from monitor.stream_config import STREAM_NAME, StreamConfig
from monitor.web_config import WebConfig
from monitor.webrtc_config import WebRtcConfig


class FacesConfig(Section):
    """How faces are found, followed and chosen for scoring."""

    detector: str = Field(
        default="auto",
        pattern=FACE_DETECTOR_PATTERN,
        description="`auto` takes YuNet, or BlazeFace where YuNet cannot be fetched; `scrfd:FILE` is InsightFace's, "
        "whose weights are for non-commercial research only.",
    )
    analysis_fps: float = Field(default=5, gt=0, le=30, description="Pictures looked at for faces, per second.")
    analysis_px: int | None = Field(
        default=None,
        ge=160,
        le=1920,
        description="Longer side of the picture that is searched, pixels; null: as large as `min_face_px` needs.",
    )
    search_every: int = Field(
        default=2,
        ge=1,
        le=10,
        description="While faces are in sight, pictures of which one at least is searched; in between, faces are "
        "carried on by optical flow where that is certain. 1 searches all.",
    )
    idle_blind_max_s: float = Field(
        default=2,
        ge=0,
        le=30,
        description="Seconds for which a stream without faces, in which nothing moves, may go unlooked at; such a "
        "stream is decoded from keyframe to keyframe where they are no farther apart. 0 always looks.",
    )
    min_face_px: float = Field(
        default=90, ge=16, le=1000, description="Narrowest face that is scored, full-resolution pixels."
    )
    reassociate_s: float = Field(
        default=2, ge=0, le=30, description="Seconds for which a face may be lost and keep its identity."
    )
    crops_per_s: float = Field(default=1, gt=0, le=5, description="Crops scored of a track that asks for no more.")
    max_crops_per_s: float = Field(default=5, gt=0, le=25, description="Crops scored of a track at the most.")
    min_confidence: float = Field(default=0.6, ge=0, le=1, description="Least certainty of the face detector.")
    min_sharpness: float = Field(
        default=12, ge=0, description="Least sharpness of a scored face: variance of its Laplacian at 112 px."
    )
    max_yaw: float = Field(
        default=0.45,
        ge=0,
        le=1,
        description="Farthest turn of a scored face: nose's offset from between the eyes, in eye distances.",
    )


class WorkersConfig(Section):
    """Where streams are read, their faces found, and crops scored."""

    isolation: Literal["process", "thread"] = Field(
        default="process",
        description="`process`: each stream and the encoder in processes of their own, so that nothing a camera sends, "
        "and no fault of an engine, can take the service down; `thread`: all within the service, which saves memory on "
        "a small board and trusts its cameras.",
    )


class EncoderConfig(Section):
    """Which GenD weights score the crops, and on what."""

    weights: str = Field(
        default="yermandy/GenD_CLIP_L_14",
        description="`demo`, a hub id, a folder or file of weights, or a folder of `gend export`.",
    )
    engine: Literal["auto", "torch", "openvino"] = Field(
        default="auto", description="What runs the encoder; `auto` is the fastest on this machine."
    )
    precision: Literal["auto", "fp32", "bf16", "int8"] = Field(
        default="auto",
        description="Arithmetic of the encoder; `auto` takes int8 only where `gend compare` has shown it good enough.",
    )
    max_logit_drift: float = Field(
        default=0.1,
        gt=0,
        description="Largest change of a logit that int8 may cause, as `gend compare` has measured it.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="`auto` takes a GPU where there is one.")
    adapters: dict[Annotated[str, Field(pattern=STREAM_NAME)], str] = Field(
        default={},
        description="Fine-tunes of these weights by name: files made by `gend adapter cut`. They share the encoder. "
        "Others are taken over without a restart.",
    )
    max_batch: int = Field(default=8, ge=1, le=256, description="Crops encoded at once at the most.")
    max_age_s: float = Field(
        default=5, gt=0, le=60, description="Seconds after which a waiting crop is too old to be worth scoring."
    )


class StoreConfig(Section):
    """Where alerts wait until they are delivered."""

    url: SecretStr = Field(
        default=SecretStr("sqlite+aiosqlite:///gend-monitor.db"),
        json_schema_extra={"default": "sqlite+aiosqlite:///gend-monitor.db"},
        description="SQLAlchemy URL: `sqlite+aiosqlite:///FILE` or `postgresql+asyncpg://…`.",
    )

    @field_validator("url")
    @classmethod
    def _database(cls, url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith(("sqlite+aiosqlite://", "postgresql+asyncpg://")):
            raise ValueError("expected sqlite+aiosqlite:///FILE or a postgresql+asyncpg: address")
        return url


class EvidenceConfig(Section):
    """What is kept of an alert for people to look at. Without this section nothing is."""

    folder: Path = Field(description="Where packages are kept, each in a folder of its own.")
    keep_hours: float = Field(default=72, gt=0, le=87600, description="Hours after which a package is removed.")
    max_mb: float = Field(
        default=2000, gt=0, le=1e8, description="Megabytes of all packages; the oldest make room for new ones."
    )
    clip_s: float = Field(
        default=10,
        ge=0,
        le=60,
        description="Seconds of video before the alert, without sound, kept in memory for its clip; 0 keeps none.",
    )
    clip_mb: float = Field(
        default=32, gt=0, le=1000, description="Megabytes of compressed video kept in memory for that, per stream."
    )
    crops: int = Field(default=6, ge=0, le=24, description="Crops of the face in a package at the most.")
    key: Path | None = Field(
        default=None,
        description="PEM file of the Ed25519 key that signs packages, made where there is none; by default "
        "`signing-key.pem` in the folder.",
    )

    @property
    def key_file(self) -> Path:
        """Where the signing key is."""
        return self.key or self.folder / "signing-key.pem"


class MonitorConfig(Section):
    """The whole file."""

    streams: list[StreamConfig] = Field(min_length=1, description="What is watched.")
    faces: FacesConfig = FacesConfig()
    workers: WorkersConfig = WorkersConfig()
    encoder: EncoderConfig = EncoderConfig()
    decision: DecisionConfig = DecisionConfig()
    mqtt: MqttConfig = MqttConfig()
    store: StoreConfig = StoreConfig()
    evidence: EvidenceConfig | None = Field(
        default=None, description="Where crops and clips of alerts are kept; by default nothing is kept anywhere."
    )
    notify: list[TargetConfig] = Field(default=[], description="Whom to tell of alerts besides MQTT.")
    webrtc: WebRtcConfig = WebRtcConfig()
    web: WebConfig = WebConfig()

    def secrets(self) -> list[str]:
        """Every password, token and stream address with credentials, to be hidden wherever text is shown."""
        found = [self.mqtt.password, *(stream.token for stream in self.streams)]
        found += [server.credential for server in self.webrtc.ice_servers]
        secrets = [secret.get_secret_value() for secret in found if secret is not None]
        urls = [self.store.url, *(url for stream in self.streams for url in (stream.url, stream.detect_url))]
        secrets += [secret for url in urls if url is not None for secret in url_secrets(url.get_secret_value())]
        return secrets + [secret for target in self.notify for secret in target.secrets()]

    def calibration_of(self, stream: StreamConfig) -> Path | None:
        """The file that a stream is calibrated by; None where there is none."""
        return stream.calibration or self.decision.calibration

    def place_of_calibration(self, stream: StreamConfig) -> str:
        """The field that says so, for errors."""
        return "decision.calibration" if stream.calibration is None else f"streams.{stream.name}.calibration"

    @model_validator(mode="after")
    def _unique_names(self) -> Self:
        names = [stream.name for stream in self.streams]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"streams: the name {', '.join(twice)} is used more than once")
        return self

    @model_validator(mode="after")
    def _known_adapters(self) -> Self:
        for stream in self.streams:
            if stream.adapter is not None and stream.adapter not in self.encoder.adapters:
                known = ", ".join(self.encoder.adapters) or "none"
                raise ValueError(f"streams.{stream.name}.adapter: {stream.adapter} is not in encoder.adapters: {known}")
        return self

    @model_validator(mode="after")
    def _sound_targets(self) -> Self:
        check_targets(self.notify, [stream.name for stream in self.streams])
        return self

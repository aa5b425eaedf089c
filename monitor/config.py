"""The configuration file: one pydantic model per section, every field with its unit in its name.

What the file may say but this version cannot do yet is refused by name, never ignored.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from gend.face_detectors import PATTERN as FACE_DETECTOR_PATTERN
from monitor.config_section import Section
from monitor.decision_config import DecisionConfig
from monitor.notify_config import TargetConfig, check_targets
from monitor.redact import url_secrets
from monitor.web_config import WebConfig
from monitor.webrtc_config import WebRtcConfig

STREAM_NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"
SCHEMES = ("rtsp", "rtsps", "file", "device", "http", "https", "rtmp", "rtmps", "srt", "udp", "rtp", "tcp")
PUBLISHED = "whip"
"""Scheme of streams that are sent to us."""
PULLED = ("whep+https", "whep+http")
"""Schemes of streams that are fetched over WebRTC."""

Polygon = Annotated[list[tuple[float, float]], Field(min_length=3)]
T = TypeVar("T")


def _not_yet(what: str) -> AfterValidator:
    """Refuses any value but the field's empty one: a clear no is better than a setting that does nothing."""

    def refuse(value: T) -> T:
        if value:
            raise ValueError(f"{what} not supported by this version; leave it empty")
        return value

    return AfterValidator(refuse)


class StreamConfig(Section):
    """One input."""

    name: str = Field(pattern=STREAM_NAME, description="Name in topics, logs and pages.")
    url: SecretStr = Field(
        description="`rtsp(s)://…`, `file:PATH`, `device:PATH`, `whip:` for a stream that a browser or OBS publishes "
        "to `/whip/NAME`, `whep+https://…` for one that is fetched over WebRTC, or what FFmpeg opens: HTTP and HLS, "
        "RTMP, UDP; SRT where it is built with libsrt (PyAV's wheels are not)."
    )
    detect_url: Annotated[SecretStr | None, _not_yet("a substream for detection is")] = Field(
        default=None, description="A smaller stream of the same camera, to find faces on."
    )
    transport: Literal["tcp", "udp"] = Field(default="tcp", description="How RTSP carries its packets.")
    stall_s: float = Field(
        default=10,
        ge=1,
        le=300,
        description="Seconds without a frame after which the stream counts as stalled; over WebRTC, where people "
        "are at the other end, 2.5 by default.",
    )
    loop: bool = Field(default=False, description="For `file:`: start again at the end.")
    adapter: str | None = Field(
        default=None, description="Fine-tune to score this stream with: a name of `encoder.adapters`."
    )
    ignore: list[Polygon] = Field(
        default=[],
        description="Polygons in which faces are not followed (a poster, a television), as fractions (0 to 1) of the "
        "picture's width and height.",
    )
    calibration: Path | None = Field(
        default=None,
        description="File made by `gend-monitor calibrate` of footage of this stream; null takes "
        "`decision.calibration`.",
    )
    token: SecretStr | None = Field(
        default=None,
        min_length=8,
        description="Bearer token: of a `whip:` stream, what publishers must show; of a `whep+…:` one, what we show.",
    )
    sessions: Literal["one", "many"] = Field(
        default="one",
        description="For `whip:`: `one` publisher at a time, or `many`: each caller gets a stream of their own, "
        "`call-ID`, which is judged by the settings of this one and goes when the call ends.",
    )

    @model_validator(mode="before")
    @classmethod
    def _stalls_sooner(cls, fields: Any) -> Any:
        if not isinstance(fields, dict) or "stall_s" in fields:
            return fields
        url = fields.get("url")
        text = url.get_secret_value() if isinstance(url, SecretStr) else str(url)
        return {**fields, "stall_s": 2.5} if text.partition(":")[0] in (PUBLISHED, *PULLED) else fields

    @field_validator("url")
    @classmethod
    def _scheme(cls, url: SecretStr) -> SecretStr:
        scheme, separator, rest = url.get_secret_value().partition(":")
        if not separator or scheme not in (*SCHEMES, PUBLISHED, *PULLED):
            raise ValueError(f"unknown scheme; known are {', '.join((*SCHEMES, PUBLISHED, *PULLED))}")
        if scheme == PUBLISHED:
            if rest:
                raise ValueError("write no more than 'whip:'; publishers send to /whip/ and the stream's name")
            return url
        if not rest.strip("/"):
            raise ValueError(f"nothing follows '{scheme}:'")
        return url

    @field_validator("ignore")
    @classmethod
    def _fractions(cls, polygons: list[Polygon]) -> list[Polygon]:
        if any(not 0 <= value <= 1 for polygon in polygons for point in polygon for value in point):
            raise ValueError("points are fractions of the picture, each between 0 and 1")
        return polygons

    @model_validator(mode="after")
    def _token_shown(self) -> Self:
        if self.many and self.scheme != PUBLISHED:
            raise ValueError("sessions: many is for whip: streams")
        if self.token is not None and not self.over_webrtc:
            raise ValueError("token is for whip: and whep+https: streams")
        if self.scheme in PULLED and urlsplit(self.url.get_secret_value()).hostname is None:
            raise ValueError("url: expected an address such as whep+https://media.example/whep/lobby")
        return self

    @property
    def many(self) -> bool:
        """Whether it is not watched itself, but each of its calls is."""
        return self.sessions == "many"

    @property
    def over_webrtc(self) -> bool:
        """Whether it is published to us, or fetched, over WebRTC."""
        return self.scheme == PUBLISHED or self.scheme in PULLED

    @property
    def scheme(self) -> str:
        """The part of the URL before the first colon."""
        return self.url.get_secret_value().partition(":")[0]


class FacesConfig(Section):
    """How faces are found, followed and chosen for scoring."""

    detector: str = Field(
        default="auto",
        pattern=FACE_DETECTOR_PATTERN,
        description="`auto` takes YuNet, or BlazeFace where YuNet cannot be fetched; `scrfd:FILE` is InsightFace's, "
        "whose weights are for non-commercial research only.",
    )
    analysis_fps: float = Field(default=5, gt=0, le=30, description="Pictures searched for faces, per second.")
    analysis_px: int = Field(
        default=640, ge=160, le=1920, description="Longer side of the picture that is searched, pixels."
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
    """Where streams are read and their faces found."""

    isolation: Literal["process", "thread"] = Field(
        default="process",
        description="`process`: each stream in a process of its own, so that nothing a camera sends can take the "
        "service down; `thread`: all within the service, which saves memory on a small board and trusts its cameras.",
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


class MqttConfig(Section):
    """Where alerts and status are published."""

    url: str = Field(
        default="mqtt://127.0.0.1:1883",
        description="`mqtt://HOST:PORT`, `mqtts://HOST:PORT`, or `embedded:` for a broker inside the process.",
    )
    prefix: str = Field(default="gend", pattern=r"^[^/+#\s][^+#\s]*$", description="First level of every topic.")
    username: str | None = Field(default=None, description="User at the broker.")
    password: SecretStr | None = Field(default=None, description="Password at the broker; write it as ${VARIABLE}.")
    ca: Path | None = Field(default=None, description="PEM file of the authority that signed the broker's certificate.")
    cert: Path | None = Field(default=None, description="PEM file of our client certificate.")
    key: Path | None = Field(default=None, description="PEM file of the client certificate's key.")
    client_id: str | None = Field(
        default=None, description="Client id; by default one derived from the host and prefix."
    )
    keepalive_s: int = Field(default=20, ge=2, le=600, description="Seconds after which a silent broker is tested.")
    homeassistant_prefix: str = Field(
        default="homeassistant",
        pattern=r"^[^/+#\s][^+#\s]*$",
        description="Prefix of Home Assistant's discovery topics.",
    )

    @field_validator("url")
    @classmethod
    def _broker(cls, url: str) -> str:
        if url == "embedded:":
            return url
        parts = urlsplit(url)
        if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname:
            raise ValueError("expected an address such as mqtt://broker.example:1883, mqtts://… or embedded:")
        if parts.username or parts.password:
            raise ValueError("put credentials into mqtt.username and mqtt.password, not into the URL")
        _ = parts.port  # raises ValueError where it is not a number
        try:
            parts.hostname.encode("idna")
        except UnicodeError as error:
            raise ValueError(f"{parts.hostname} is no host name") from error
        return url

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if (self.cert is None) != (self.key is None):
            raise ValueError("cert and key go together")
        if self.password is not None and self.username is None:
            raise ValueError("password without username")
        return self


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
        for url in (self.store.url, *(stream.url for stream in self.streams)):
            secrets += url_secrets(url.get_secret_value())
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

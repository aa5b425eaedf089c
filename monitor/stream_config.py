"""What is watched: one entry of `streams` in the configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from monitor.config_section import Section

STREAM_NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"
SCHEMES = ("rtsp", "rtsps", "file", "device", "http", "https", "rtmp", "rtmps", "srt", "udp", "rtp", "tcp")
PUBLISHED = "whip"
"""Scheme of streams that are sent to us."""
PULLED = ("whep+https", "whep+http")
"""Schemes of streams that are fetched over WebRTC."""
_SUBSTREAM_STALL_S = 2.5
"""Nobody is found while a substream is silent: then its pictures are missed sooner than those of the main stream."""

Polygon = Annotated[list[tuple[float, float]], Field(min_length=3)]


class StreamConfig(Section):
    """One input."""

    name: str = Field(pattern=STREAM_NAME, description="Name in topics, logs and pages.")
    url: SecretStr = Field(
        description="`rtsp(s)://…`, `file:PATH`, `device:PATH`, `whip:` for a stream that a browser or OBS publishes "
        "to `/whip/NAME`, `whep+https://…` for one that is fetched over WebRTC, or what FFmpeg opens: HTTP and HLS, "
        "RTMP, UDP; SRT where it is built with libsrt (PyAV's wheels are not)."
    )
    detect_url: SecretStr | None = Field(
        default=None,
        description="A smaller stream of the same camera and view, to find faces on; they are cut out of `url`'s. "
        "What FFmpeg opens, as for `url`, over the same `transport`, decoded by the processor; not for WebRTC.",
    )
    transport: Literal["tcp", "udp"] = Field(default="tcp", description="How RTSP carries its packets.")
    hardware: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9_]+(:.+)?$",
        description="Decode on hardware: `vaapi`, `cuda`, `qsv`, `videotoolbox` or what else FFmpeg has here, and "
        "maybe which device of it, `vaapi:/dev/dri/renderD129`. Not for WebRTC.",
    )
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

    @field_validator("detect_url")
    @classmethod
    def _opened_by_ffmpeg(cls, url: SecretStr | None) -> SecretStr | None:
        if url is None:
            return None
        scheme, separator, rest = url.get_secret_value().partition(":")
        if not separator or scheme not in SCHEMES:
            raise ValueError(f"unknown scheme, or one not for substreams; known are {', '.join(SCHEMES)}")
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
        if self.hardware is not None and self.over_webrtc:
            raise ValueError("hardware is not for streams over WebRTC")
        if self.detect_url is not None and self.over_webrtc:
            raise ValueError("detect_url is not for streams over WebRTC")
        if self.detect_url is not None and self.detect_url == self.url:
            raise ValueError("detect_url is the url itself: name a smaller stream of the same camera, or leave it out")
        if self.scheme in PULLED and urlsplit(self.url.get_secret_value()).hostname is None:
            raise ValueError("url: expected an address such as whep+https://media.example/whep/lobby")
        return self

    def substream(self) -> Self | None:
        """The stream on which faces are found, as one by itself, where it is another one.

        It is held to the same bounds as this one, if there are any. Its pictures are small: the processor decodes them.
        """
        if self.detect_url is None:
            return None
        stall_s = min(self.stall_s, _SUBSTREAM_STALL_S)
        return self.model_copy(
            update={"url": self.detect_url, "detect_url": None, "stall_s": stall_s, "hardware": None}
        )

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

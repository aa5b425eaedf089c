"""Every message that passes between the steps of the monitor, and nothing else.

The steps form one line, ingest → tracking → scoring → decision → store → publish, and share no code but
these frozen types. All times named `at_s` are on one clock: seconds of `time.monotonic` at arrival for live
streams, the picture's presentation time for files. Everything except `Frame` is plain values and arrays,
so that a step may move to another process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels of the full-resolution frame; may reach outside it."""

BLOCK_S = 1.0
"""What a track does is told, and its evidence counted, in blocks of so many seconds."""

StreamState = Literal["connecting", "live", "stalled", "stopped"]
VerdictState = Literal["inconclusive", "clear", "suspect", "fake"]
AlertType = Literal["raised", "updated", "cleared"]
Answer = Literal["right", "wrong", "unsure"]
"""What a person says of an alert episode: the face was manipulated, it was not, or nobody can tell."""
EventKind = Literal["abstention", "drift", "starvation", "duplicate_frames", "still_picture"]
Detail = Literal["same", "near", "none"]
"""What `Frame.region` shows: the instant of `Frame.small`; another one, some tenths of a second apart, so that where a
face is has to be looked up in it anew; or nothing now."""
Frozen = Literal["duplicate frames", "still picture"]
"""How a face does not live: its stream shows the same picture again and again; nothing in it moves for long."""


@runtime_checkable
class Frame(Protocol):
    """One decoded picture of a stream. It never leaves its stream's worker and converts only what is asked for."""

    @property
    def stream(self) -> str:
        """Name of the configured stream."""

    @property
    def index(self) -> int:
        """Position among the frames decoded since the stream was opened, from 0."""

    @property
    def at_s(self) -> float:
        """Time on the pipeline's clock, seconds."""

    @property
    def pts_s(self) -> float | None:
        """Presentation time the source claims, seconds; None where it claims none. Data, never a clock."""

    @property
    def trusted(self) -> bool:
        """False from a damaged picture until the next keyframe: such frames are followed, never scored."""

    @property
    def width(self) -> int:
        """Full-resolution width, pixels."""

    @property
    def height(self) -> int:
        """Full-resolution height, pixels."""

    @property
    def detail(self) -> Detail:
        """What `region` shows."""

    def small(self, px: int) -> Pixels:
        """The whole picture, RGB uint8 (h, w, 3), aspect kept, its longer side at most `px`; never enlarged."""

    def luma(self, px: int) -> Pixels:
        """Brightness of the whole picture, uint8 (h, w), as large as `small`; for movement, not for looking at."""

    def region(self, box: Box) -> tuple[Pixels, tuple[int, int]]:
        """Full-resolution RGB pixels (h, w, 3) of `box` clipped to the picture, and the (x, y) of their corner."""


@dataclass(frozen=True, slots=True)
class Crop:
    """One aligned face, ready for the encoder."""

    stream: str
    track: str
    at_s: float
    pixels: Pixels
    """RGB uint8 (S, S, 3), S = `Detector.input_px`."""
    quality: float
    """0 (barely passed the gate) to 1."""
    width_px: float
    """Width of the face in the full-resolution frame."""
    adapter: str | None = None


@dataclass(frozen=True, slots=True)
class TrackObservation:
    """What one track was seen doing in one block of one second; sent when the block ends or the track does."""

    stream: str
    track: str
    at_s: float
    """When it was sent."""
    block: int
    """floor(at_s / BLOCK_S) of the block described."""
    present_s: float
    """Seconds of the block in which the face was seen."""
    sampled: int
    """Crops handed to scoring."""
    gated: Mapping[str, int]
    """Faces seen but not fit to score, counted by cause (`small`, `blurred`, `pose`, …)."""
    box: Box
    """Where the face was last seen."""
    first_seen_s: float
    ended: bool = False
    dropped: int = 0
    """Crops replaced by a newer one of the same track before they were scored."""
    starved: int = 0
    """Crops that grew too old before the encoder had time for them."""
    frozen: tuple[Frozen, ...] = ()


@dataclass(frozen=True, slots=True)
class Logit:
    """The encoder's answer to one crop."""

    stream: str
    track: str
    at_s: float
    """`Crop.at_s` of the crop scored."""
    logit: float
    """Raw log-odds of fake: log p(fake) - log p(real)."""
    quality: float
    model: str
    """Name of the weights, with the adapter where there is one."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Decision's wish for more (or fewer) crops of one track: latest value wins, and it expires."""

    stream: str
    track: str
    crops_per_s: float
    priority: float
    expires_s: float


@dataclass(frozen=True, slots=True)
class Look:
    """Somebody looks at a stream until then; goes the way of `Demand`."""

    stream: str
    expires_s: float


@dataclass(frozen=True, slots=True)
class SeenFace:
    """A face in a `Preview`."""

    track: str
    box: Box
    width_px: float
    """Width of the face in the full-resolution frame."""
    gated: str | None
    """Why it was last found unfit to be scored (`small`, `blurred`, `pose`, …); None where it was fit."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a stream shows, small, and the faces followed in it; sent twice a second while somebody looks."""

    stream: str
    at_s: float
    jpeg: bytes
    """The whole picture, as it was searched for faces."""
    width: int
    """Of the full-resolution frame, in whose pixels the boxes are."""
    height: int
    faces: tuple[SeenFace, ...]


Tracked = Crop | TrackObservation | Preview
"""What tracking has to tell of a frame."""


@dataclass(frozen=True, slots=True)
class ClipRequest:
    """The service's wish that a stream's worker writes its last seconds to a file; goes the way of `Demand`."""

    stream: str
    number: int
    """Comes back in the answer."""
    stem: str
    """The file's path without its suffix, which depends on the codec; its folder exists."""


@dataclass(frozen=True, slots=True)
class Clip:
    """The answer to a `ClipRequest`: the file, or why there is none."""

    stream: str
    number: int
    path: str | None
    absence: str | None = None


Refusal = Literal["malformed", "unusable", "busy", "unknown", "unavailable"]
"""Why a publisher is not taken: an offer that cannot be read; one without video that we decode; another publishes;
there is no such session, or nothing to publish to; not now."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A publisher's wish to send a stream over WebRTC; goes the way of `ClipRequest`."""

    stream: str
    number: int
    """Comes back in the answer."""
    session: str
    """Name of the connection; whoever knows it may end it."""
    sdp: str


@dataclass(frozen=True, slots=True)
class Leave:
    """A publisher's wish to end its session."""

    stream: str
    number: int
    session: str


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to an `Offer` or a `Leave`: taken, unless there is a refusal."""

    stream: str
    number: int
    sdp: str | None = None
    """The answer to an offer, with every candidate in it."""
    refusal: Refusal | None = None
    reason: str | None = None
    """Of the refusal, in one line."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is held of one track now."""

    stream: str
    track: str
    at_s: float
    state: VerdictState
    evidence: float
    threshold: float
    samples: int
    """Crops that entered the evidence."""
    mean_probability: float | None
    """Mean of the encoder's p(fake) over `samples`; None before the first."""
    reasons: tuple[str, ...] = ()
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """Something a subscriber should know that is not an alert."""

    stream: str
    kind: EventKind
    at_s: float
    track: str | None
    text: str


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which encoder judged."""

    weights: str
    sha256: str
    adapter: str | None
    engine: str
    precision: str


@dataclass(frozen=True, slots=True)
class Alert:
    """One message of an alert episode. `sequence` is allotted by the store in the inserting transaction."""

    id: str
    alert_id: str
    type: AlertType
    reason: str
    stream: str
    track: str
    at: datetime
    captured_at: datetime
    first_seen: datetime
    verdict: VerdictState
    evidence: float
    threshold: float
    samples: int
    mean_probability: float | None
    false_alarms_target_per_stream_day: float
    false_alarms_promised_per_stream_day: float | None
    calibrated: bool
    model: ModelIdentity
    notices: tuple[str, ...] = ()
    snapshot_url: str | None = None
    snoozed_until: datetime | None = None
    """Until when its stream was snoozed at that moment; None where it was not."""
    call_of: str | None = None
    """The configured stream that its stream is a call of; None where it is no call."""
    sequence: int | None = None
    schema: int = 1


@dataclass(frozen=True, slots=True)
class Status:
    """The state of one stream, for people and for the retained topic."""

    stream: str
    state: StreamState
    since: datetime
    degraded: tuple[str, ...] = ()
    reason: str | None = None
    """Why it is not live, in one redacted line."""
    fps: float = 0.0
    faces: int = 0
    snoozed_until: datetime | None = None
    """Until when its alerts call nobody; None where they do."""

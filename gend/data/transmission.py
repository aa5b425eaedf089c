"""A face through a call: coded by a real codec at a call's bitrate, sent smaller than it is, with packets lost.

What decoders make of lost packets is theirs too: FFmpeg conceals lost slices of H.264, and goes on with a wrong
reference where a whole frame is lost. Several pictures are sent alike: the same quantiser, motion and losses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from gend.data.coding import Codec, decode, encode, even_sides, to_frames, to_pixels

Pixels = NDArray[np.uint8]

_LEAST_SENT_PX = 32
"""Narrower than this, no crop is sent."""
_FRAMES = 5
"""One that stands alone, and four that are predicted; the last is what is seen."""
_SLICES = 4
_SLICE_UNITS = (1, 5)
"""Types of NAL units that carry a slice (ITU-T H.264, table 7-1)."""
_EXPRESSION_GRID = 5
_TRIES, _NEAR = 4, 0.2

_USUAL_BITS_PER_PX = 0.03
_LEVELS: dict[Codec, tuple[int, int, int, float]] = {"h264": (12, 51, 29, -0.16), "vp8": (4, 63, 46, -0.035)}
"""Quantisers from fine to coarse, the one that usually takes the usual bits, and by how much one more changes their
logarithm."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Packets that do not arrive."""

    frame: int = 3
    """The first frame that is hit; 0, which all others rest on, always arrives."""
    frames: int = 1
    """How many in a row are hit."""
    slices: tuple[int, ...] = ()
    """Which quarters of them, from above, are lost; none stands for all. VP8 has no slices: all is lost."""

    def __post_init__(self) -> None:
        """Refuses the loss of the frame that stands alone.

        Raises:
            ValueError: `frame` is less than 1.
        """
        if self.frame < 1:
            raise ValueError(f"loss: frame {self.frame} must arrive: all others rest on it")

    @classmethod
    def draw(cls, rng: np.random.Generator, codec: Codec) -> Loss:
        """One at random: whole frames before the last, or one to three quarters of one or two."""
        if codec == "vp8" or rng.random() < 0.4:
            frames = int(rng.integers(1, 4))
            return cls(int(rng.integers(1, _FRAMES - frames)), frames)
        top = int(rng.integers(_SLICES))
        end = int(rng.integers(top + 1, min(top + 3, _SLICES) + 1))
        return cls(int(rng.integers(2, _FRAMES)), int(rng.integers(1, 3)), tuple(range(top, end)))


@dataclass(frozen=True, slots=True)
class Transmission:
    """A moving face, coded, sent and decoded."""

    codec: Codec = "h264"
    bits_per_px: float = 0.03
    """Of a predicted frame as sent; the quantiser that comes nearest is taken."""
    scale: float = 1.0
    """At which it is sent."""
    enlarge: Literal["linear", "cubic"] = "linear"
    """How the receiver brings it back to size."""
    motion: tuple[float, float] = (0.004, 0.002)
    """Of the face from frame to frame, in sides of the crop."""
    expression: float = 0.002
    """How far parts of the face move against each other from frame to frame, in sides of the crop."""
    seed: int = 0
    loss: Loss | None = None

    def send(self, pictures: Sequence[Pixels]) -> list[Pixels]:
        """The pictures as the receiver sees them, RGB uint8 (h, w, 3); the first one's bits choose the quantiser."""
        height, width = pictures[0].shape[:2]
        return [self._received(packets, width, height) for packets in self.packets(pictures)]

    def packets(self, pictures: Sequence[Pixels]) -> list[list[bytes]]:
        """What is sent of each picture, one packet per frame, before any loss."""
        videos = self._videos([even_sides(self._reduced(picture)) for picture in pictures])
        level, first = self._fitting(videos[0])
        return [first, *(self._coded(video, level) for video in videos[1:])]

    def _sent_size(self, height: int, width: int) -> tuple[int, int]:
        """Width and height as sent, pixels."""
        scale = min(1.0, max(self.scale, _LEAST_SENT_PX / min(height, width)))
        return round(width * scale), round(height * scale)

    def _reduced(self, picture: Pixels) -> Pixels:
        size = self._sent_size(*picture.shape[:2])
        if size == picture.shape[1::-1]:
            return picture
        return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)

    def _videos(self, pictures: Sequence[Pixels]) -> list[list[av.VideoFrame]]:
        """For each picture the frames that lead to it."""
        height, width = pictures[0].shape[:2]
        nodes = np.random.default_rng(self.seed).normal(0, self.expression, (_EXPRESSION_GRID, _EXPRESSION_GRID, 2))
        step = cv2.resize(nodes.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        step = (step + np.array(self.motion, np.float32)) * np.array((width, height), np.float32)
        y, x = np.mgrid[:height, :width].astype(np.float32)
        videos: list[list[Pixels]] = [[] for _ in pictures]
        for before in range(_FRAMES - 1, 0, -1):
            places = x + before * step[..., 0], y + before * step[..., 1]
            for video, picture in zip(videos, pictures, strict=True):
                moved = cv2.remap(picture, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
                video.append(moved.astype(np.uint8, copy=False))
        return [to_frames([*video, picture]) for video, picture in zip(videos, pictures, strict=True)]

    def _fitting(self, video: Sequence[av.VideoFrame]) -> tuple[int, list[bytes]]:
        """The quantiser whose predicted frames come nearest to the bits asked for, and its packets."""
        finest, coarsest, usual, slope = _LEVELS[self.codec]
        level = int(np.clip(round(usual + np.log(self.bits_per_px / _USUAL_BITS_PER_PX) / slope), finest, coarsest))
        tried: dict[int, tuple[float, list[bytes]]] = {}
        for _ in range(_TRIES):
            packets = self._coded(video, level)
            excess = float(np.log(predicted_bits_per_px(packets, (video[0].height, video[0].width)) / self.bits_per_px))
            tried[level] = excess, packets
            if abs(excess) < _NEAR:
                break
            if len(tried) > 1:
                slope = min(-0.01, _slope(tried))
            level = int(np.clip(round(level - excess / slope), finest, coarsest))
            if level in tried:
                break
        best = min(tried, key=lambda level: abs(tried[level][0]))
        return best, tried[best][1]

    def _coded(self, video: Sequence[av.VideoFrame], level: int) -> list[bytes]:
        if self.codec == "vp8":
            # A rate out of reach, so that the quantiser alone decides. Without error resilience a frame's probabilities
            # come from the one before, and after a loss nothing but green is decoded: calls do not do that.
            resilient = {"error-resilient": "default", "deadline": "realtime", "cpu-used": "12", "lag-in-frames": "0"}
            return encode(video, "vp8", resilient | {"b": "50M", "qmin": str(level), "qmax": str(level)})
        options = {"preset": "superfast", "tune": "zerolatency", "qp": str(level)}
        return encode(video, "h264", options | ({"slices": str(_SLICES)} if self.loss and self.loss.slices else {}))

    def _received(self, packets: Sequence[bytes], width: int, height: int) -> Pixels:
        frames = decode(packets if self.loss is None else self._arrived(packets, self.loss), self.codec)
        sent_width, sent_height = self._sent_size(height, width)
        seen = np.ascontiguousarray(to_pixels(frames[-1])[:sent_height, :sent_width])
        if (sent_width, sent_height) == (width, height):
            return seen
        interpolation = cv2.INTER_CUBIC if self.enlarge == "cubic" else cv2.INTER_LINEAR
        return cv2.resize(seen, (width, height), interpolation=interpolation).astype(np.uint8, copy=False)

    def _arrived(self, packets: Sequence[bytes], loss: Loss) -> list[bytes]:
        arrived = []
        for number, packet in enumerate(packets):
            if not loss.frame <= number < loss.frame + loss.frames:
                arrived.append(packet)
            elif loss.slices and self.codec == "h264":
                arrived.append(_without_slices(packet, loss.slices))
        return [packet for packet in arrived if packet]


def predicted_bits_per_px(packets: Sequence[bytes], shape: tuple[int, int]) -> float:
    """Mean size of the predicted frames, all but the first, bits for each pixel."""
    return 8 * sum(map(len, packets[1:])) / max(1, len(packets) - 1) / (shape[0] * shape[1])


def _slope(tried: Mapping[int, tuple[float, list[bytes]]]) -> float:
    """By how much one step of the quantiser changed the logarithm of the bits between the last two tries."""
    (one, (one_excess, _)), (two, (two_excess, _)) = list(tried.items())[-2:]
    return (two_excess - one_excess) / (two - one)


def _without_slices(packet: bytes, lost: Sequence[int]) -> bytes:
    """An H.264 frame (Annex B) without some of its slices, counted from above."""
    kept, slices = [], 0
    for unit in re.split(rb"\x00?\x00\x00\x01", packet)[1:]:
        is_slice = unit[0] & 0x1F in _SLICE_UNITS
        if not (is_slice and slices in lost):
            kept.append(b"\x00\x00\x00\x01" + unit)
        slices += is_slice
    return b"".join(kept)

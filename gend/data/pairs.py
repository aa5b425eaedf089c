"""Pairs for training: a real crop, and the same crop with its face manipulated, after the same camera and codec.

What must not tell them apart is done to both: softness, noise, compression, the warp of alignment. Some real members
are decoys, changed in ways that occur without any manipulation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from gend.data.degrade import Capture, Pixels, code_h264, code_jpeg
from gend.data.drawn import DrawnFaces
from gend.data.leaves import DeadLeaves
from gend.data.lowres import Hull, LowResolution, face_hull, remake_low_resolution
from gend.data.photographs import Faces, Patches
from gend.data.sample import Sample, Source
from gend.data.selfblend import SelfBlend, self_blend
from gend.preprocess import encoder_input

Coding = Literal["h264", "jpeg", "none"]

_SIDES_PX = (112, 288)
"""Native sides of aligned crops: of faces about half as wide."""
_FACE_SHARE = 0.5
"""Width of the face as a share of the crop."""
_CLEARER = 1.5
"""A picture shows at least this many times the detail that is left of a re-made face in it."""
_BLENDED_DETAIL = 0.4
"""Share of the resolution that is left at least in a picture that is blended with itself."""
_DECOYS = 0.4
_NULL = 0.5
"""Share of the decoys of self-blended pairs that are the blend's control."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Some pairs, ready for the encoder; the i-th real and the i-th fake show the same."""

    real: Pixels
    """RGB uint8 (n, px, px, 3)."""
    fake: Pixels
    """RGB uint8 (n, px, px, 3)."""
    remade: NDArray[np.uint8]
    """How much of each pixel of `fake` is re-made or comes from the other view, (n, px, px), of 255."""
    source: NDArray[np.intp]
    """Which source each pair came from, (n,)."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where real pictures come from, and how often from each."""

    sources: Sequence[Source]
    shares: Sequence[float]
    names: Sequence[str]

    @classmethod
    def fetched(cls) -> Sources:
        """Half photographed faces, a quarter patches, the rest drawn.

        Raises:
            FetchError: a picture cannot be fetched.
        """
        return cls(
            (Faces(), Patches(), DrawnFaces(), DeadLeaves()),
            (0.5, 0.25, 0.15, 0.1),
            ("faces", "patches", "drawn faces", "dead leaves"),
        )

    @classmethod
    def drawn(cls) -> Sources:
        """Procedural pictures alone, which need no file."""
        return cls((DrawnFaces(), DeadLeaves()), (0.7, 0.3), ("drawn faces", "dead leaves"))


@dataclass(frozen=True, slots=True)
class Manipulations:
    """How often each manipulation is made of a face; the shares are relative."""

    lowres: float = 1.0
    """A face re-made at low resolution (`gend.data.lowres`)."""
    selfblend: float = 0.0
    """A face blended with itself (`gend.data.selfblend`)."""

    def __post_init__(self) -> None:
        """Refuses shares that are none.

        Raises:
            ValueError: one is negative, or all are 0.
        """
        if min(self.lowres, self.selfblend) < 0 or self.lowres + self.selfblend <= 0:
            raise ValueError(f"manipulations: no shares: lowres {self.lowres}, selfblend {self.selfblend}")

    def draw_self_blended(self, rng: np.random.Generator, count: int) -> NDArray[np.bool_]:
        """Which of `count` pairs are self-blended. Takes nothing from `rng` where there is no choice."""
        share = self.selfblend / (self.lowres + self.selfblend)
        return rng.random(count) < share if 0 < share < 1 else np.full(count, share == 1)


LOWRES_ALONE = Manipulations()


def draw_pairs(
    rng: np.random.Generator,
    sources: Sources,
    count: int,
    input_px: int,
    manipulations: Manipulations = LOWRES_ALONE,
) -> Pairs:
    """Pairs of one native size and one kind of coding, as the tiles of one picture.

    Args:
        rng: where everything random comes from; the same state gives the same pairs.
        sources: where real pictures come from.
        count: how many pairs.
        input_px: side of the encoder's input.
        manipulations: what is done to faces, drawn for each pair.
    """
    side = 2 * int(rng.integers(_SIDES_PX[0] // 2, _SIDES_PX[1] // 2 + 1))
    chosen = rng.choice(len(sources.sources), size=count, p=sources.shares)
    self_blended = manipulations.draw_self_blended(rng, count)
    drawn = [
        (_self_blended_pair if blended else _low_resolution_pair)(rng, sources.sources[source].draw(rng, side))
        for source, blended in zip(chosen, self_blended, strict=True)
    ]
    real, fake = _coded(rng, [pair[0] for pair in drawn], [pair[1] for pair in drawn])
    turns = [_alignment_error(rng, side) for _ in drawn]
    return Pairs(
        np.stack([_aligned(picture, turn, input_px) for picture, turn in zip(real, turns, strict=True)]),
        np.stack([_aligned(picture, turn, input_px) for picture, turn in zip(fake, turns, strict=True)]),
        np.stack([_aligned_weight(pair[2], turn, input_px) for pair, turn in zip(drawn, turns, strict=True)]),
        chosen,
    )


def join(parts: Sequence[Pairs]) -> Pairs:
    """Several sets of pairs as one."""
    return Pairs(
        np.concatenate([part.real for part in parts]),
        np.concatenate([part.fake for part in parts]),
        np.concatenate([part.remade for part in parts]),
        np.concatenate([part.source for part in parts]),
    )


_Pair = tuple[Pixels, Pixels, NDArray[np.float32]]
"""Real, fake, and how much of the fake is manipulated, before coding."""


def _low_resolution_pair(rng: np.random.Generator, sample: Sample) -> _Pair:
    how = LowResolution.draw(rng)
    camera = _Camera.draw(rng, _CLEARER * how.detail_px / (_FACE_SHARE * sample.picture.shape[0]))
    base = camera.before(sample.picture)
    fake = remake_low_resolution(base, sample.landmarks, how)
    real = _decoy(rng, base, sample.landmarks) if rng.random() < _DECOYS else base
    weight = face_hull(sample.landmarks, fake.shape[:2], how.hull)
    return camera.after(real), camera.after(fake), weight


def _self_blended_pair(rng: np.random.Generator, sample: Sample) -> _Pair:
    how = SelfBlend.draw(rng)
    camera = _Camera.draw(rng, _BLENDED_DETAIL)
    base = camera.before(sample.picture)
    fake, weight = self_blend(base, sample.landmarks, how)
    real = how.target(base)
    if rng.random() < _DECOYS:
        null = rng.random() < _NULL
        real = how.without_blend(base, sample.landmarks) if null else _decoy(rng, real, sample.landmarks)
    return camera.after(real), camera.after(fake), weight


@dataclass(frozen=True, slots=True)
class _Camera:
    """A capture around the manipulation, the same for both members.

    Noise of the camera is lost where a face is re-made; that of a later one (a screen filmed, a call) is not.
    """

    capture: Capture
    noise_first: bool

    @classmethod
    def draw(cls, rng: np.random.Generator, least_detail: float) -> _Camera:
        return cls(Capture.draw(rng, least_detail), bool(rng.random() < 0.5))

    def before(self, picture: Pixels) -> Pixels:
        softened = self.capture.soften(picture)
        return self.capture.add_noise(softened) if self.noise_first else softened

    def after(self, picture: Pixels) -> Pixels:
        return picture if self.noise_first else self.capture.add_noise(picture)


def _decoy(rng: np.random.Generator, picture: Pixels, landmarks: NDArray[np.float32]) -> Pixels:
    """A real picture with part of the marks of a fake, which must not be taken for the whole."""
    return (_soft_all_over, _smooth_skin, _soft_beside, _moving_head)[rng.integers(4)](rng, picture, landmarks)


def _soft_all_over(rng: np.random.Generator, picture: Pixels, _: NDArray[np.float32]) -> Pixels:
    """As soft as a re-made face, and as little true in colour, but all of it."""
    capture = replace(Capture.draw(rng, 1.0), detail=rng.uniform(0.2, 0.7))
    return np.asarray(np.clip(capture.soften(picture) + rng.normal(0, 4, 3), 0, 255), dtype=np.uint8)


def _smooth_skin(rng: np.random.Generator, picture: Pixels, landmarks: NDArray[np.float32]) -> Pixels:
    """Skin without texture, features as sharp as before: make-up, beauty filters, codecs."""
    weight = face_hull(landmarks, picture.shape[:2], LowResolution.draw(rng).hull)[..., None]
    smooth = cv2.bilateralFilter(picture, 7, rng.uniform(10, 40), 0.02 * picture.shape[0])
    return np.asarray(picture + weight * (smooth.astype(np.float32) - picture), dtype=np.uint8)


def _soft_beside(rng: np.random.Generator, picture: Pixels, landmarks: NDArray[np.float32]) -> Pixels:
    """Something beside the face is as soft as a re-made one."""
    away = np.array([rng.choice((-1, 1)) * rng.uniform(0.35, 0.6), rng.uniform(-0.5, 0.3)]) * picture.shape[0]
    return remake_low_resolution(picture, landmarks + away.astype(np.float32), LowResolution.draw(rng))


def _moving_head(rng: np.random.Generator, picture: Pixels, landmarks: NDArray[np.float32]) -> Pixels:
    """The whole head, hair and all, smeared along one direction before a background that stands still."""
    head = Hull(rng.uniform(0.55, 0.75), rng.uniform(0.75, 1.0), rng.uniform(0.4, 0.55), 2.0, rng.uniform(0.1, 0.3))
    weight = face_hull(landmarks, picture.shape[:2], head)[..., None]
    length_px = max(3, round(rng.uniform(0.015, 0.07) * picture.shape[0]))
    line = np.zeros((length_px, length_px), np.float32)
    line[length_px // 2] = 1
    middle = ((length_px - 1) / 2, (length_px - 1) / 2)
    line = cv2.warpAffine(line, cv2.getRotationMatrix2D(middle, rng.uniform(0, 180), 1), line.shape)
    smeared = cv2.filter2D(picture, -1, line / line.sum(), borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(picture + weight * (smeared.astype(np.float32) - picture), dtype=np.uint8)


def _coded(
    rng: np.random.Generator, real: Sequence[Pixels], fake: Sequence[Pixels]
) -> tuple[Sequence[Pixels], Sequence[Pixels]]:
    """Both members through the same codec at the same strength."""
    coding = ("h264", "jpeg", "none")[rng.choice(3, p=(0.5, 0.35, 0.15))]
    if coding == "h264":
        crf, motion = int(rng.integers(18, 35)), (rng.normal(0, 2), rng.normal(0, 1))
        coded = code_h264([*real, *fake], crf, motion)
        return coded[: len(real)], coded[len(real) :]
    if coding == "jpeg":
        qualities = rng.integers(35, 100, len(real))
        return (
            [code_jpeg(picture, int(quality)) for picture, quality in zip(real, qualities, strict=True)],
            [code_jpeg(picture, int(quality)) for picture, quality in zip(fake, qualities, strict=True)],
        )
    return real, fake


def _alignment_error(rng: np.random.Generator, side: int) -> NDArray[np.float64]:
    """The warp (2, 3) that cuts a face out of a decoded frame: it turns it, and never by whole pixels."""
    centre = (side / 2 + rng.normal(0, 0.015 * side), side / 2 + rng.normal(0, 0.015 * side))
    return np.asarray(cv2.getRotationMatrix2D(centre, rng.normal(0, 8), rng.uniform(0.95, 1.08)), dtype=np.float64)


def _aligned(picture: Pixels, turn: NDArray[np.float64], input_px: int) -> Pixels:
    warped = cv2.warpAffine(picture, turn, picture.shape[1::-1], borderMode=cv2.BORDER_REFLECT_101)
    return encoder_input(warped.astype(np.uint8, copy=False), input_px)


def _aligned_weight(weight: NDArray[np.float32], turn: NDArray[np.float64], input_px: int) -> NDArray[np.uint8]:
    warped = cv2.warpAffine(weight, turn, weight.shape[::-1])
    return np.rint(255 * cv2.resize(warped, (input_px, input_px), interpolation=cv2.INTER_AREA)).astype(np.uint8)

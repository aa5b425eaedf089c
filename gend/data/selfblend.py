"""Another manipulation: a face blended with a slightly altered copy of itself, the marks that any face swap leaves.

Self-blended images (Shiohara and Yamasaki, "Detecting Deepfakes with Self-Blended Images", CVPR 2022), written from
the paper: two views of one picture, one of them in another look; the source is scaled and shifted a little; a mask of
the face, deformed and softened; and a blend of the two. Nobody's face is put onto anyone. The paper cuts its mask from
81 landmarks; here it is a `Hull` about the five that alignment knows.

`SelfBlend.without_blend` is the control: the same look and the same resampling all over the picture, and no blend. A
network that tells it from the untouched picture has learnt resampling.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from gend.data.lowres import Hull, face_hull, face_width
from gend.faces.align import check_picture

Pixels = NDArray[np.uint8]
Detail = Literal["sharpen", "reduce", "none"]

_RATIOS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)
_ZOOM, _SHIFT = 0.05, (0.03, 0.015)
_ELASTIC_CELL = 0.3
"""Of the alignment template: how far apart the nodes of the deformation lie."""
_HULL_EDGE = 0.01
"""Width of the hull's edge before the mask is softened: hardly any."""
_HULL = Hull(feather=_HULL_EDGE)


@dataclass(frozen=True, slots=True)
class Look:
    """Colour and sharpness of one view: as from another camera, or out of a generator."""

    colour_shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Added to the three channels, of 255."""
    hue_deg: float = 0.0
    """Added to the hue, degrees."""
    saturation: float = 1.0
    value: float = 1.0
    """The last two multiply saturation and value of HSV."""
    brightness: float = 0.0
    """Added, of 255."""
    contrast: float = 1.0
    """Multiplies what differs from the mean of the picture."""
    detail: Detail = "none"
    strength: float = 0.0
    """Of `sharpen`: how much of an unsharp mask is added. Of `reduce`: by how much it is reduced, less 1."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Look:
        """One at random; never none of it."""
        red, green, blue = rng.normal(0, 6, 3) * (rng.random() < 0.5)
        detail: Detail = "sharpen" if rng.random() < 0.5 else "reduce"
        return cls(
            colour_shift=(red, green, blue),
            hue_deg=rng.uniform(-5, 5),
            saturation=rng.uniform(0.75, 1.25),
            value=rng.uniform(0.92, 1.08),
            brightness=rng.uniform(-14, 14),
            contrast=rng.uniform(0.88, 1.12),
            detail=detail,
            strength=rng.uniform(0.2, 1.2) if detail == "sharpen" else rng.uniform(0.3, 2.0),
        )

    def apply(self, picture: Pixels) -> Pixels:
        """The picture in this look, RGB uint8 (h, w, 3)."""
        return self._in_detail(self._in_colour(picture))

    def _in_colour(self, picture: Pixels) -> Pixels:
        hsv = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)  # degrees, and twice 0 to 1
        hsv[..., 0] = (hsv[..., 0] + self.hue_deg) % 360
        hsv[..., 1] = np.clip(hsv[..., 1] * self.saturation, 0, 1)
        hsv[..., 2] = np.clip(hsv[..., 2] * self.value, 0, 1)
        x = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * np.float32(255)
        shift = np.array(self.colour_shift, np.float32) + np.float32(self.brightness)
        mean = np.float32(x.mean())
        x = mean + np.float32(self.contrast) * (x - mean) + shift
        return np.asarray(np.clip(np.rint(x), 0, 255), dtype=np.uint8)

    def _in_detail(self, picture: Pixels) -> Pixels:
        height, width = picture.shape[:2]
        if self.detail == "sharpen":
            soft = cv2.GaussianBlur(picture, (0, 0), 1.0)
            return cv2.addWeighted(picture, 1 + self.strength, soft, -self.strength, 0).astype(np.uint8, copy=False)
        if self.detail == "reduce":
            small = (max(1, round(width / (1 + self.strength))), max(1, round(height / (1 + self.strength))))
            reduced = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
            return cv2.resize(reduced, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8, copy=False)
        return picture


@dataclass(frozen=True, slots=True)
class BlendMask:
    """Where two views are blended. Lengths are in units of the alignment template, as in `Hull`."""

    hull: Hull = _HULL
    elastic: float = 0.02
    """Standard deviation of the elastic deformation."""
    first_kernel: float = 0.06
    second_kernel: float = 0.06
    """Widths of the two Gaussian kernels. The mask shrinks where the first is the wider one, and grows otherwise."""
    seed: int = 0

    @classmethod
    def draw(cls, rng: np.random.Generator) -> BlendMask:
        """One at random: about half are the whole face, the rest its lower part, its middle, or the eyes."""
        part = rng.choice(4, p=(0.5, 0.2, 0.2, 0.1))
        half_width, half_height, centre_y = (
            (rng.uniform(0.3, 0.44), rng.uniform(0.36, 0.5), rng.uniform(0.6, 0.7)),  # whole
            (rng.uniform(0.22, 0.38), rng.uniform(0.18, 0.28), rng.uniform(0.76, 0.88)),  # nose to chin
            (rng.uniform(0.22, 0.3), rng.uniform(0.24, 0.34), rng.uniform(0.58, 0.68)),  # brows to mouth
            (rng.uniform(0.28, 0.4), rng.uniform(0.14, 0.22), rng.uniform(0.42, 0.5)),
        )[part]
        widest = 0.4 * min(half_width, half_height)  # so that something is left of it
        first, second = rng.uniform(0.02, widest, 2)
        return cls(
            hull=Hull(half_width, half_height, centre_y, squareness=rng.uniform(1.9, 3.2), feather=_HULL_EDGE),
            elastic=rng.uniform(0.0, 0.04),
            first_kernel=first,
            second_kernel=second,
            seed=int(rng.integers(2**31)),
        )

    def weight(self, landmarks: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
        """How much of each pixel comes from the source before the ratio, float32 (h, w), 0 to 1.

        Args:
            landmarks: (5, 2) of the face, pixels.
            shape: height and width of the picture, pixels.

        Raises:
            PictureError: landmarks that describe no face.
        """
        template_px = face_width(landmarks) / 0.66
        hull = face_hull(landmarks, shape, self.hull)
        hull = self._deformed(hull, template_px)
        inner = (_smoothed(hull, self.first_kernel * template_px) > 1 - 1e-3).astype(np.float32)
        return np.clip(_smoothed(inner, self.second_kernel * template_px), 0, 1)

    def _deformed(self, hull: NDArray[np.float32], template_px: float) -> NDArray[np.float32]:
        if not self.elastic:
            return hull
        height, width = hull.shape
        nodes = [2 + round(px / (_ELASTIC_CELL * template_px)) for px in (height, width)]
        grid = np.random.default_rng(self.seed).normal(0, self.elastic * template_px, (*nodes, 2))
        field = cv2.resize(grid.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        y, x = np.mgrid[:height, :width].astype(np.float32)
        return cv2.remap(hull, x + field[..., 0], y + field[..., 1], cv2.INTER_LINEAR).astype(np.float32, copy=False)


@dataclass(frozen=True, slots=True)
class SelfBlend:
    """How two views of a picture are made and blended."""

    look: Look = Look()
    look_of: Literal["source", "target"] = "source"
    """Which of the two views has the look; the other is the picture itself."""
    zoom: tuple[float, float] = (1.0, 1.0)
    """By which the source is scaled about the face, across and down."""
    shift: tuple[float, float] = (0.0, 0.0)
    """By which the source is shifted, in units of the alignment template."""
    cubic: bool = False
    """Resample the source by cubic instead of linear interpolation."""
    mask: BlendMask = BlendMask()
    ratio: float = 1.0
    """How much of the source is seen inside the mask."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> SelfBlend:
        """One at random, about as strong as the paper's."""
        across, down = rng.uniform(1 - _ZOOM, 1 + _ZOOM, 2)
        return cls(
            look=Look.draw(rng),
            look_of="source" if rng.random() < 0.5 else "target",
            zoom=(across, down),
            shift=(rng.uniform(-_SHIFT[0], _SHIFT[0]), rng.uniform(-_SHIFT[1], _SHIFT[1])),
            cubic=bool(rng.random() < 0.5),
            mask=BlendMask.draw(rng),
            ratio=_RATIOS[rng.integers(len(_RATIOS))],
        )

    def target(self, picture: Pixels) -> Pixels:
        """What is seen around the blend, RGB uint8 (h, w, 3): the real picture to compare the fake with."""
        return self.look.apply(picture) if self.look_of == "target" else picture

    def without_blend(self, picture: Pixels, landmarks: NDArray[np.float32]) -> Pixels:
        """The source all over, RGB uint8 (h, w, 3): altered and resampled like a fake, but real.

        Raises:
            PictureError: no such picture, or landmarks that describe no face.
        """
        check_picture(picture)
        template_px = face_width(landmarks) / 0.66
        centre = landmarks.mean(axis=0)
        shift = centre * (1 - np.array(self.zoom)) + np.array(self.shift) * template_px
        matrix = np.column_stack([np.diag(self.zoom), shift])
        source = self.look.apply(picture) if self.look_of == "source" else picture
        return cv2.warpAffine(
            source,
            matrix,
            picture.shape[1::-1],
            flags=cv2.INTER_CUBIC if self.cubic else cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        ).astype(np.uint8, copy=False)


def self_blend(picture: Pixels, landmarks: NDArray[np.float32], how: SelfBlend) -> tuple[Pixels, NDArray[np.float32]]:
    """Blends one face with itself. The same arguments give the same picture.

    Args:
        picture: RGB uint8 (h, w, 3); left as it is.
        landmarks: (5, 2) of the face, pixels of the picture, ordered as in `gend.faces.Face`.
        how: the views, the mask and the ratio.

    Returns:
        RGB uint8 (h, w, 3), and how much of each pixel comes from the source, float32 (h, w), 0 to `how.ratio`.
        Where that is 0 the picture equals `how.target(picture)`.

    Raises:
        PictureError: no such picture, or landmarks that describe no face.
    """
    source = how.without_blend(picture, landmarks)
    weight = how.ratio * how.mask.weight(landmarks, picture.shape[:2])
    target = how.target(picture)
    mixed = target + weight[..., None] * (source.astype(np.float32) - target)
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8), weight.astype(np.float32, copy=False)


def _smoothed(mask: NDArray[np.float32], kernel_px: float) -> NDArray[np.float32]:
    width = 2 * int(kernel_px / 2) + 1
    return cv2.GaussianBlur(mask, (width, width), 0).astype(np.float32, copy=False)

"""Pictures with each face's box, number and p(fake) drawn on them, for people to look at.

Colours run from blue, real, over grey to red, fake, and say no more than the number: where to draw a line between the
two is not known here. What must be said wherever answers are shown stands at the foot of each picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from gend.model import Detector
from gend.tally import FaceScore

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]
Area = tuple[int, int, int, int]
"""x0, y0, x1, y1 in whole pixels."""

# Told apart by the colour-blind, too; white letters can be read on each.
_REAL, _UNSURE, _FAKE = np.array([[33, 102, 172], [105, 105, 105], [188, 24, 43]])
_WHITE: Colour = (255, 255, 255)
_BLACK: Colour = (0, 0, 0)
_LETTERS_PER_PICTURE = 30
"""Height of the picture's shorter side in heights of its letters."""
_SMALLEST_PX = 12
_FOOT = 0.8
"""Letters of the foot, in those of the labels."""
_FOOT_SHADE = 0.45
"""How much of the picture is seen through the foot."""


def foot(detector: Detector) -> str:
    """What the foot of each picture says: whose figures these are, and what must be said of them."""
    weights = detector.identity.weights
    if "/" in weights and weights.count("/") > 1:  # a path, not a hub id
        weights = weights.rstrip("/").rsplit("/", 1)[-1]
    return " · ".join([f"p(fake) by {weights}", *detector.notices])


def annotated(pixels: Pixels, faces: Sequence[FaceScore], *, latest: bool = True) -> Pixels:
    """A picture with its faces marked.

    Args:
        pixels: RGB uint8 (h, w, 3); not changed.
        faces: what was found in it, or in an earlier frame.
        latest: whether the faces are of this very picture; else their boxes are drawn thinner.

    Returns:
        RGB uint8 (h, w, 3), an array of its own.
    """
    picture = np.array(pixels)
    height, width = picture.shape[:2]
    letters_px = _letters_px(picture)
    line_px = max(2, letters_px // 5) if latest else max(1, letters_px // 12)
    areas = [_area(face) for face in faces]
    for face, (x0, y0, x1, y1) in zip(faces, areas, strict=True):
        # A dark rim, for a red box before a red curtain.
        cv2.rectangle(picture, (x0, y0), (x1, y1), _BLACK, line_px + 2)
        cv2.rectangle(picture, (x0, y0), (x1, y1), _colour(face.p_fake), line_px)
    taken: list[Area] = []
    for face, area in zip(faces, areas, strict=True):
        label = _label(f"#{face.track}  {face.p_fake:.2f}", letters_px, _colour(face.p_fake))
        place = _free_place(area, label, (height, width), [*taken, *(other for other in areas if other is not area)])
        taken.append((*place, place[0] + label.shape[1], place[1] + label.shape[0]))
        _paste(picture, label, place)
    return picture


def write_foot(picture: Pixels, text: str) -> None:
    """Writes a text over the bottom of a picture, RGB uint8 (h, w, 3), in as many lines as it takes."""
    lines = _lines(picture, text)
    y = max(len(picture) - sum(len(line) for line in lines), 0)
    shaded = picture[y:]
    shaded[:] = shaded * np.float32(_FOOT_SHADE)
    for line in lines:
        under = picture[y : y + len(line), : line.shape[1]]
        np.maximum(under, line[: len(under), : under.shape[1]], out=under)
        y += len(line)


def with_foot_below(picture: Pixels, text: str) -> Pixels:
    """A picture, RGB uint8 (h, w, 3), and a text below it, in as many lines as it takes: nothing is covered."""
    lines = _lines(picture, text)
    below = np.zeros((sum(len(line) for line in lines), *picture.shape[1:]), np.uint8)
    y = 0
    for line in lines:
        _paste(below, line, (0, y))
        y += len(line)
    return np.concatenate([picture, below])


def _lines(picture: Pixels, text: str) -> list[Pixels]:
    """The lines of a foot, white on black."""
    letters_px = max(_SMALLEST_PX, round(_letters_px(picture) * _FOOT))
    width = picture.shape[1] - 2 * _margin(letters_px)
    return [_label(line, letters_px, _BLACK) for line in _wrapped(text, _font(letters_px), width)]


def _letters_px(picture: Pixels) -> int:
    height, width = picture.shape[:2]
    return max(_SMALLEST_PX, int(min(height, width)) // _LETTERS_PER_PICTURE)


def _margin(letters_px: int) -> int:
    """Around letters."""
    return max(2, letters_px // 4)


def _colour(p_fake: float) -> Colour:
    low, high, share = (_REAL, _UNSURE, p_fake * 2) if p_fake < 0.5 else (_UNSURE, _FAKE, p_fake * 2 - 1)
    red, green, blue = np.rint(low + (high - low) * share).astype(int).tolist()
    return red, green, blue


def _area(face: FaceScore) -> Area:
    x0, y0, x1, y1 = (round(edge) for edge in face.box)
    return x0, y0, x1, y1


def _label(text: str, letters_px: int, ground: Colour) -> Pixels:
    """White letters on a ground of one colour, RGB uint8 (h, w, 3)."""
    font = _font(letters_px)
    margin = _margin(letters_px)
    size = round(font.getlength(text)) + 2 * margin, letters_px + 2 * margin
    label = Image.new("RGB", size, ground)
    ImageDraw.Draw(label).text((margin, size[1] // 2), text, fill=_WHITE, font=font, anchor="lm")
    return np.asarray(label)


def _free_place(face: Area, label: Pixels, size: tuple[int, int], taken: Sequence[Area]) -> tuple[int, int]:
    """Where a label goes, x and y of its corner: above its face, below or inside, where nothing else is yet."""
    height, width = label.shape[:2]
    x = min(max(face[0], 0), max(size[1] - width, 0))
    for y in (face[1] - height, face[3], face[1], face[3] - height):
        if y < 0 or y + height > size[0]:
            continue
        if not any(x < x1 and x0 < x + width and y < y1 and y0 < y + height for x0, y0, x1, y1 in taken):
            return x, y
    return x, min(max(face[1] - height, 0), max(size[0] - height, 0))


def _paste(picture: Pixels, label: Pixels, place: tuple[int, int]) -> None:
    """Puts a label onto a picture; what does not fit is cut off."""
    x, y = place
    under = picture[y : y + label.shape[0], x : x + label.shape[1]]
    under[:] = label[: under.shape[0], : under.shape[1]]


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


@lru_cache(maxsize=8)
def _font(letters_px: int) -> ImageFont.FreeTypeFont:
    """The letters that come with PIL."""
    font = ImageFont.load_default(letters_px)
    assert isinstance(font, ImageFont.FreeTypeFont), "PIL was built without FreeType"
    return font

"""A picture of a camera's small stream, with the newest one of its main stream for the details."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.messages import Box, Detail, Frame, Pixels

NEAR_S = 0.3
"""Apart by which the arrivals of two pictures may be for them to show nearly the same. The delays of a camera's two
streams are assumed to differ by no more than a part of this: who moves on is at another place by then, but not far from
it, and is looked for there anew."""
_SAME_SHAPE = 0.03
"""By which width to height may differ: encoders round to 8 or 16 lines, 640 x 352 is one of 1920 x 1080."""


@dataclass(frozen=True, slots=True, eq=False)
class PairedFrame:
    """A `messages.Frame` of two: seen as small as one is, and as large as the other.

    Attributes:
        seen: of the small stream; it says when it is.
        main: the newest one of the main stream, of the same shape.
    """

    seen: Frame
    main: Frame

    @property
    def stream(self) -> str:
        """Name of the configured stream."""
        return self.seen.stream

    @property
    def index(self) -> int:
        """Position among the frames of the small stream."""
        return self.seen.index

    @property
    def at_s(self) -> float:
        """When the small picture came."""
        return self.seen.at_s

    @property
    def pts_s(self) -> float | None:
        """Presentation time of the small picture, seconds."""
        return self.seen.pts_s

    @property
    def trusted(self) -> bool:
        """False where either picture may be damaged, as far as it is of use."""
        return self.seen.trusted and (self.main.trusted or self.detail == "none")

    @property
    def width(self) -> int:
        """Width of the main stream, pixels."""
        return self.main.width

    @property
    def height(self) -> int:
        """Height of the main stream, pixels."""
        return self.main.height

    @property
    def detail(self) -> Detail:
        """`near` where the main stream's picture is of about the same time, else `none`."""
        return "near" if abs(self.seen.at_s - self.main.at_s) <= NEAR_S else "none"

    def small(self, px: int) -> Pixels:
        """The small stream's picture, RGB uint8 (h, w, 3), its longer side at most `px`."""
        return self.seen.small(px)

    def luma(self, px: int) -> Pixels:
        """Its brightness, uint8 (h, w), as large as `small`."""
        return self.seen.luma(px)

    def region(self, box: Box) -> tuple[Pixels, tuple[int, int]]:
        """Pixels (h, w, 3) of `box` in the main stream's picture, and the (x, y) of their corner; where `detail`."""
        return self.main.region(box)


def misfit(seen: Frame, main: Frame) -> str | None:
    """Why faces cannot be found on the one and cut out of the other; None where they can."""
    return misfit_of_sizes((seen.width, seen.height), (main.width, main.height))


def misfit_of_sizes(small: tuple[int, int], main: tuple[int, int]) -> str | None:
    """The same of pictures by their widths and heights, pixels."""
    sizes = f"its pictures are {small[0]} x {small[1]} px, those of the main stream {main[0]} x {main[1]}"
    shape = (small[0] * main[1]) / (small[1] * main[0])
    if abs(shape - 1) > _SAME_SHAPE:
        return f"{sizes}: it must show the same, and so be of the same shape"
    return f"{sizes}: it must not be larger" if small[0] > main[0] else None

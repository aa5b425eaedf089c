"""Some frames of a file, small, for people to look at.

They are spread over the frames with a face; the one with the highest p(fake) is always among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import Image

from gend.score import ScoredFrame
from gend.video import Frame
from monitor.uploads.job import KeyPicture
from monitor.uploads.task import picture_name

_MOST = 12
_SIDE_PX = 960
_JPEG_QUALITY = 82


class KeyPictures:
    """Chooses while frames pass, and never holds more than `_MOST` files and the few frames that are being judged.

    Args:
        folder: where they go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._passing: dict[int, tuple[Image.Image, KeyPicture]] = {}
        self._spread: list[KeyPicture] = []
        self._highest: KeyPicture | None = None
        self._highest_p = -1.0
        self._every = 1
        self._seen = 0
        self._any_face = False

    def passing(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Passes frames on, and keeps those that are looked at, small, until they are judged."""
        for frame in frames:
            if frame.sampled:
                height, width = frame.pixels.shape[:2]
                small = Image.fromarray(frame.pixels)
                small.thumbnail((_SIDE_PX, _SIDE_PX), Image.Resampling.BILINEAR, reducing_gap=2.0)
                self._passing[frame.number] = small, KeyPicture(frame.number, round(frame.at_s, 3), width, height)
            yield frame

    def judged(self, scored: ScoredFrame) -> None:
        """Decides whether a frame that was looked at is kept.

        Raises:
            OSError: it cannot be written.
        """
        small, picture = self._passing.pop(scored.frame.number)
        if not scored.faces:
            # Of a file without any face the first frame is shown.
            if not self._any_face and not self._spread:
                self._keep(small, picture)
            return
        if not self._any_face:
            self._any_face = True
            self._drop(self._spread)
            self._spread = []
        if self._seen % self._every == 0:
            self._keep(small, picture)
        self._seen += 1
        if len(self._spread) > _MOST:
            self._thin_out()
        highest = max(face.p_fake for face in scored.faces)
        if highest > self._highest_p:
            before, self._highest, self._highest_p = self._highest, picture, highest
            self._write(small, picture)
            if before is not None and before not in self._spread:
                self._drop([before])

    def kept(self) -> tuple[KeyPicture, ...]:
        """Those that are kept, in the order of showing."""
        chosen = {*self._spread, *([] if self._highest is None else [self._highest])}
        return tuple(sorted(chosen, key=lambda picture: picture.frame))

    def _keep(self, small: Image.Image, picture: KeyPicture) -> None:
        self._spread.append(picture)
        self._write(small, picture)

    def _thin_out(self) -> None:
        self._every *= 2
        gone, self._spread = self._spread[1::2], self._spread[::2]
        self._drop([picture for picture in gone if picture != self._highest])

    def _write(self, small: Image.Image, picture: KeyPicture) -> None:
        small.save(self._folder / picture_name(picture.frame), "JPEG", quality=_JPEG_QUALITY)

    def _drop(self, pictures: list[KeyPicture]) -> None:
        for picture in pictures:
            (self._folder / picture_name(picture.frame)).unlink(missing_ok=True)

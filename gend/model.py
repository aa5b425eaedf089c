"""The detector as others use it: crops of faces in, log-odds of fake out.

Importing this module costs nothing; torch is imported, and asked for where it is missing, by `Detector.load`.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from gend.adapter import Adapter
from gend.engines import Device
from gend.engines.choose import AnyEngine, AnyPrecision, Wish
from gend.engines.load import load_engine
from gend.errors import PictureError, WeightsError
from gend.faces import FaceDetector, load_detector
from gend.fine_tunes import FineTunes
from gend.preprocess import encoder_input
from gend.resample import Interpolation

if TYPE_CHECKING:
    from gend.engines import Engine
    from gend.score import Picture
    from gend.tally import FileScore

Pixels = NDArray[np.uint8]

MIN_FACE_PX = 40
"""Narrower faces are left out of pictures and videos: what an encoder says of them is noise."""
_FACE_THREADS = 4
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Which detector judged, as alerts and results state it."""

    weights: str
    """As they were asked for."""
    sha256: str
    """Of the weights file."""
    engine: str
    precision: str


class Detector:
    """An encoder with its weights, ready to score faces. May be called from any thread.

    Attributes:
        input_px: Side of the square crops that `logits` takes, pixels.
        identity: Which detector this is.
        notices: What must be said wherever its answers are shown.
        interpolation: How the encoder's pictures were resized in its training.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        input_px: int,
        identity: Identity,
        notices: tuple[str, ...] = (),
        own: Adapter | None = None,
        interpolation: Interpolation = "bicubic",
    ) -> None:
        self.input_px = input_px
        self.identity = identity
        self.notices = notices
        self.interpolation = interpolation
        self._engine = engine
        self._faces = threading.local()  # a face detector serves one thread at a time
        self._fine_tunes = None if own is None else FineTunes(own)

    @classmethod
    def load(
        cls,
        weights: str,
        *,
        engine: AnyEngine = "auto",
        precision: AnyPrecision = "auto",
        device: Device = "auto",
        threads: int | None = None,
        max_logit_drift: float = 0.1,
        adapters: Mapping[str, str | Path] | None = None,
    ) -> Self:
        """Finds weights and the engine that suits them and this machine, and brings them together.

        Args:
            weights: `demo`, a hub id, a folder or a file (see `gend.checkpoint.load_checkpoint`), or a folder that
                `gend export` wrote.
            engine: what runs the encoder; `auto` takes what is fastest here (see `gend.engines.choose`).
            precision: of its arithmetic; `auto` takes int8 only where a comparison has shown it to be good enough.
            device: `auto` takes a GPU where there is one.
            threads: CPU threads for one batch, of the whole process; None takes all cores.
            max_logit_drift: how far int8 may move a logit.
            adapters: files of fine-tunes of this encoder by the names that `logits` is to know them by. None: there
                will never be any, which lets engines be chosen that cannot mix them.

        Raises:
            WeightsError: Where the weights cannot be found or read, or are no GenD detector, or an adapter does not
                fit them.
            GendError: Where torch, the engine or the device is missing.
        """
        wish = Wish(engine, precision, device, mixes=adapters is not None, max_logit_drift=max_logit_drift)
        loaded = load_engine(weights, wish, threads=threads)
        identity = Identity(loaded.weights, loaded.sha256, loaded.engine.name, loaded.engine.precision)
        detector = cls(
            loaded.engine,
            input_px=loaded.input_px,
            identity=identity,
            notices=loaded.notices,
            own=loaded.own,
            interpolation=loaded.interpolation,
        )
        detector.set_adapters(adapters or {})
        return detector

    def set_adapters(self, adapters: Mapping[str, str | Path]) -> None:
        """Reads fine-tunes and takes them in the place of those there were; the encoder stays where it is.

        All of them are read and checked first, so that where one is at fault nothing changes. A batch in progress is
        finished with those of before.

        Args:
            adapters: files by name.

        Raises:
            WeightsError: One cannot be read or is of another encoder, or this detector was loaded without adapters.
        """
        if self._fine_tunes is not None:
            self._fine_tunes = self._fine_tunes.having(adapters)
        elif adapters:
            raise WeightsError("adapters: the encoder was loaded without any; load it with adapters to add some")

    @property
    def adapters(self) -> Mapping[str, str]:
        """SHA-256 of the file of each fine-tune by its name."""
        return {} if self._fine_tunes is None else self._fine_tunes.sha256

    def prepare(self, aligned: Pixels) -> Pixels:
        """An aligned face, RGB uint8 (h, w, 3) at native size → RGB uint8 (input_px, input_px, 3) for `logits`.

        Raises:
            PictureError: Where it is no such picture, or is empty.
        """
        return encoder_input(aligned, self.input_px, interpolation=self.interpolation)

    def logits(self, crops: Pixels, adapters: Sequence[str | None] | None = None) -> NDArray[np.float32]:
        """How strongly each crop looks fake.

        Args:
            crops: RGB uint8 (B, input_px, input_px, 3), each as `prepare` returns it.
            adapters: by which fine-tune each of them is judged, None being the checkpoint's own; None for all.

        Returns:
            Raw log-odds log p(fake) - log p(real), float32 (B,).

        Raises:
            PictureError: Where the crops are of another type or shape, or there are none.
            WeightsError: Where there is no adapter of that name.
        """
        check_crops(crops, adapters, self.input_px)
        names = [None] * len(crops) if adapters is None else adapters
        if self._fine_tunes is not None:
            return self._engine.logits(crops, self._fine_tunes.mix(names))
        if unknown := [name for name in names if name is not None]:
            raise WeightsError(f"no adapter is called {unknown[0]}: the encoder was loaded without any")
        return self._engine.logits(crops)

    def score_image(
        self,
        picture: Picture,
        *,
        faces: FaceDetector | None = None,
        largest: bool = False,
        min_face_px: int = MIN_FACE_PX,
    ) -> FileScore:
        """Finds and scores the faces of a picture, as `gend.score.score_image`.

        Args:
            picture: a file, a PIL picture, or an array: RGB uint8 (h, w, 3).
            faces: finds the faces; None: the best there is (see `gend.faces.load_detector`), loaded once.
            largest: score the largest face alone.
            min_face_px: leave out narrower faces.

        Raises:
            PictureError: it is no picture, a damaged one, or an array of another type or shape.
            FetchError: no face detector can be had.
        """
        from gend.score import score_image  # noqa: PLC0415  (it takes detectors, and so needs this module)

        return score_image(picture, self, faces or self._face_detector, largest=largest, min_face_px=min_face_px)

    def score_video(
        self,
        path: str | Path,
        *,
        faces: FaceDetector | None = None,
        frames: int | None = None,
        stride: int | None = None,
        largest: bool = False,
        min_face_px: int = MIN_FACE_PX,
        details: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> FileScore:
        """Finds, follows and scores the faces of a video; all of it as `gend.score.score_video` takes and raises it.

        Args:
            path: anything FFmpeg reads.
            faces: as for `score_image`.
            frames: look at so many frames, spread evenly; 32 unless `stride` is given.
            stride: look at every so many-th frame instead; 1 is every frame.
            largest: score the largest face of each frame alone.
            min_face_px: leave out narrower faces.
            details: keep every face of every frame in the answer.
            progress: told how many frames were looked at, and how many there are to look at.
        """
        from gend.score import score_video  # noqa: PLC0415  (as above)

        return score_video(
            path,
            self,
            faces or self._face_detector,
            frames=frames,
            stride=stride,
            largest=largest,
            min_face_px=min_face_px,
            details=details,
            progress=progress,
        )

    @property
    def _face_detector(self) -> FaceDetector:
        found: FaceDetector | None = getattr(self._faces, "detector", None)
        if found is None:
            threads = min(_FACE_THREADS, os.cpu_count() or 1)
            found = self._faces.detector = load_detector("auto", threads=threads, warn=_log.warning)
        return found


def check_crops(crops: Pixels, adapters: Sequence[str | None] | None, input_px: int) -> None:
    """Refuses what `Detector.logits` does not take.

    Raises:
        PictureError: The crops are of another type or shape, there are none, or there is not a name for each.
    """
    if crops.dtype != np.uint8:
        raise PictureError(f"crops must be uint8, not {crops.dtype}")
    due = (input_px, input_px, 3)
    if crops.ndim != 4 or crops.shape[1:] != due or not len(crops):
        raise PictureError(f"crops must have the shape (B, {', '.join(map(str, due))}) with B > 0, not {crops.shape}")
    if adapters is not None and len(adapters) != len(crops):
        raise PictureError(f"{len(crops)} crops and {len(adapters)} names of adapters")

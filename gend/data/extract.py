"""One video: its frames, the face in each, and the crop of it, written as a picture with its record.

Which face of a frame that is, `gend.data.face_choice` says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gend.data.face_choice import choose_face, usable_faces
from gend.data.footage import Footage, Shot, open_footage
from gend.data.manifest import CropRecord
from gend.data.source_videos import Problem, Severity, SourceVideo
from gend.data.spread import FrameChoice
from gend.errors import GendError, PictureError
from gend.faces import Face, FaceDetector, align
from gend.media import named_as_picture

Pixels = NDArray[np.uint8]
Told = Callable[[int, int], None]
"""Told how many frames are done, and of how many."""


class CannotWriteError(GendError):
    """What was made cannot be written: nothing else could be either."""


@dataclass(frozen=True, slots=True)
class Cut:
    """How crops are cut."""

    frames: FrameChoice = field(default_factory=FrameChoice)
    scale: float = 1.3
    """How much wider than the bare face is seen."""
    size: int | None = None
    """Side of a crop, pixels; None for the size that the face has in its frame."""
    min_face_px: int = 40
    """Narrower faces are left out."""
    masks: bool = True
    """Let masks choose the face."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """What came of one video."""

    looked_at: int
    """Frames."""
    records: tuple[CropRecord, ...]
    """By frame."""
    problems: tuple[Problem, ...]
    fingerprint: str
    """Of its files as they were."""


def extract(
    video: SourceVideo,
    src: Path,
    folder: Path,
    detector: FaceDetector,
    cut: Cut,
    *,
    told: Told = lambda _done, _total: None,
) -> Extracted:
    """Cuts the crops of one video.

    Args:
        video: its files are under `src`.
        src: the folder that is prepared.
        folder: where crops are written; made if there are any, and nobody else's.
        detector: finds the faces.
        cut: how.
        told: of progress.

    Raises:
        PictureError: the video or its mask cannot be read, they differ in length, or a file changed meanwhile.
        CannotWriteError: a crop cannot be written.
    """
    before = fingerprint(src, video)
    footage = open_footage([src / file for file in video.files])
    masks = _masks(video, src, footage) if cut.masks else None
    looks = _Looks(video, src, folder, detector, cut)
    order = cut.frames.order(footage.count)
    enough = cut.frames.enough
    visited = 0
    while visited < len(order):
        # As many as may still be needed, or as many as there were: few passes, and few frames in vain.
        missing = len(order) if enough is None else enough - looks.saved
        numbers = sorted(order[visited : visited + max(missing, visited)])
        for shot, mask in zip(footage.shots(numbers), _mask_shots(masks, numbers), strict=True):
            looks.look(shot, mask)
            told(*((len(looks), len(order)) if enough is None else (min(looks.saved, enough), enough)))
        visited += len(numbers)
        if enough is not None and looks.saved >= enough:
            order = order[:visited]
            break
    if looks.damaged == len(looks):
        raise PictureError(f"{src / video.files[0]}: nothing of it can be read")
    looked_at = looks.settle(order, enough)
    if fingerprint(src, video) != before:
        raise PictureError(f"{src / video.files[0]}: it changed while it was read")
    return Extracted(looked_at, looks.records(), looks.problems(), before)


def fingerprint(src: Path, video: SourceVideo) -> str:
    """Changes when a file of a video is replaced or written to: hash of names, sizes and times.

    Raises:
        PictureError: a file is gone.
    """
    seen = hashlib.sha256()
    for name in video.all_files:
        try:
            status = (src / name).stat()
        except OSError as error:
            raise PictureError(f"{src / name}: cannot read ({error.strerror})") from error
        seen.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return seen.hexdigest()


class _Looks:
    """What came of the frames of one video."""

    def __init__(self, video: SourceVideo, src: Path, folder: Path, detector: FaceDetector, cut: Cut) -> None:
        self._video = video
        self._src = src
        self._folder = folder
        self._detector = detector
        self._cut = cut
        self._found: dict[int, CropRecord | Problem] = {}
        self._sha256: dict[str, str] = {}
        self.saved = 0
        self.damaged = 0

    def __len__(self) -> int:
        return len(self._found)

    def look(self, shot: Shot, mask: Shot | None) -> None:
        """Finds the face of a frame, and writes its crop."""
        found = self._look(shot, mask)
        self._found[shot.number] = found
        self.saved += isinstance(found, CropRecord)

    def settle(self, order: Sequence[int], enough: int | None) -> int:
        """Forgets frames that would not have been visited once there were faces enough; how many are left."""
        saved = 0
        for place, number in enumerate(order):
            if enough is not None and saved == enough:
                for surplus in order[place:]:
                    found = self._found.pop(surplus)
                    if isinstance(found, CropRecord):
                        self._path(surplus).unlink()
                break
            saved += isinstance(self._found[number], CropRecord)
        return len(self._found)

    def records(self) -> tuple[CropRecord, ...]:
        """Of the crops, by frame."""
        return tuple(found for _, found in sorted(self._found.items()) if isinstance(found, CropRecord))

    def problems(self) -> tuple[Problem, ...]:
        """Of the other frames, by frame."""
        return tuple(found for _, found in sorted(self._found.items()) if isinstance(found, Problem))

    def _look(self, shot: Shot, mask: Shot | None) -> CropRecord | Problem:
        if shot.pixels is None:
            self.damaged += 1
            # A picture of its own is a file that should have been prepared.
            severity = Severity.ERROR if self._of_pictures else Severity.SKIPPED
            return self._problem(severity, "damaged", shot, shot.fault)
        if mask is not None and mask.fault:
            return self._problem(Severity.SKIPPED, "damaged mask", shot, mask.fault)
        faces = self._detector.detect(shot.pixels)
        height, width = shot.pixels.shape[:2]
        usable = usable_faces(faces, self._cut.min_face_px, (height, width))
        face = choose_face(usable, None if mask is None else mask.pixels, (height, width))
        if face is None:
            kind = "no face" if not faces else "no face under the mask" if usable else "no face large enough"
            return self._problem(Severity.SKIPPED, kind, shot)
        try:
            crop = align(shot.pixels, face.landmarks, size=self._cut.size, scale=self._cut.scale)
        except PictureError as error:
            return self._problem(Severity.SKIPPED, "face cannot be aligned", shot, str(error))
        return self._record(shot, face, self._write(shot.number, crop))

    def _record(self, shot: Shot, face: Face, sha256: str) -> CropRecord:
        x0, y0, x1, y1 = (round(float(edge), 2) for edge in face.box)
        file = self._file(shot.number)
        return CropRecord(
            crop=f"{self._video.key}/{self._path(shot.number).name}",
            crop_sha256=sha256,
            file=file,
            file_sha256=self._hash(file),
            frame=0 if self._of_pictures else shot.number,
            at_s=round(shot.at_s, 4),
            pair=self._video.pair,
            box=(x0, y0, x1, y1),
            landmarks=tuple((round(float(x), 2), round(float(y), 2)) for x, y in face.landmarks),
            confidence=round(face.confidence, 4),
            detector=self._detector.name,
        )

    def _write(self, number: int, crop: Pixels) -> str:
        """Writes a crop; the hash of its file."""
        _, coded = cv2.imencode(".png", crop[..., ::-1])
        path = self._path(number)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(coded.data)
        except OSError as error:
            raise CannotWriteError(f"{path}: cannot be written ({error.strerror})") from error
        return hashlib.sha256(coded.data).hexdigest()

    @property
    def _of_pictures(self) -> bool:
        return named_as_picture(Path(self._video.files[0]))

    def _file(self, number: int) -> str:
        return self._video.files[number if len(self._video.files) > 1 else 0]

    def _path(self, number: int) -> Path:
        """Frames of a video are called by their number, pictures as they are."""
        several = len(self._video.files) > 1
        return self._folder / f"{Path(self._file(number)).stem if several else f'{number:06d}'}.png"

    def _hash(self, file: str) -> str:
        if file not in self._sha256:
            try:
                with (self._src / file).open("rb") as content:
                    self._sha256[file] = hashlib.file_digest(content, "sha256").hexdigest()
            except OSError as error:
                raise PictureError(f"{self._src / file}: cannot read ({error.strerror})") from error
        return self._sha256[file]

    def _problem(self, severity: Severity, kind: str, shot: Shot, detail: str = "") -> Problem:
        frame = None if self._of_pictures else shot.number
        return Problem(severity, kind, self._file(shot.number), frame, detail)


def _masks(video: SourceVideo, src: Path, footage: Footage) -> Footage | None:
    """The masks of a video, frame for frame."""
    if not any(video.masks):
        return None
    try:
        masks = open_footage([None if mask is None else src / mask for mask in video.masks])
    except PictureError as error:
        raise PictureError(f"{src / video.files[0]}: its mask: {error}") from error
    if masks.count != footage.count:
        raise PictureError(
            f"{src / video.files[0]}: it has {footage.count} frames, but its mask {video.masks[0]} has {masks.count}"
        )
    return masks


def _mask_shots(masks: Footage | None, numbers: Sequence[int]) -> Iterable[Shot | None]:
    return [None] * len(numbers) if masks is None else masks.shots(numbers)

"""Scores on disk: one CSV per detector, set and corruption. What is in them need not be computed again.

A row says which file it judged by its hash, so a picture that has changed is judged anew. Beside the files of a
detector, `detector.json` says which one it was; scores of another are thrown away.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray

from gend.errors import GendError
from gend.evaluation.detectors import Identity
from gend.whole_files import written_whole

_COLUMNS = ("path", "video", "group", "label", "logit", "sha256")
_IDENTITY = "detector.json"


@dataclass(frozen=True, slots=True)
class ScoredCrop:
    """One crop and what a detector says of it."""

    path: str
    """Under the root of its tree, with `/`."""
    video: str
    """`dataset/source/video`."""
    group: str
    """Videos of one group are drawn together in a bootstrap."""
    label: int
    """0 real, 1 fake."""
    logit: float
    """Log-odds of fake."""
    sha256: str
    """Of the crop's file."""


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """A detector's scores of one set."""

    crops: Sequence[ScoredCrop]

    @property
    def logits(self) -> NDArray[np.float64]:
        """(n,)."""
        return np.array([crop.logit for crop in self.crops], np.float64)

    @property
    def labels(self) -> NDArray[np.int64]:
        """(n,), 0 real, 1 fake."""
        return np.array([crop.label for crop in self.crops], np.int64)

    @property
    def sha256(self) -> str:
        """Of the paths and contents of all crops, in whatever order: which data it was."""
        lines = sorted(f"{crop.path} {crop.sha256}\n" for crop in self.crops)
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def detector_folder(folder: Path, identity: Identity) -> None:
    """Makes a folder for the scores of a detector; those of another one that are in it are removed.

    Raises:
        GendError: it cannot be written.
    """
    said = json.dumps(asdict(identity), indent=2) + "\n"
    file = folder / _IDENTITY
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not file.exists() or file.read_text(encoding="utf-8") != said:
            for scores in folder.glob("*.csv"):
                scores.unlink()
            file.write_text(said, encoding="utf-8")
    except OSError as error:
        raise GendError(f"{folder}: cannot be written ({error.strerror})") from error


def read_identity(folder: Path) -> Identity:
    """Which detector the scores of a folder are of.

    Raises:
        GendError: the folder does not say.
    """
    try:
        known = json.loads((folder / _IDENTITY).read_text(encoding="utf-8"))
        return Identity(**{**known, "notices": tuple(known["notices"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        reason = getattr(error, "strerror", None) or error
        raise GendError(f"{folder / _IDENTITY}: cannot be read ({reason}): no scores of an earlier run") from error


def read_scores(path: Path) -> list[ScoredCrop]:
    """The rows of a file; a last one that was cut off is left out.

    Raises:
        GendError: it cannot be read, or a row is damaged.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise GendError(f"{path}: cannot read ({getattr(error, 'strerror', None) or error})") from error
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines.pop()
    rows = csv.reader(lines)
    if tuple(next(rows, ())) != _COLUMNS:
        raise GendError(f"{path}: not a file of scores: its columns are not {', '.join(_COLUMNS)}")
    return [_row(path, number, row) for number, row in enumerate(rows, 2)]


def write_scores(path: Path, crops: Iterable[ScoredCrop]) -> None:
    """Writes a file of scores, whole or not at all.

    Raises:
        GendError: it cannot be written.
    """
    try:
        with written_whole(path) as unfinished:
            unfinished.unlink(missing_ok=True)
            with ScoreWriter(unfinished) as writer:
                writer.write(crops)
    except OSError as error:
        raise GendError(f"{path}: cannot be written ({error.strerror})") from error


class ScoreWriter:
    """Adds scores to a file as they come, so that none is lost; a context manager.

    Raises:
        GendError: it cannot be written; so does `write`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file: IO[str] = path.open("a", encoding="utf-8", newline="")
            self._rows = csv.writer(self._file, lineterminator="\n")
            if not self._file.tell():
                self._rows.writerow(_COLUMNS)
        except OSError as error:
            raise self._failure(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        except OSError as failure:
            raise self._failure(failure) from error

    def write(self, crops: Iterable[ScoredCrop]) -> None:
        """Adds rows; they are on disk when this returns."""
        try:
            self._rows.writerows(
                (crop.path, crop.video, crop.group, crop.label, repr(crop.logit), crop.sha256) for crop in crops
            )
            self._file.flush()
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> GendError:
        return GendError(f"{self._path}: cannot be written ({error.strerror})")


def _row(path: Path, number: int, row: Sequence[str]) -> ScoredCrop:
    try:
        crop, video, group, label, logit, sha256 = row
        scored = ScoredCrop(crop, video, group, int(label), float(logit), sha256)
    except ValueError as error:
        raise GendError(f"{path}:{number}: damaged ({error})") from error
    if scored.label not in (0, 1) or not math.isfinite(scored.logit):
        raise GendError(f"{path}:{number}: damaged (label {label}, logit {logit})")
    return scored

"""Runs a detector over the crops of a set, a batch at a time; what was scored before is taken from its file."""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from gend.data.crop_files import CropFile
from gend.errors import GendError, PictureError
from gend.evaluation.corruptions import Corruption
from gend.evaluation.crop_sets import CropSet
from gend.evaluation.detectors import Pixels, Scorer
from gend.evaluation.score_files import ScoredCrop, Scores, ScoreWriter, read_scores, write_scores
from gend.media import rgb_pixels

_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A crop that was left out."""

    path: str
    why: str


class SetScoring:
    """Scores sets with one detector.

    Args:
        name: of the detector, for errors.
        scorer: the detector.
        batch: crops that it is given at a time.
        skip_unreadable: leave out pictures that cannot be read, instead of refusing the set.
    """

    def __init__(self, name: str, scorer: Scorer, *, batch: int, skip_unreadable: bool) -> None:
        self._name = name
        self._scorer = scorer
        self._batch = batch
        self._skip_unreadable = skip_unreadable

    def score(
        self, crop_set: CropSet, file: Path, told: Callable[[int, int], None], corruption: Corruption | None = None
    ) -> tuple[Scores, list[Unreadable]]:
        """The scores of a set, and what of it could not be read.

        Args:
            crop_set: what to score.
            file: where scores are kept; those in it are taken over if their crops have not changed.
            told: how many crops are done, and of how many.
            corruption: what is done to each crop first.

        Raises:
            PictureError: pictures cannot be read; they are named.
            GendError: the detector fails, runs out of memory, or gives something that is no number.
        """
        known = {row.path: row for row in read_scores(file)} if file.exists() else {}
        write_scores(file, known.values())  # without a row that was cut off
        rows: dict[str, ScoredCrop] = {}
        waiting: list[tuple[ScoredCrop, Pixels]] = []
        unreadable: list[Unreadable] = []
        with ScoreWriter(file) as writer:
            for number, crop in enumerate(crop_set.crops, 1):
                try:
                    row, content = _opened(crop_set, crop)
                    if _same(row, known.get(row.path)):
                        rows[row.path] = replace(row, logit=known[row.path].logit)
                    else:
                        waiting.append((row, _pixels(row, crop.path, content, corruption)))
                except PictureError as error:
                    unreadable.append(Unreadable(str(crop.path), str(error)))
                if len(waiting) == self._batch or (waiting and number == len(crop_set.crops)):
                    judged = self._judged(waiting, unreadable)
                    writer.write(judged)
                    rows |= {row.path: row for row in judged}
                    waiting = []
                told(number, len(crop_set.crops))
        if unreadable and not self._skip_unreadable:
            raise PictureError(_refusal(crop_set, unreadable))
        if not rows:
            raise PictureError(f"{crop_set.name}: none of its {len(crop_set.crops)} crops can be read")
        order = [_name(crop_set, crop) for crop in crop_set.crops]
        scores = Scores([rows[name] for name in order if name in rows])
        write_scores(file, scores.crops)
        return scores, unreadable

    def _judged(self, waiting: Sequence[tuple[ScoredCrop, Pixels]], unreadable: list[Unreadable]) -> list[ScoredCrop]:
        try:
            logits = self._scorer.logits([pixels for _, pixels in waiting])
        except PictureError as error:
            if len(waiting) > 1:  # which of them it is, each alone will say
                return [row for each in waiting for row in self._judged([each], unreadable)]
            unreadable.append(Unreadable(waiting[0][0].path, f"{waiting[0][0].path}: {error}"))
            return []
        except (RuntimeError, MemoryError) as error:
            if isinstance(error, MemoryError) or "memory" in str(error).lower():
                raise GendError(
                    f"{self._name}: out of memory with batch {self._batch}; try batch={max(1, self._batch // 4)}"
                ) from error
            raise
        for (row, _), logit in zip(waiting, logits, strict=True):
            if not np.isfinite(logit):
                raise GendError(f"{self._name}: its score of {row.path} is {logit}, which is no number")
        return [replace(row, logit=float(logit)) for (row, _), logit in zip(waiting, logits, strict=True)]


def _opened(crop_set: CropSet, crop: CropFile) -> tuple[ScoredCrop, bytes]:
    """What is known of a crop before it is judged, and its file."""
    try:
        content = crop.path.read_bytes()
    except OSError as error:
        raise PictureError(f"{crop.path}: cannot be read ({error.strerror})") from error
    digest = hashlib.sha256(content).hexdigest()
    name, group = _name(crop_set, crop), crop_set.group_of(crop)
    return ScoredCrop(name, crop.video_key, group, crop.label, float("nan"), digest), content


def _name(crop_set: CropSet, crop: CropFile) -> str:
    inside = crop.path.is_relative_to(crop_set.root)
    return (crop.path.relative_to(crop_set.root) if inside else crop.path).as_posix()


def _same(row: ScoredCrop, known: ScoredCrop | None) -> bool:
    return known is not None and (row.label, row.sha256) == (known.label, known.sha256)


def _pixels(row: ScoredCrop, path: Path, content: bytes, corruption: Corruption | None) -> Pixels:
    try:
        with Image.open(io.BytesIO(content)) as picture:
            pixels = rgb_pixels(picture)
    except (OSError, PictureError, Image.DecompressionBombError) as error:
        reason = "not a picture, or damaged" if isinstance(error, UnidentifiedImageError) else error
        raise PictureError(f"{path}: cannot be read: {reason}") from error
    return pixels if corruption is None else corruption.apply(pixels, zlib.crc32(row.path.encode()))


def _refusal(crop_set: CropSet, unreadable: Sequence[Unreadable]) -> str:
    lines = [f"sets.{crop_set.name}: {each.why}" for each in unreadable[:_MOST_NAMED]]
    if len(unreadable) > _MOST_NAMED:
        lines.append(f"… and {len(unreadable) - _MOST_NAMED} more")
    return "\n".join([*lines, f"{len(unreadable)} crops cannot be read; skip_unreadable=true goes on without them"])

"""From items to batches, an epoch after the other, and back to the very place where a training was left."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple, TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from gend.data.crop_files import CropFile
from gend.errors import PictureError
from gend.training.samples import ALONE, Example, SampleSet, View, read_crop

_log = logging.getLogger(__name__)

T_co = TypeVar("T_co", covariant=True)


class Batch(NamedTuple):
    """Crops of one step. Axes: B crops, S side of the encoder's input."""

    crops: Tensor
    """RGB uint8 (B, S, S, 3)."""
    labels: Tensor
    """0 real, 1 fake, int64 (B,)."""
    pair: Tensor
    """Which pair each belongs to, int64 (B,); -1 for none."""
    changed: Tensor | None
    """How much of each pixel is manipulated, of 255, uint8 (B, S, S)."""


class Judged(NamedTuple):
    """Crops of a validation."""

    crops: Tensor
    """RGB uint8 (B, S, S, 3)."""
    labels: Tensor
    """(B,)."""
    video: Tensor
    """Number of each crop's video, (B,)."""


class TrainingLoader:
    """Batches of a set, each epoch in another order; the last items that fill no batch are left for another epoch.

    Args:
        samples: the set.
        batch_size: crops of a batch; rounded down to whole items, at least one.
        seed: of the order.
        workers: processes that draw items; 0 draws them here.
        rank: of this process, where several train together; each gets batches of its own.
        ranks: how many there are.
        unreadable: what to do about crops that cannot be read: `stop`, or `skip` the item, with a line in the log.
        handed_out: batches that were handed out before.
    """

    def __init__(
        self,
        samples: SampleSet,
        batch_size: int,
        seed: int,
        *,
        workers: int = 0,
        rank: int = 0,
        ranks: int = 1,
        unreadable: Literal["stop", "skip"] = "stop",
        handed_out: int = 0,
    ) -> None:
        self._samples, self._seed, self._workers, self._unreadable = samples, seed, workers, unreadable
        self._items = max(1, batch_size // samples.crops_per_item)
        self._rank, self._ranks = rank, ranks
        self.handed_out = handed_out
        """Batches since the beginning: where to go on when this training is resumed."""
        self._told: set[str] = set()
        self._plan = _Plan()
        # Workers stay from one epoch to the next. Drawn from torch's generator, their seeds would depend on what
        # happened before; nothing here uses them.
        self._loaded = DataLoader[Any](
            _Items(samples),
            batch_sampler=self._plan,
            collate_fn=_joined,
            generator=torch.Generator().manual_seed(0),
            persistent_workers=workers > 0,
            **_workers(workers),
        )

    def __len__(self) -> int:
        return max(1, len(self._samples) // (self._items * self._ranks))

    def __iter__(self) -> Iterator[Batch]:
        """The rest of the epoch that was begun; a whole one where none was."""
        epoch, done = divmod(self.handed_out, len(self))
        order = np.random.default_rng((self._seed, epoch)).permutation(len(self._samples)).tolist()
        step = self._ranks * self._items
        begins = range(self._rank * self._items, len(self) * step, step)[done:]
        self._plan.batches = [[(epoch, item) for item in order[at : at + self._items]] for at in begins]
        for joined in self._loaded:
            self._tell(joined.unreadable)
            self.handed_out += 1
            if joined.batch is not None:
                yield joined.batch

    def _tell(self, unreadable: Sequence[str]) -> None:
        for line in unreadable:
            if self._unreadable == "stop":
                raise PictureError(f"{line} (data.unreadable=skip leaves such crops out)")
            if line not in self._told:
                _log.warning("%s: left out", line)
            self._told.add(line)


def validation_batches(
    crops: Sequence[CropFile], view: View, batch_size: int, *, workers: int = 0, rank: int = 0, ranks: int = 1
) -> DataLoader[Judged]:
    """Crops of a tree as they are; of several processes, each judges a share.

    Raises:
        PictureError: while it is gone through: a crop cannot be read.
    """
    numbers = {key: number for number, key in enumerate(dict.fromkeys(crop.video_key for crop in crops))}
    return DataLoader[Any](
        _Crops(crops[rank::ranks], numbers, view),
        batch_size,
        **_workers(workers),
        collate_fn=_judged,
    )


def generated_batches(
    samples: SampleSet, batch_size: int, *, workers: int = 0, rank: int = 0, ranks: int = 1
) -> DataLoader[Judged]:
    """Generated pairs as a validation: each crop is a video of its own; of several processes, each judges a share."""
    items = max(1, batch_size // samples.crops_per_item)
    return DataLoader[Any](
        _Items(samples),
        items,
        sampler=[(0, item) for item in range(rank, len(samples), ranks)],
        **_workers(workers),
        collate_fn=_judged_examples,
    )


class _Drawn(NamedTuple):
    """An item, or why there is none: errors travel as values, since torch would wrap them in a traceback."""

    number: int
    example: Example | None
    unreadable: str | None = None


class _Joined(NamedTuple):
    batch: Batch | None
    unreadable: tuple[str, ...]


class _Plan:
    """Which items the next batches are made of: epoch and number of each."""

    def __init__(self) -> None:
        self.batches: list[list[tuple[int, int]]] = []

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class _Items(Dataset[_Drawn]):
    """The items of all epochs."""

    def __init__(self, samples: SampleSet) -> None:
        self._samples = samples

    def __getitem__(self, place: tuple[int, int]) -> _Drawn:
        epoch, item = place
        try:
            return _Drawn(item, self._samples.draw(epoch, item))
        except PictureError as error:
            return _Drawn(item, None, str(error))


class _Crops(Dataset[tuple[np.ndarray, int, int]]):
    def __init__(self, crops: Sequence[CropFile], numbers: dict[str, int], view: View) -> None:
        self._crops, self._numbers, self._view = list(crops), numbers, view

    def __len__(self) -> int:
        return len(self._crops)

    def __getitem__(self, number: int) -> tuple[np.ndarray, int, int]:
        crop = self._crops[number]
        return read_crop(crop, self._view), crop.label, self._numbers[crop.video_key]


def _joined(drawn: Sequence[_Drawn]) -> _Joined:
    examples = [(each.number, each.example) for each in drawn if each.example is not None]
    unreadable = tuple(each.unreadable for each in drawn if each.unreadable is not None)
    if not examples:
        return _Joined(None, unreadable)
    most = max(len(example.crops) for _, example in examples)
    # Pairs are numbered within their item.
    pair = [np.where(example.pair == ALONE, ALONE, number * most + example.pair) for number, example in examples]
    changed = [example.changed for _, example in examples if example.changed is not None]
    batch = Batch(
        torch.from_numpy(np.concatenate([example.crops for _, example in examples])),
        torch.from_numpy(np.concatenate([example.labels for _, example in examples])),
        torch.from_numpy(np.concatenate(pair)),
        torch.from_numpy(np.concatenate(changed)) if len(changed) == len(examples) else None,
    )
    return _Joined(batch, unreadable)


def _judged(read: Sequence[tuple[np.ndarray, int, int]]) -> Judged:
    crops, labels, video = zip(*read, strict=True)
    return Judged(torch.from_numpy(np.stack(crops)), torch.tensor(labels), torch.tensor(video))


def _judged_examples(drawn: Sequence[_Drawn]) -> Judged:
    found = [(each.number, each.example) for each in drawn if each.example is not None]
    labels = np.concatenate([example.labels for _, example in found])
    video = [number * len(example.crops) + np.arange(len(example.crops)) for number, example in found]
    return Judged(
        torch.from_numpy(np.concatenate([example.crops for _, example in found])),
        torch.from_numpy(labels),
        torch.from_numpy(np.concatenate(video)),
    )


def _workers(count: int) -> dict[str, Any]:
    """How DataLoader is to start them: never by forking a process with threads, whose locks would be copied closed."""
    if not count:
        return {"num_workers": 0}
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # torch takes seconds; the server imports it once
    return {"num_workers": count, "multiprocessing_context": context, "worker_init_fn": _one_thread}


def _one_thread(_: int) -> None:
    """Workers are as many as are wanted; none of them is to start more threads."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)

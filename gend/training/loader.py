"""From items to batches, an epoch after the other, and back to the very place where a training was left."""

from __future__ import annotations

import logging
import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from gend.data.crop_files import CropFile
from gend.errors import ConfigError, PictureError
from gend.training.samples import ALONE, Example, SampleSet, View, read_crop

_log = logging.getLogger(__name__)

_TRIES = 100
"""Items that are tried in the place of one that cannot be read."""


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


class Unreadable:
    """What is done about crops that cannot be read.

    Args:
        then: `stop`, or `skip` them, with a line in the log for each.
    """

    def __init__(self, then: Literal["stop", "skip"]) -> None:
        self.then = then
        self._told: set[str] = set()

    def tell(self, lines: Sequence[str]) -> None:
        """Tells of some.

        Raises:
            PictureError: they are not to be skipped.
        """
        for line in lines:
            if self.then == "stop":
                raise PictureError(f"{line} (data.unreadable=skip leaves such crops out)")
            if line not in self._told:
                _log.warning("%s: left out", line)
            self._told.add(line)


class TrainingLoader:
    """Batches of a set, each epoch in another order; the last items that fill no batch are left for another epoch.

    Args:
        samples: the set.
        batch_size: crops of a batch; rounded down to whole items, at least one.
        seed: of the order.
        workers: processes that draw items; 0 draws them here.
        rank: of this process, where several train together; each gets batches of its own.
        ranks: how many there are.
        unreadable: what to do about crops that cannot be read; where an item is skipped, the next one takes its place.
        handed_out: batches that were handed out before.

    Raises:
        ConfigError: there is less than a batch for each process.
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
        self._samples, self._seed, self._unreadable = samples, seed, Unreadable(unreadable)
        self._items = max(1, batch_size // samples.crops_per_item)
        if ranks > 1 and len(samples) < self._items * ranks:
            raise ConfigError(f"data.train: less than a batch of {batch_size} for each of {ranks} processes")
        self._rank, self._ranks = rank, ranks
        self.handed_out = handed_out
        """Batches since the beginning: where to go on when this training is resumed."""
        self._plan = _Plan()
        # Workers stay from one epoch to the next. Drawn from torch's generator, their seeds would depend on what
        # happened before; nothing here uses them.
        self._loaded = DataLoader[Any](
            _Items(samples, tries=1 if unreadable == "stop" else _TRIES),
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
            self._unreadable.tell(joined.unreadable)
            if joined.batch is None:
                raise PictureError(f"data.train: {_TRIES} crops one after the other cannot be read")
            self.handed_out += 1
            yield joined.batch


class JudgingLoader:
    """Batches of a validation, as they are; of several processes, each judges a share.

    Args:
        loaded: what draws them.
        unreadable: what to do about crops that cannot be read.
    """

    def __init__(self, loaded: DataLoader[Any], unreadable: Literal["stop", "skip"]) -> None:
        self._loaded, self._unreadable = loaded, Unreadable(unreadable)

    def __len__(self) -> int:
        return len(self._loaded)

    def __iter__(self) -> Iterator[Judged]:
        """All of them. Raises `PictureError` where a crop cannot be read and is not to be skipped."""
        for joined in self._loaded:
            self._unreadable.tell(joined.unreadable)
            if joined.judged is not None:
                yield joined.judged


def crops_to_judge(
    crops: Sequence[CropFile], view: View, batch_size: int, *, workers: int = 0, rank: int = 0, ranks: int = 1
) -> DataLoader[Any]:
    """Crops of a tree, for a `JudgingLoader`."""
    numbers = {key: number for number, key in enumerate(dict.fromkeys(crop.video_key for crop in crops))}
    return DataLoader[Any](
        _Crops(crops[rank::ranks], numbers, view), batch_size, collate_fn=_joined_to_judge, **_workers(workers)
    )


def pairs_to_judge(
    samples: SampleSet, batch_size: int, *, workers: int = 0, rank: int = 0, ranks: int = 1
) -> DataLoader[Any]:
    """Pairs that are made, for a `JudgingLoader`: each crop is a video of its own."""
    return DataLoader[Any](
        _Items(samples, tries=1),
        max(1, batch_size // samples.crops_per_item),
        sampler=[(0, item) for item in range(rank, len(samples), ranks)],
        collate_fn=_joined_pairs_to_judge,
        **_workers(workers),
    )


class _Drawn(NamedTuple):
    """An item, or why there is none: errors travel as values, since torch would wrap them in a traceback."""

    number: int
    example: Example | None
    unreadable: tuple[str, ...] = ()


class _Joined(NamedTuple):
    batch: Batch | None
    unreadable: tuple[str, ...]


class _ToJudge(NamedTuple):
    judged: Judged | None
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
    """The items of all epochs. Where one cannot be read, those behind it take its place, after `tries` of them none."""

    def __init__(self, samples: SampleSet, tries: int) -> None:
        self._samples, self._tries = samples, tries

    def __getitem__(self, place: tuple[int, int]) -> _Drawn:
        epoch, first = place
        unreadable: tuple[str, ...] = ()
        for item in range(first, first + self._tries):
            try:
                return _Drawn(first, self._samples.draw(epoch, item % len(self._samples)), unreadable)
            except PictureError as error:
                unreadable = (*unreadable, str(error))
        return _Drawn(first, None, unreadable)


class _Crops(Dataset[Any]):
    def __init__(self, crops: Sequence[CropFile], numbers: dict[str, int], view: View) -> None:
        self._crops, self._numbers, self._view = list(crops), numbers, view

    def __len__(self) -> int:
        return len(self._crops)

    def __getitem__(self, number: int) -> tuple[np.ndarray, int, int] | str:
        crop = self._crops[number]
        try:
            return read_crop(crop, self._view), crop.label, self._numbers[crop.video_key]
        except PictureError as error:
            return str(error)


def _joined(drawn: Sequence[_Drawn]) -> _Joined:
    examples = [(each.number, each.example) for each in drawn if each.example is not None]
    unreadable = tuple(line for each in drawn for line in each.unreadable)
    if len(examples) < len(drawn):
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


def _joined_to_judge(read: Sequence[tuple[np.ndarray, int, int] | str]) -> _ToJudge:
    whole = [each for each in read if not isinstance(each, str)]
    unreadable = tuple(each for each in read if isinstance(each, str))
    if not whole:
        return _ToJudge(None, unreadable)
    crops, labels, video = zip(*whole, strict=True)
    return _ToJudge(Judged(torch.from_numpy(np.stack(crops)), torch.tensor(labels), torch.tensor(video)), unreadable)


def _joined_pairs_to_judge(drawn: Sequence[_Drawn]) -> _ToJudge:
    unreadable = tuple(line for each in drawn for line in each.unreadable)
    found = [(each.number, each.example) for each in drawn if each.example is not None]
    if not found:
        return _ToJudge(None, unreadable)
    crops = np.concatenate([example.crops for _, example in found])
    labels = np.concatenate([example.labels for _, example in found])
    video = np.concatenate([number * len(example.crops) + np.arange(len(example.crops)) for number, example in found])
    return _ToJudge(Judged(torch.from_numpy(crops), torch.from_numpy(labels), torch.from_numpy(video)), unreadable)


def _workers(count: int) -> dict[str, Any]:
    """How DataLoader is to start them: never by forking a process with threads, whose locks would be copied closed."""
    if not count:
        return {"num_workers": 0}
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # torch takes seconds; the server imports it once
    return {"num_workers": count, "multiprocessing_context": context, "worker_init_fn": _as_a_worker}


def _as_a_worker(_: int) -> None:
    """Workers are as many as are wanted; none of them is to start more threads.

    A terminal sends Ctrl-C to all processes; when to end is for the training to say, which still wants its batch.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)

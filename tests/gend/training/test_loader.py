from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from gend.data.crop_files import CropFile, find_crops
from gend.data.pairs import Manipulations, Sources
from gend.data.selection import known_pairs, spread_frames
from gend.errors import ConfigError, PictureError
from gend.training.config import AugmentationSection
from gend.training.loader import Batch, JudgingLoader, TrainingLoader, crops_to_judge
from gend.training.samples import (
    CropPairs,
    Example,
    GeneratedPairs,
    SampleSet,
    ShuffledCrops,
    View,
    read_crop,
)
from tests.gend.training.trees import make_tree

VIEW = View(32, "bicubic")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tree(tmp_path_factory.mktemp("tree"), videos=3, frames=4)


@pytest.fixture(scope="module")
def paired(tree: Path) -> CropPairs:
    crops = find_crops(tree)
    return CropPairs(crops, known_pairs(crops, {}), VIEW, AugmentationSection(), seed=3)


def same(a: Batch, b: Batch) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a[:3], b[:3], strict=True))


def epochs(loader: TrainingLoader, count: int) -> list[Batch]:
    return [batch for _ in range(count) for batch in loader]


def test_each_manipulated_crop_comes_once_with_the_same_frame_of_its_own_video(tree: Path) -> None:
    crops = find_crops(tree)
    plain = AugmentationSection(flip=0, jpeg=None)
    samples = CropPairs(crops, known_pairs(crops, {}), VIEW, plain, seed=3)
    fakes = [crop for crop in crops if crop.label == 1]
    assert len(samples) == len(fakes) == 12
    seen = {}
    for item in range(len(samples)):
        example = samples.draw(0, item)
        assert example.labels.tolist() == [0, 1]
        assert example.pair.tolist() == [0, 0]
        seen[example.crops[1].tobytes()] = example.crops[0].tobytes()
    for fake in fakes:
        real = next(c for c in crops if c.label == 0 and (c.video, c.path.name) == (fake.video, fake.path.name))
        assert seen[read_crop(fake, VIEW).tobytes()] == read_crop(real, VIEW).tobytes()


def test_videos_without_a_known_partner_are_paired_with_any_of_their_dataset(tree: Path) -> None:
    crops = [c for c in find_crops(tree) if (c.label, c.video) not in {(0, "v0-0"), (1, "v0-2")}]
    samples = CropPairs(crops, known_pairs(crops, {}), VIEW, AugmentationSection(), seed=3)
    assert samples.unpaired_videos == 1
    assert len(samples) == 8 + 4  # each fake crop, and each real crop that no fake was made from
    assert all(samples.draw(0, item).labels.tolist() == [0, 1] for item in range(len(samples)))


def test_manifests_count_more_than_names_and_names_tell_as_in_ff() -> None:
    root = Path("/r")
    crops = [
        CropFile("ff", "real-youtube", "071", root / "a.png"),
        CropFile("ff", "Deepfakes", "071_054", root / "b.png"),
        CropFile("ff", "FaceSwap", "999_071", root / "c.png"),
        CropFile("ff", "NeuralTextures", "071_054", root / "d.png"),
        CropFile("other", "swap", "071", root / "e.png"),
    ]
    said = {"ff/NeuralTextures/071_054": "ff/real-actors/x"}
    assert known_pairs(crops, said) == {
        "ff/Deepfakes/071_054": "ff/real-youtube/071",
        "ff/NeuralTextures/071_054": "ff/real-actors/x",
    }


def test_an_epoch_holds_each_item_once_in_an_order_of_its_own(tree: Path) -> None:
    samples = ShuffledCrops(find_crops(tree), VIEW, AugmentationSection(flip=0, jpeg=None), seed=0)
    loader = TrainingLoader(samples, 6, seed=1)
    first, second = epochs(loader, 1), epochs(loader, 1)
    assert [len(batch.crops) for batch in first] == [6, 6, 6, 6]
    one, two = ([crop.numpy().tobytes() for batch in epoch for crop in batch.crops] for epoch in (first, second))
    assert sorted(one) == sorted(two)
    assert one != two


def test_what_is_drawn_depends_on_epoch_and_number_only(paired: CropPairs) -> None:
    with_workers = epochs(TrainingLoader(paired, 8, seed=1, workers=2), 2)
    without = epochs(TrainingLoader(paired, 8, seed=1), 2)
    assert len(without) == 6
    assert all(same(a, b) for a, b in zip(with_workers, without, strict=True))
    assert not same(without[0], without[3])


@pytest.mark.parametrize("done", [1, 3, 4])
def test_a_restored_loader_goes_on_where_it_was(paired: CropPairs, done: int) -> None:
    whole = epochs(TrainingLoader(paired, 8, seed=1), 2)
    left = TrainingLoader(paired, 8, seed=1)
    taken = 0
    while taken < done:
        for _ in left:
            taken += 1
            if taken == done:
                break
    again = TrainingLoader(paired, 8, seed=1, handed_out=left.handed_out)
    rest = epochs(again, 2)[: 6 - done]
    assert all(same(a, b) for a, b in zip(whole[done:], rest, strict=True))


def test_several_processes_get_different_batches_that_make_up_the_epoch(paired: CropPairs) -> None:
    whole = epochs(TrainingLoader(paired, 4, seed=1), 1)
    shares = [epochs(TrainingLoader(paired, 4, seed=1, rank=rank, ranks=2), 1) for rank in (0, 1)]
    together = [batch for pair in zip(*shares, strict=True) for batch in pair]
    assert all(same(a, b) for a, b in zip(whole, together, strict=True))


def test_generated_pairs_are_new_in_each_epoch_and_know_what_was_changed() -> None:
    samples = GeneratedPairs(Sources.drawn(), Manipulations(), 16, 48, AugmentationSection(jpeg=None), seed=5)
    first, again, other = samples.draw(0, 1), samples.draw(0, 1), samples.draw(1, 1)
    assert first.crops.shape == (16, 48, 48, 3)
    assert np.array_equal(first.crops, again.crops)
    assert not np.array_equal(first.crops, other.crops)
    assert first.changed is not None
    assert not first.changed[first.labels == 0].any()
    assert first.changed[first.labels == 1].any(axis=(1, 2)).all()
    differs = np.abs(first.crops[8:].astype(int) - first.crops[:8]).mean(axis=-1)
    inside, outside = first.changed[8:] > 200, first.changed[8:] == 0
    assert differs[inside].mean() > 2 * differs[outside].mean()


class Damaged:
    """A set whose first item cannot be read."""

    crops_per_item = 2

    def __init__(self, samples: SampleSet) -> None:
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    def draw(self, epoch: int, item: int) -> Example:
        if item == 0:
            raise PictureError("a.png: cannot read this picture: truncated")
        return self._samples.draw(epoch, item)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_crop_stops_in_one_line_or_is_left_out_and_told_once(
    paired: CropPairs, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(PictureError) as raised:
        epochs(TrainingLoader(Damaged(paired), 8, seed=1, workers=workers), 1)
    assert str(raised.value) == (
        "a.png: cannot read this picture: truncated (data.unreadable=skip leaves such crops out)"
    )
    with caplog.at_level(logging.WARNING):
        left = epochs(TrainingLoader(Damaged(paired), 8, seed=1, workers=workers, unreadable="skip"), 2)
    assert [len(batch.crops) for batch in left] == [8] * 6  # another takes its place: all processes stay in step
    assert all(batch.labels.tolist() == [0, 1] * 4 for batch in left)
    assert caplog.text.count("a.png") == 1


def test_where_nothing_can_be_read_that_is_said(paired: CropPairs) -> None:
    class Ruined(Damaged):
        def draw(self, epoch: int, item: int) -> Example:
            return super().draw(epoch, 0)

    with pytest.raises(PictureError, match="100 crops one after the other cannot be read"):
        epochs(TrainingLoader(Ruined(paired), 8, seed=1, unreadable="skip"), 1)


def test_less_than_a_batch_for_each_process_is_refused(paired: CropPairs) -> None:
    with pytest.raises(ConfigError, match="less than a batch of 16 for each of 2 processes"):
        TrainingLoader(paired, 16, seed=1, ranks=2)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_crop_of_the_validation_stops_in_one_line_or_is_left_out(
    tree: Path, tmp_path: Path, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = tmp_path / "drawn" / "lowres" / "v9" / "0.png"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"no picture")
    crops = [*find_crops(tree), *find_crops(tmp_path)]
    with pytest.raises(PictureError) as raised:
        list(JudgingLoader(crops_to_judge(crops, VIEW, 8, workers=workers), "stop"))
    assert len(str(raised.value).splitlines()) == 1
    assert str(raised.value).startswith(f"{damaged}: not a picture")
    with caplog.at_level(logging.WARNING):
        left = list(JudgingLoader(crops_to_judge(crops, VIEW, 8, workers=workers), "skip"))
    assert sum(len(batch.crops) for batch in left) == 24
    assert str(damaged) in caplog.text


def test_pairs_that_were_made_go_through_calls_together_and_their_map_with_them() -> None:
    def drawn(**call: float) -> Example:
        how = AugmentationSection.model_validate({"flip": 0, "jpeg": None, "call": call})
        return GeneratedPairs(Sources.drawn(), Manipulations(), 8, 96, how, seed=5).draw(0, 0)

    plain = drawn(probability=0)
    coded = drawn(probability=1, ladder=0, loss=0, recapture=0)
    filmed = drawn(probability=1, codec=0, ladder=0, loss=0)
    assert plain.changed is not None
    assert coded.changed is not None
    assert filmed.changed is not None
    assert not np.array_equal(coded.crops, plain.crops)
    assert np.array_equal(coded.changed, plain.changed)
    assert not np.array_equal(filmed.changed, plain.changed)
    differs = np.abs(filmed.crops[:8].astype(int) - filmed.crops[8:]).mean(axis=-1)
    assert differs[filmed.changed[8:] > 200].mean() > 1.5 * differs[filmed.changed[8:] == 0].mean()


def test_validation_sees_every_crop_as_it_is(tree: Path) -> None:
    crops = find_crops(tree)
    batches = list(JudgingLoader(crops_to_judge(crops, VIEW, 7), "stop"))
    assert torch.equal(
        torch.cat([batch.crops for batch in batches]),
        torch.from_numpy(np.stack([read_crop(crop, VIEW) for crop in crops])),
    )
    video = torch.cat([batch.video for batch in batches]).tolist()
    assert [video.count(number) for number in range(6)] == [4] * 6
    loaders = [JudgingLoader(crops_to_judge(crops, VIEW, 7, rank=rank, ranks=2), "stop") for rank in (0, 1)]
    shares = [torch.cat([batch.video for batch in loader]) for loader in loaders]
    assert sorted(torch.cat(shares).tolist()) == sorted(video)


def test_frames_are_spread_over_their_video(tree: Path) -> None:
    some = spread_frames(find_crops(tree), 2)
    assert [crop.path.name for crop in some[:2]] == ["000.png", "003.png"]
    assert len(some) == 12


def test_a_set_of_one_label_is_refused(tree: Path) -> None:
    reals = [crop for crop in find_crops(tree) if crop.label == 0]
    with pytest.raises(PictureError, match="no manipulated crops to learn from"):
        CropPairs(reals, {}, VIEW, AugmentationSection(), seed=0)

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gend.data.crop_files import find_crops
from gend.errors import GendError, PictureError
from gend.evaluation.corruptions import Corruption
from gend.evaluation.crop_sets import CropSet
from gend.evaluation.score_files import Scores, detector_folder, read_identity, read_scores
from gend.evaluation.scoring import SetScoring, Unreadable
from tests.gend.evaluation.trees import Brightness, make_tree


@pytest.fixture
def crop_set(tmp_path: Path) -> CropSet:
    root = make_tree(tmp_path / "tree")
    return CropSet("s", root, find_crops(root), {"set/swap/v1": "set/real/v1"})


def score(
    crop_set: CropSet, file: Path, scorer: Brightness, *, skip: bool = False, corruption: Corruption | None = None
) -> tuple[Scores, list[Unreadable]]:
    scoring = SetScoring("bright", scorer, batch=5, skip_unreadable=skip)
    return scoring.score(crop_set, file, lambda done, of: None, corruption)


def test_scores_come_in_batches_and_are_kept_on_disk(crop_set: CropSet, tmp_path: Path) -> None:
    scorer = Brightness()
    scores, unreadable = score(crop_set, tmp_path / "s.csv", scorer)
    assert (scorer.batches, unreadable) == ([5, 5, 2], [])
    assert [crop.path for crop in scores.crops] == [
        c.path.relative_to(crop_set.root).as_posix() for c in crop_set.crops
    ]
    assert scores.logits[scores.labels == 1].min() > scores.logits[scores.labels == 0].max()
    groups = {crop.video: crop.group for crop in scores.crops}
    assert (groups["set/swap/v1"], groups["set/swap/v2"]) == ("set/real/v1", "set/swap/v2")
    assert read_scores(tmp_path / "s.csv") == scores.crops


def test_what_is_scored_is_not_scored_again_unless_it_changed(crop_set: CropSet, tmp_path: Path) -> None:
    before, _ = score(crop_set, tmp_path / "s.csv", Brightness())
    changed = crop_set.crops[3].path
    Image.new("RGB", (40, 40), (255, 255, 255)).save(changed)
    again = Brightness()
    after, _ = score(crop_set, tmp_path / "s.csv", again)
    assert again.batches == [1]
    differs = [a != b for a, b in zip(before.logits, after.logits, strict=True)]
    assert differs == [number == 3 for number in range(12)]
    assert before.sha256 != after.sha256


def test_a_run_that_was_killed_goes_on_where_it_was(crop_set: CropSet, tmp_path: Path) -> None:
    whole, _ = score(crop_set, tmp_path / "whole.csv", Brightness())
    lines = (tmp_path / "whole.csv").read_text().splitlines(keepends=True)
    (tmp_path / "s.csv").write_text("".join(lines[:6]) + lines[6][:9])
    rest = Brightness()
    scores, _ = score(crop_set, tmp_path / "s.csv", rest)
    assert sum(rest.batches) == 7
    assert scores.crops == whole.crops
    assert (tmp_path / "s.csv").read_text() == "".join(lines)


def test_scores_before_a_failure_are_kept(crop_set: CropSet, tmp_path: Path) -> None:
    crop_set.crops[-1].path.write_bytes(b"no picture")
    with pytest.raises(PictureError, match="skip_unreadable=true"):
        score(crop_set, tmp_path / "s.csv", Brightness())
    rest = Brightness()
    scores, _ = score(crop_set, tmp_path / "s.csv", rest, skip=True)
    assert (rest.batches, len(scores.crops)) == ([], 11)


def test_all_crops_that_cannot_be_read_are_named(crop_set: CropSet, tmp_path: Path) -> None:
    whole = crop_set.crops[2].path.read_bytes()
    crop_set.crops[2].path.write_bytes(whole[: len(whole) // 2])
    crop_set.crops[7].path.write_bytes(b"")
    with pytest.raises(PictureError) as raised:
        score(crop_set, tmp_path / "s.csv", Brightness())
    first, second, said = str(raised.value).splitlines()
    assert first.startswith(f"sets.s: {crop_set.crops[2].path}: cannot be read")
    assert second.startswith(f"sets.s: {crop_set.crops[7].path}: cannot be read")
    assert said == "2 crops cannot be read; skip_unreadable=true goes on without them"
    _, unreadable = score(crop_set, tmp_path / "s.csv", Brightness(), skip=True)
    assert [missed.path for missed in unreadable] == [str(crop_set.crops[n].path) for n in (2, 7)]


def test_a_score_that_is_no_number_is_an_error(crop_set: CropSet, tmp_path: Path) -> None:
    with pytest.raises(GendError, match=r"bright: its score of set/real/v0/0.png is nan, which is no number"):
        score(crop_set, tmp_path / "s.csv", Brightness(says=float("nan")))


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate"), RuntimeError("not enough memory")]
)
def test_out_of_memory_says_the_batch(crop_set: CropSet, tmp_path: Path, error: Exception) -> None:
    with pytest.raises(GendError, match="bright: out of memory with batch 5; try batch=1"):
        score(crop_set, tmp_path / "s.csv", Brightness(fails=error))


def test_scores_of_another_detector_are_thrown_away(tmp_path: Path) -> None:
    first, second = Brightness("1").identity, Brightness("2").identity
    detector_folder(tmp_path, first)
    (tmp_path / "s.csv").write_text("scores")
    detector_folder(tmp_path, first)
    assert (tmp_path / "s.csv").exists()
    detector_folder(tmp_path, second)
    assert not (tmp_path / "s.csv").exists()
    assert read_identity(tmp_path) == second


def test_a_corruption_comes_before_the_detector(crop_set: CropSet, tmp_path: Path) -> None:
    seen: list[tuple[int, ...]] = []

    class Shapes(Brightness):
        def logits(self, crops: list[np.ndarray]) -> np.ndarray:  # type: ignore[override]
            seen.extend(crop.shape for crop in crops)
            return super().logits(crops)

    score(crop_set, tmp_path / "s.csv", Shapes(), corruption=Corruption("resize", 20, "box"))
    assert set(seen) == {(20, 20, 3)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n", "not a file of scores"),
        ("path,video,group,label,logit,sha256\na,v,g,1,nan,0\n", ":2: damaged"),
        ("path,video,group,label,logit,sha256\na,v,g,7,1.0,0\n", ":2: damaged"),
        ("path,video,group,label,logit,sha256\na,v,g\n", ":2: damaged"),
    ],
)
def test_damaged_scores_are_errors(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(GendError, match=said):
        read_scores(tmp_path / "s.csv")

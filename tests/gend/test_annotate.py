from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gend.annotate import Annotations, check_folder
from gend.errors import GendError
from gend.score import ScoredFrame
from gend.tally import FaceScore
from gend.video import Frame, Sampling, Video
from tests.gend.videos import write_video

Pixels = NDArray[np.uint8]
PICTURE = np.full((180, 320, 3), 120, np.uint8)


def face(x: float, *, at_s: float = 0.0) -> FaceScore:
    return FaceScore(0, at_s, 1, (x, 60, x + 50, 120), 0.9, -9.0, 0.0)


def test_check_folder_makes_it(tmp_path: Path) -> None:
    check_folder(tmp_path / "new" / "folder")
    check_folder(tmp_path / "new" / "folder")
    assert not list((tmp_path / "new" / "folder").iterdir())


@pytest.mark.parametrize("name", ["file", "file/folder"])
def test_check_folder_of_a_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(GendError, match=f"{name}: a folder is needed, and this is a file or lies in one"):
        check_folder(tmp_path / name)
    assert (tmp_path / "file").read_text() == "precious"


def test_check_folder_that_cannot_be_written_to() -> None:
    with pytest.raises(GendError, match=r"/proc/self: cannot write there: "):
        check_folder(Path("/proc/self"))


def test_picture_keeps_its_format(tmp_path: Path) -> None:
    copies = Annotations(tmp_path, "foot", [])
    written = [copies.picture(Path(name), PICTURE, [face(100)]) for name in ("a.JPG", "a.png", "a.webp", "a")]
    assert [path.name for path in written] == ["a.JPG", "a.png", "a.webp.png", "a-2.png"]
    for path, kind in zip(written, ("JPEG", "PNG", "PNG", "PNG"), strict=True):
        with Image.open(path) as copy:
            assert (copy.format, copy.width) == (kind, 320)
            assert copy.height > 180, "no foot"
            assert np.abs(np.asarray(copy)[60, 100:150].mean() - 120) > 5, "no box"
    assert sorted(tmp_path.iterdir()) == sorted(written)


def test_picture_of_nobody(tmp_path: Path) -> None:
    copies = Annotations(tmp_path, "foot", [])
    nobody, somebody = (copies.picture(Path("a.png"), PICTURE, faces) for faces in ((), [face(100)]))
    feet = [np.asarray(Image.open(path))[180:] for path in (nobody, somebody)]
    assert feet[0].shape != feet[1].shape or (feet[0] != feet[1]).any()


def test_picture_never_overwrites_another_input_or_its_copy(tmp_path: Path) -> None:
    original = tmp_path / "A.png"
    original.write_text("precious")
    copies = Annotations(tmp_path, "foot", [original])
    names = ("A.png", "a.png", "sub/a.png", "A.png")
    written = [copies.picture(Path(name), PICTURE, []).relative_to(tmp_path) for name in names]
    # Capital letters do not tell files apart everywhere.
    assert [str(path) for path in written] == ["A-2.png", "a-3.png", "sub/a.png", "A-4.png"]
    assert original.read_text() == "precious"


def test_picture_replaces_the_copy_of_a_former_run(tmp_path: Path) -> None:
    for pixels in (PICTURE, PICTURE // 2):
        path = Annotations(tmp_path, "foot", []).picture(Path("a.png"), pixels, [])
    assert [path] == list(tmp_path.iterdir())
    assert np.asarray(Image.open(path))[0, 0, 0] == 60


def test_picture_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "sub").touch()
    with pytest.raises(GendError, match=r"sub/a\.png: cannot write: "):
        Annotations(tmp_path, "foot", []).picture(Path("sub/a.png"), PICTURE, [])
    assert [tmp_path / "sub"] == list(tmp_path.iterdir())


def test_video_shows_every_frame_with_the_latest_faces(tmp_path: Path) -> None:
    source = Video(write_video(tmp_path / "a.mov", [PICTURE] * 30))
    found = {0: (face(40),), 10: (face(200),), 20: ()}
    with Annotations(tmp_path / "copies", "foot", []).video(Path("a.mov"), source) as copy:
        for frame in source.frames(Sampling(stride=10), every=True):
            copy.add(ScoredFrame(frame, found.get(frame.number, ()), 0))
    assert copy.path == tmp_path / "copies" / "a.mov.mp4"
    frames = list(Video(copy.path).frames(Sampling(stride=1)))
    assert len(frames) == 30
    boxes = [[np.abs(frame.pixels[90, x].astype(int) - 120).max() > 30 for x in (40, 200)] for frame in frames]
    assert boxes == [[True, False]] * 10 + [[False, True]] * 10 + [[False, False]] * 10
    assert Video(copy.path).rate == Fraction(25)


def test_video_forgets_faces_where_the_scene_changes(tmp_path: Path) -> None:
    source = Video(write_video(tmp_path / "a.mp4", [PICTURE] * 5 + [PICTURE // 2] * 5))
    with Annotations(tmp_path / "copies", "foot", []).video(Path("a.mp4"), source) as copy:
        for frame in source.frames(Sampling(frames=1), every=True):
            copy.add(ScoredFrame(frame, (face(40),) if frame.sampled else (), 0))
    frames = list(Video(copy.path).frames(Sampling(stride=1)))
    ground = [120] * 5 + [60] * 5
    boxes = [
        np.abs(frame.pixels[90, 40].astype(int) - grey).max() > 30 for frame, grey in zip(frames, ground, strict=True)
    ]
    assert boxes == [True] * 5 + [False] * 5


def test_video_draws_old_faces_thinner(tmp_path: Path) -> None:
    source = Video(write_video(tmp_path / "a.mp4", [np.full((720, 640, 3), 120, np.uint8)] * 30))
    with Annotations(tmp_path / "copies", "foot", []).video(Path("a.mp4"), source) as copy:
        for frame in source.frames(Sampling(frames=1), every=True):
            copy.add(ScoredFrame(frame, (face(40),) if frame.sampled else (), 0))
    first, last = Video(copy.path).frames(Sampling(frames=2))
    line = [(np.abs(frame.pixels[90, 30:50].astype(int) - 120).max(axis=1) > 30).sum() for frame in (first, last)]
    assert 0 < line[1] < line[0]


def test_video_that_fails_leaves_nothing(tmp_path: Path) -> None:
    source = Video(write_video(tmp_path / "a.mp4", [PICTURE] * 3))

    def work() -> None:
        with Annotations(tmp_path / "copies", "foot", []).video(Path("a.mp4"), source) as copy:
            copy.add(ScoredFrame(Frame(0, 0.0, PICTURE, sampled=True), (), 0))
            raise GendError("the encoder fails")

    with pytest.raises(GendError, match="the encoder fails"):
        work()
    assert not list((tmp_path / "copies").iterdir())

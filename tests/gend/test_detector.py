"""The detector in one call, as people who write Python use it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gend


def test_pictures_are_scored_in_one_call_from_any_thread(assets: Path) -> None:
    detector = gend.Detector.load("demo", threads=1)
    pictures = [assets / "faces" / name for name in ("couple.jpg", "selfie-many-people.jpg")] * 10
    alone = {path: detector.score_image(path) for path in set(pictures)}
    assert alone[pictures[0]].faces == 2
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(detector.score_image, pictures))
    assert [score.details for score in together] == [alone[path].details for path in pictures]


def test_video_is_scored_in_one_call(assets: Path) -> None:
    detector = gend.Detector.load("demo", threads=1)
    seen: list[tuple[int, int]] = []
    video = assets / "media" / "head-pose-face-detection-female.mp4"
    score = detector.score_video(video, frames=5, largest=True, progress=lambda done, due: seen.append((done, due)))
    assert (score.frames, score.faces, len(score.tracks)) == (5, 5, 1)
    assert seen[-1] == (5, 5)

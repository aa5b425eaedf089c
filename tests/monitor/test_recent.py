from __future__ import annotations

import cv2
import numpy as np

from monitor.messages import Crop, Logit, Verdict
from monitor.recent import RecentFaces, RecentTrack


def crop(faces: RecentFaces, at_s: float, track: str = "1", stream: str = "lobby") -> None:
    faces.crop(Crop(stream, track, at_s, np.zeros((4, 4, 3), np.uint8), 0.5, 100))


def answer(faces: RecentFaces, at_s: float, track: str = "1", stream: str = "lobby") -> None:
    faces.logit(Logit(stream, track, at_s, 2.0, 0.5, "demo"))


def show(faces: RecentFaces, at_s: float, track: str = "1", stream: str = "lobby") -> None:
    crop(faces, at_s, track, stream)
    answer(faces, at_s, track, stream)


def tell(
    faces: RecentFaces,
    at_s: float,
    track: str = "1",
    stream: str = "lobby",
    *,
    ended: bool = False,
    evidence: float = 3,
) -> None:
    faces.verdict(Verdict(stream, track, at_s, "suspect", 3.0, 16.0, 1, 0.5, ended=ended))


def remembered(faces: RecentFaces, now_s: float) -> dict[str, tuple[list[float], list[float]]]:
    return {track.track: times(track) for track in faces.of("lobby", now_s)}


def times(track: RecentTrack) -> tuple[list[float], list[float]]:
    return [crop.at_s for crop in track.crops], [point.at_s for point in track.evidence]


def test_the_latest_crops_are_remembered_and_how_the_evidence_went() -> None:
    faces = RecentFaces()
    for at_s in range(10):
        show(faces, at_s)
        tell(faces, at_s)
    show(faces, 20, "2")
    latest, first = faces.of("lobby", 20)
    assert (latest.track, first.track, first.state, first.ended) == ("2", "1", "suspect", False)
    assert times(first) == ([4, 5, 6, 7, 8, 9], list(range(10)))
    assert faces.of("gate", 20) == []


def test_what_comes_after_a_stream_was_forgotten_leaves_nothing() -> None:
    faces = RecentFaces()
    crop(faces, 1)
    tell(faces, 1)
    faces.forget("lobby")
    answer(faces, 1)  # the encoder was still at it
    tell(faces, 2, ended=True)
    assert faces.of("lobby", 2) == []
    assert faces._streams == {}


def test_nothing_is_remembered_for_more_than_ten_minutes() -> None:
    faces = RecentFaces()
    show(faces, 0)
    tell(faces, 0)
    show(faces, 0, "2")
    show(faces, 300)
    tell(faces, 300)
    assert remembered(faces, 600) == {"1": ([0, 300], [0, 300]), "2": ([0], [])}
    assert remembered(faces, 601) == {"1": ([300], [300])}
    assert faces.of("lobby", 901) == []


def test_what_is_old_goes_when_something_new_comes_and_when_nothing_does() -> None:
    faces = RecentFaces()
    show(faces, 0)
    show(faces, 0, stream="gate")
    show(faces, 700, "2")
    assert list(faces._streams["lobby"]) == ["2"]
    faces.expire(700)
    assert list(faces._streams) == ["lobby"]
    faces.expire(1301)
    assert faces._streams == {}


def test_of_a_track_that_has_ended_no_crop_waits() -> None:
    faces = RecentFaces()
    show(faces, 1)
    crop(faces, 2)
    tell(faces, 3, ended=True)
    answer(faces, 2)
    crop(faces, 4)
    answer(faces, 4)
    (track,) = faces.of("lobby", 5)
    assert (times(track)[0], track.ended) == ([1], True)
    assert not faces._streams["lobby"]["1"].waiting


def test_the_track_heard_of_longest_ago_goes_where_there_are_too_many() -> None:
    faces = RecentFaces()
    for number in range(12):
        show(faces, number, str(number))
    tell(faces, 12, "0")
    show(faces, 13, "12")
    assert [track.track for track in faces.of("lobby", 13)] == ["12", "0", *map(str, range(11, 1, -1))]


def test_a_crop_is_encoded_once_for_all_who_look() -> None:
    faces = RecentFaces()
    faces.crop(Crop("lobby", "1", 1.0, np.full((224, 224, 3), (200, 30, 10), np.uint8), 0.5, 100))
    answer(faces, 1.0)
    (first,), (second,) = faces.of("lobby", 1), faces.of("lobby", 2)
    assert first.crops[0].jpeg is second.crops[0].jpeg
    picture = cv2.imdecode(np.frombuffer(first.crops[0].jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert picture is not None
    assert picture.shape == (112, 112, 3)
    assert np.abs(picture.astype(int) - (200, 30, 10)).max() < 8

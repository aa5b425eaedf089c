from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NoReturn

import numpy as np
import pytest

from gend.faces import Face, align
from monitor.config import FacesConfig
from monitor.messages import Crop, Demand, Detail, Pixels, Tracked, TrackObservation
from monitor.stream_config import Polygon
from monitor.tracking import Tracking
from tests.monitor.tracking.scenes import PictureFrame, ScriptedDetector, centre, face_at, textured

_SHARP = textured()
_BLURRED = textured(blur=8)


_SEARCHED: Mapping[str, float] = {"analysis_px": 640, "search_every": 1, "idle_blind_max_s": 0}
"""Every picture is searched, at half of its width: the faces of these tests move and the pictures do not."""


class _Detector(ScriptedDetector):
    """Sees in a closer look around a face of 200 px at (400, 300) what `closer` says."""

    closer: Sequence[Face] | None = None

    def detect(self, picture: Pixels) -> list[Face]:
        if self.closer is None or picture.shape[0] != 128:
            return super().detect(picture)
        scale, corner = 0.32, (200, 100)
        return [
            Face(
                tuple((edge - corner[index % 2]) * scale for index, edge in enumerate(face.box)),  # type: ignore[arg-type]
                ((face.landmarks - np.array(corner)) * scale).astype(np.float32),
                face.confidence,
            )
            for face in self.closer
        ]


class _Stage:
    """A Tracking whose detector finds what the test puts before it."""

    def __init__(
        self,
        config: FacesConfig | None = None,
        ignore: Sequence[Polygon] = (),
        *,
        searched: Mapping[str, float] = _SEARCHED,
    ) -> None:
        self.faces: Sequence[Face] = ()
        self.detector = _Detector(1280, lambda: self.faces)
        self.tracking = Tracking(
            "lobby",
            (config or FacesConfig()).model_copy(update=searched),
            list(ignore),
            self.detector,
            prepare=self._prepare,
            track_ids=(f"run-{number}" for number in itertools.count(1)),
        )
        self.prepare: Callable[[Pixels], Pixels] = lambda aligned: aligned
        self.crops: list[Crop] = []
        self.told: list[TrackObservation] = []

    def show(
        self,
        times: Iterable[float],
        faces: Sequence[Face],
        *,
        picture: Pixels = _SHARP,
        trusted: bool = True,
        detail: Detail = "same",
    ) -> PictureFrame:
        """Shows the faces at each time; returns the last frame."""
        self.faces = faces
        frame = PictureFrame(picture)
        for at_s in times:
            frame = PictureFrame(picture, at_s=at_s, trusted=trusted, detail=detail)
            self._keep(self.tracking.process(frame))
        return frame

    def flush(self, at_s: float) -> None:
        self._keep(self.tracking.flush(at_s))

    def gated(self) -> dict[str, int]:
        """Refusals told so far, by cause."""
        causes = {cause for observation in self.told for cause in observation.gated}
        return {cause: sum(observation.gated.get(cause, 0) for observation in self.told) for cause in causes}

    def _prepare(self, aligned: Pixels) -> Pixels:
        return self.prepare(aligned)

    def _keep(self, messages: Sequence[Tracked]) -> None:
        self.crops += [message for message in messages if isinstance(message, Crop)]
        self.told += [message for message in messages if isinstance(message, TrackObservation)]


def _times(begin_s: float, end_s: float) -> list[float]:
    return [begin_s + index / 5 for index in range(round((end_s - begin_s) * 5))]


def test_due_paces_analysis_without_drift() -> None:
    stage = _Stage()
    analysed = []
    for index in range(30 * 10):
        at_s = 1000 + index / 30
        if stage.tracking.due(at_s):
            assert stage.tracking.due(at_s)  # asking changes nothing
            stage.show([at_s], [])
            analysed.append(at_s)
    assert len(analysed) == pytest.approx(50, abs=1)
    assert stage.tracking.statistics().analysed == len(analysed)


def test_process_one_crop_and_one_observation_a_second() -> None:
    stage = _Stage()
    stage.show(_times(100, 110), [face_at(400, 300, 120), face_at(900, 300, 150)])
    stage.flush(110)
    for track in ("run-1", "run-2"):
        assert [round(crop.at_s, 1) for crop in stage.crops if crop.track == track] == [
            100.2, 101.2, 102.2, 103.2, 104.2, 105.2, 106.2, 107.2, 108.2, 109.2,
        ]  # fmt: skip
        told = [observation for observation in stage.told if observation.track == track]
        assert [observation.block for observation in told] == [*range(100, 110), 110]
        assert [observation.ended for observation in told] == [False] * 10 + [True]
        assert sum(observation.present_s for observation in told) == pytest.approx(9.8)
        assert {observation.first_seen_s for observation in told} == {100}
    assert sorted({round(crop.width_px) for crop in stage.crops}) == [120, 150]


@pytest.mark.parametrize(("crops_per_s", "closer"), [(1, 0), (5, 24)])
def test_process_crops_are_of_pictures_that_were_searched_unless_one_would_be_missed(
    crops_per_s: float, closer: int
) -> None:
    stage = _Stage(FacesConfig(crops_per_s=crops_per_s, max_crops_per_s=5), searched={})
    stage.show(_times(0, 10), [face_at(400, 300, 200)])
    statistics = stage.tracking.statistics()
    assert statistics.sampled == pytest.approx(10 * crops_per_s, abs=1)
    assert statistics.carried == 24  # every other one since it was seen twice
    assert statistics.searched - (statistics.analysed - statistics.carried) == closer


def test_process_crop_equals_one_cut_from_the_whole_picture() -> None:
    stage = _Stage()
    face = face_at(301.7, 250.3, 131)
    frame = stage.show([0, 0.2], [face])
    (crop,) = stage.crops
    expected = align(_SHARP, face.landmarks)
    assert crop.pixels.shape == expected.shape
    assert np.abs(crop.pixels.astype(int) - expected).max() <= 4  # the transform is estimated anew near the corner
    ((x0, y0, x1, y1),) = frame.regions
    assert (x1 - x0) * (y1 - y0) < 0.1 * _SHARP.shape[0] * _SHARP.shape[1]


def test_process_a_crop_waits_for_detail_and_nothing_is_counted_meanwhile() -> None:
    stage = _Stage()
    small = face_at(900, 300, 40)
    frame = stage.show(_times(0, 3), [face_at(400, 300, 200), small], detail="none")
    assert (stage.crops, stage.gated(), frame.regions) == ([], {}, [])
    assert stage.tracking.statistics().faces == 2
    stage.show([3.0], [face_at(400, 300, 200), small])
    assert [crop.at_s for crop in stage.crops] == [3.0]
    stage.flush(4)
    assert stage.gated() == {"small": 1}


def test_a_crop_is_due_for_whoever_comes_and_once_a_second_but_not_while_nobody_is_there() -> None:
    stage = _Stage()
    due = []
    for number, faces in enumerate([[], *[[face_at(400, 300, 200)]] * 8]):
        stage.show([number / 5], faces)
        due.append(stage.tracking.statistics().crop_due)
    assert due == [False, True, False, False, True, True, True, False, False]


def test_process_detail_of_another_instant_is_cut_where_the_face_is_in_it() -> None:
    """The detector sees the face where it was, and in a closer look where it has gone: 20 px to the right."""
    stage = _Stage()
    was, gone = face_at(400, 300, 200), face_at(420, 300, 200)
    stage.detector.closer = [gone]
    stage.show(_times(0, 1), [was], detail="near")
    crop = stage.crops[0]
    assert crop.pixels.shape == align(_SHARP, gone.landmarks).shape
    assert np.abs(crop.pixels.astype(int) - align(_SHARP, gone.landmarks)).mean() < 1
    assert np.abs(crop.pixels.astype(int) - align(_SHARP, was.landmarks)).mean() > 10


@pytest.mark.parametrize("seen", [[], [face_at(900, 300, 200)]])
def test_process_detail_that_shows_no_such_face_is_never_cut(seen: list[Face]) -> None:
    stage = _Stage()
    stage.detector.closer = seen
    stage.show(_times(0, 1), [face_at(400, 300, 200)], detail="near")
    stage.flush(2)
    assert stage.crops == []
    assert stage.gated()["alignment"] >= 1


def test_process_boxes_are_of_the_full_picture() -> None:
    stage = _Stage()
    stage.show(_times(0, 1.4), [face_at(640, 360, 120)])
    (told,) = stage.told
    assert centre(told.box) == pytest.approx((640, 360), abs=1)


def test_demand_gets_more_crops_of_that_track_only() -> None:
    stage = _Stage()
    stage.show(_times(0, 1), [face_at(400, 300), face_at(900, 300)])
    stage.tracking.demand(Demand("lobby", "run-2", crops_per_s=5, priority=1, expires_s=3))
    stage.crops.clear()
    stage.show(_times(1, 3), [face_at(400, 300), face_at(900, 300)])
    assert [sum(crop.track == track for crop in stage.crops) for track in ("run-1", "run-2")] == [2, 10]


@pytest.mark.parametrize(
    ("face", "picture", "trusted", "cause"),
    [
        (face_at(400, 300, 60), _SHARP, True, "small"),
        (face_at(400, 300, 120, turn=0.7), _SHARP, True, "pose"),
        (face_at(30, 300, 120), _SHARP, True, "cut_off"),
        (face_at(400, 300, 120), _BLURRED, True, "blurred"),
        (face_at(400, 300, 120), _SHARP, False, "untrusted"),
    ],
)
def test_process_unfit_faces_are_followed_and_counted_but_never_scored(
    face: Face, picture: Pixels, trusted: bool, cause: str
) -> None:
    stage = _Stage()
    frame = stage.show(_times(0, 3), [face], picture=picture, trusted=trusted)
    stage.flush(3)
    assert not stage.crops
    assert stage.gated() == {cause: 14}
    assert stage.tracking.statistics().gated == {cause: 14}
    assert sum(observation.present_s for observation in stage.told) == pytest.approx(2.8)
    assert bool(frame.regions) == (cause == "blurred")  # pixels are converted only where nothing cheaper refuses


def test_process_doubtful_face_is_gated_by_its_confidence() -> None:
    stage = _Stage()
    stage.show([0], [face_at(400, 300, 120)])
    stage.show(_times(0.2, 1.4), [face_at(400, 300, 120, confidence=0.5)])
    assert stage.gated() == {"confidence": 4}


def test_process_first_crop_comes_as_soon_as_the_face_is_fit() -> None:
    stage = _Stage()
    stage.show(_times(0, 2.4), [face_at(400, 300, 120, turn=0.7)])
    stage.show(_times(2.4, 3), [face_at(400, 300, 120)])
    assert [crop.at_s for crop in stage.crops] == [pytest.approx(2.4)]


@pytest.mark.parametrize("mistake", [np.nan, 5000], ids=["no numbers", "outside the picture"])
def test_process_landmarks_that_are_no_face_are_counted_not_raised(mistake: float) -> None:
    face = face_at(400, 300, 120)
    face.landmarks[:] += np.float32(mistake)
    stage = _Stage()
    stage.show(_times(0, 1.4), [face, face_at(900, 300)])
    assert stage.gated() == {"alignment": 4}
    assert {crop.track for crop in stage.crops} == {"run-2"}


def test_process_faces_in_ignored_polygons_are_not_followed() -> None:
    poster: Polygon = [(0.5, 0.0), (1.0, 0.0), (1.0, 0.6), (0.5, 0.6)]
    stage = _Stage(ignore=[poster])
    stage.show(_times(0, 2.2), [face_at(400, 300), face_at(900, 300), face_at(900, 600)])
    stage.flush(2.2)
    assert {round(centre(observation.box)[0]) for observation in stage.told} == {400, 900}
    assert {round(centre(observation.box)[1]) for observation in stage.told} == {300, 600}
    assert stage.tracking.statistics().identities == 2
    assert stage.tracking.statistics().ignored == 11


def test_process_after_a_long_gap_tracks_ended_at_their_own_time() -> None:
    stage = _Stage()
    stage.show(_times(10, 11.6), [face_at(400, 300)])
    stage.show([500], [face_at(400, 300)])
    *_, last, ended = stage.told
    assert (last.block, last.ended) == (11, False)
    assert (ended.block, ended.ended, ended.present_s) == (13, True, 0)
    assert ended.at_s == pytest.approx(11.4 + 2)
    stage.show([500.2], [face_at(400, 300)])
    assert stage.crops[-1].track == "run-2"


def test_flush_ends_every_track_once() -> None:
    stage = _Stage()
    stage.show(_times(0, 1.2), [face_at(400, 300), face_at(900, 300)])
    stage.flush(1.4)
    assert sorted(observation.track for observation in stage.told if observation.ended) == ["run-1", "run-2"]
    told = len(stage.told)
    stage.flush(1.4)
    assert len(stage.told) == told
    assert (stage.tracking.statistics().faces, stage.tracking.statistics().tracks) == (0, 0)


def test_statistics_tell_faces_and_tracks() -> None:
    stage = _Stage()
    stage.show(_times(0, 1), [face_at(400, 300), face_at(900, 300)])
    stage.show([1.0], [face_at(400, 300)])
    statistics = stage.tracking.statistics()
    assert (statistics.faces, statistics.tracks, statistics.identities, statistics.sampled) == (1, 2, 2, 2)
    assert statistics.degraded is None


def test_process_a_detector_that_raises_once_ends_no_track() -> None:
    stage = _Stage()
    stage.show(_times(0, 1), [face_at(400, 300)])
    working, stage.detector.detect = stage.detector.detect, _fail  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="detector"):
        stage.show([1.0], [])
    assert not stage.tracking.due(1.04)  # a failing frame is not tried again with the very next one
    stage.detector.detect = working  # type: ignore[method-assign]
    stage.show(_times(1.2, 2), [face_at(400, 300)])
    assert {crop.track for crop in stage.crops} == {"run-1"}


def test_process_a_crop_that_raises_loses_no_ending() -> None:
    stage = _Stage()
    stage.show(_times(0, 1), [face_at(400, 300)])
    stage.prepare = _fail
    # In one and the same frame the first track ends and two others are told for the first time, which then end too.
    stage.show([9.8], [face_at(700, 300), face_at(1000, 300)])
    stage.show([10.0], [face_at(700, 300), face_at(1000, 300)])
    stage.flush(10.2)
    assert [told.track for told in stage.told if told.ended] == ["run-1", "run-2", "run-3"]
    assert {crop.track for crop in stage.crops} == {"run-1"}
    assert stage.gated() == stage.tracking.statistics().gated == {"failed": 2}


def test_process_a_picture_that_cannot_be_converted_loses_no_ending() -> None:
    stage = _Stage()
    stage.faces = [face_at(400, 300)]
    for at_s in (0, 0.2):
        frame = PictureFrame(_SHARP, at_s=at_s)
        frame.region = _fail  # type: ignore[method-assign, assignment]
        assert not stage.tracking.process(frame)
    stage.flush(0.4)
    assert [(told.track, told.ended, told.gated) for told in stage.told] == [("run-1", True, {"failed": 1})]


def test_process_a_failing_crop_is_told_in_one_safe_line_until_crops_succeed() -> None:
    stage = _Stage()
    both = [face_at(400, 300, 100), face_at(900, 300, 200)]

    def fail_on_the_small(aligned: Pixels) -> Pixels:
        if aligned.shape[0] < 200:
            raise ValueError(f"call {len(stage.told)} rtsp://user:hunter22@camera/1 failed\nat line 2")
        return aligned

    def failure() -> str | None:
        return stage.tracking.statistics().failure

    stage.show([0], both)
    assert failure() is None
    stage.prepare = fail_on_the_small
    for at_s in _times(0.2, 3):
        stage.show([at_s], both)
        assert failure() == "ValueError: call 0 rtsp://***@camera/1 failed"  # the first text, also between failures
    assert {crop.track for crop in stage.crops} == {"run-2"}
    stage.prepare = lambda aligned: aligned
    stage.show([3.0], both)
    assert failure() is None
    assert {crop.track for crop in stage.crops} == {"run-1", "run-2"}


@pytest.mark.parametrize(
    ("faces", "lifetime_s"),
    [
        (FacesConfig(), 2.0 + 0.4),
        (FacesConfig(reassociate_s=0, analysis_fps=10), 1.0 + 0.2),  # a face seen once waits for its second sighting
        (FacesConfig(analysis_fps=0.25), 6.0 + 8.0),
    ],
)
def test_lifetime_outlives_every_track_by_two_analyses(faces: FacesConfig, lifetime_s: float) -> None:
    assert _Stage(faces).tracking.lifetime_s == pytest.approx(lifetime_s)


def _fail(picture: Pixels) -> NoReturn:
    raise RuntimeError("detector failed")

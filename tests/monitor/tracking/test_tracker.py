from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gend.faces import Face
from monitor.tracking.tracker import Ending, Tracker, TrackUpdate
from tests.monitor.tracking.scenes import centre, face_at

_FPS = 5


def _tracker(*, reassociate_s: float = 2, fps: float = _FPS) -> Tracker:
    ids = (f"run-{number}" for number in itertools.count(1))
    return Tracker(ids, reassociate_s=reassociate_s, period_s=1 / fps, min_confidence=0.6)


def _times(duration_s: float, fps: float = _FPS) -> list[float]:
    return [index / fps for index in range(round(duration_s * fps) + 1)]


@dataclass(frozen=True)
class _Told:
    """What an update said at its time; the tracks in it go on changing."""

    seen: tuple[str | None, ...]
    """Identities, from left to right."""
    lost: int
    ended: tuple[Ending, ...]


def _told(update: TrackUpdate) -> _Told:
    left_to_right = sorted(update.seen, key=lambda track: centre(track.face.box)[0])
    return _Told(tuple(track.id for track in left_to_right), len(update.lost), update.ended)


def _play(tracker: Tracker, times: Iterable[float], scene: Callable[[float], list[Face]]) -> list[_Told]:
    return [_told(tracker.update(scene(at_s), at_s)) for at_s in times]


def test_update_two_still_faces_keep_their_ids() -> None:
    updates = _play(_tracker(), _times(10), lambda _: [face_at(200, 200), face_at(500, 220, 120)])
    assert not updates[0].seen  # seen once is no track yet
    assert {update.seen for update in updates[1:]} == {("run-1", "run-2")}
    assert not any(update.lost or update.ended for update in updates)


@pytest.mark.parametrize("fps", [5, 10, 25])
def test_update_paths_that_cross_keep_their_ids(fps: float) -> None:
    def scene(at_s: float) -> list[Face]:
        right = face_at(200 + 150 * at_s, 200, 100)
        left = face_at(800 - 150 * at_s, 215, 90)
        hidden = abs(right.box[0] - left.box[0]) < 45  # one passes before the other
        return [right] if hidden else [right, left]

    updates = _play(_tracker(fps=fps), _times(4, fps), scene)
    first, last = updates[2].seen, updates[-1].seen
    assert last == first[::-1]
    assert {name for update in updates for name in update.seen} == set(first)


def test_update_a_head_that_sways_past_its_own_box_is_one_track() -> None:
    def scene(at_s: float) -> list[Face]:
        return [face_at(400 + 110 * math.sin(2 * math.pi * at_s / 1.5), 200, 100)]

    updates = _play(_tracker(), _times(10), scene)
    assert {name for update in updates for name in update.seen} == {"run-1"}


@pytest.mark.parametrize("fps", [0.5, 1, 2])
def test_update_low_rates_hold_people_who_move_a_little(fps: float) -> None:
    def scene(at_s: float) -> list[Face]:
        return [face_at(300 + 30 * math.sin(at_s), 200), face_at(600 + 25 * math.cos(0.7 * at_s), 210)]

    updates = _play(_tracker(fps=fps), _times(30, fps), scene)
    assert {update.seen for update in updates[1:]} == {("run-1", "run-2")}


@pytest.mark.parametrize(("gone_s", "expected"), [(0.6, "run-1"), (1.8, "run-1"), (2.4, "run-2")])
def test_update_a_face_that_returns_keeps_its_id_for_reassociate_s(gone_s: float, expected: str) -> None:
    def scene(at_s: float) -> list[Face]:
        return [] if 2 < at_s < 2 + gone_s - 1e-6 else [face_at(400, 200)]

    updates = _play(_tracker(reassociate_s=2), _times(6), scene)
    assert updates[-1].seen == (expected,)


def test_update_a_lost_track_is_told_and_then_ends_when_its_lifetime_runs_out() -> None:
    updates = _play(_tracker(reassociate_s=2), _times(5), lambda at_s: [face_at(400, 200)] if at_s <= 1 else [])
    assert sum(update.lost for update in updates) == 10
    ((ending,),) = [update.ended for update in updates if update.ended]
    assert ending.track.id == "run-1"
    assert ending.at_s == pytest.approx(3.0)


@pytest.mark.parametrize("back", [face_at(700, 200), face_at(400, 200, 190), face_at(400, 200, 55)])
def test_update_who_comes_back_elsewhere_or_of_another_size_is_somebody_new(back: Face) -> None:
    def scene(at_s: float) -> list[Face]:
        if at_s <= 1:
            return [face_at(400, 200)]
        return [back] if at_s > 1.8 else []

    updates = _play(_tracker(), _times(3), scene)
    assert updates[-1].seen == ("run-2",)


def test_update_after_a_camera_cut_nobody_inherits_an_identity() -> None:
    def scene(at_s: float) -> list[Face]:
        if at_s <= 2:
            return [face_at(250, 200), face_at(550, 210), face_at(850, 200)]
        return [face_at(400, 400, 105), face_at(700, 380, 95), face_at(250, 200, 220)]  # the last: a close-up

    updates = _play(_tracker(), _times(4), scene)
    before, after = set(updates[5].seen), set(updates[-1].seen)
    assert len(before) == len(after) == 3
    assert not before & after


def test_update_a_newcomer_does_not_take_the_id_of_somebody_who_is_still_there() -> None:
    def scene(at_s: float) -> list[Face]:
        stays = [face_at(400, 200)]
        return stays if at_s < 2 else [face_at(480, 200, 95), *stays]

    updates = _play(_tracker(), _times(4), scene)
    assert updates[-1].seen == ("run-1", "run-2")


def test_update_a_ghost_seen_once_is_no_track() -> None:
    updates = _play(_tracker(), _times(4), lambda at_s: [face_at(400, 200)] if at_s == 1 else [])
    assert not any(update.seen or update.lost or update.ended for update in updates)


def test_update_doubtful_faces_continue_a_track_but_begin_none() -> None:
    def scene(at_s: float) -> list[Face]:
        return [
            face_at(400, 200, confidence=0.9 if at_s < 1 else 0.4),
            face_at(800, 200, confidence=0.4),
        ]

    updates = _play(_tracker(), _times(6), scene)
    assert {update.seen for update in updates[1:]} == {("run-1",)}


def test_update_two_boxes_on_one_face_are_one_track() -> None:
    scene = [face_at(400, 200), face_at(412, 208, 95, confidence=0.7)]
    updates = _play(_tracker(), _times(2), lambda _: scene)
    assert {update.seen for update in updates[1:]} == {("run-1",)}


def test_update_a_long_gap_ends_tracks_when_they_would_have_ended() -> None:
    tracker = _tracker()
    _play(tracker, _times(2), lambda _: [face_at(400, 200)])
    update = tracker.update([face_at(400, 200)], 3600)
    (ending,) = update.ended
    assert ending.track.id == "run-1"
    assert ending.at_s == pytest.approx(4.0)
    assert not update.seen
    assert _told(tracker.update([face_at(400, 200)], 3600.2)).seen == ("run-2",)


def test_end_ends_everybody_now() -> None:
    tracker = _tracker()
    _play(tracker, _times(2), lambda at_s: [face_at(400, 200), *([face_at(700, 200)] if at_s < 1.5 else [])])
    assert sorted((ending.track.id, ending.at_s) for ending in tracker.end(2.5)) == [("run-1", 2.5), ("run-2", 2.5)]
    assert tracker.end(2.5) == ()


_FACES = st.lists(
    st.builds(
        face_at,
        st.floats(0, 1280),
        st.floats(0, 720),
        st.floats(20, 300),
        confidence=st.floats(0.3, 1),
    ),
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@given(scenes=st.lists(st.tuples(st.floats(0.01, 3), _FACES), max_size=25))
def test_update_whatever_is_seen_ids_are_unique_and_never_return(scenes: list[tuple[float, list[Face]]]) -> None:
    tracker = _tracker()
    alive: set[str | None] = set()
    dead: set[str | None] = set()
    at_s = 0.0
    for step_s, faces in scenes:
        at_s += step_s
        update = tracker.update(faces, at_s)
        dead |= {ending.track.id for ending in update.ended}
        names = [track.id for track in (*update.seen, *update.lost)]
        assert len(set(names)) == len(names)
        assert not set(names) & dead
        assert alive - dead <= set(names)
        assert all(ending.track.last_seen_s <= ending.at_s <= at_s for ending in update.ended)
        alive |= set(names)
    assert {ending.track.id for ending in tracker.end(at_s)} == alive - dead

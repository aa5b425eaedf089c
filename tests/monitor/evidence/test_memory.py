from __future__ import annotations

import numpy as np

from monitor.evidence.memory import TrackMemory
from monitor.messages import Crop, Logit, Verdict


def show(memory: TrackMemory, at_s: float, logit: float, quality: float = 0.5, track: str = "1") -> None:
    memory.crop(Crop("lobby", track, at_s, np.full((4, 4, 3), int(at_s) % 256, np.uint8), quality, 100))
    memory.logit(Logit("lobby", track, at_s, logit, quality, "demo"))


def tell(memory: TrackMemory, at_s: float, evidence: float, *, ended: bool = False, track: str = "1") -> None:
    memory.verdict(Verdict("lobby", track, at_s, "suspect", evidence, 16.0, 1, 0.5, ended=ended))


def test_crops_kept_are_the_clearest_of_those_that_speak_for_a_manipulation() -> None:
    memory = TrackMemory(crops=3)
    for at_s, logit, quality in [(1, -4, 1.0), (2, 5, 0.2), (3, 9, 0.4), (4, 2, 0.9), (5, 3, 0.9), (6, 0, 1.0)]:
        show(memory, at_s, logit, quality)
    kept = memory.seen("lobby", "1").crops
    # Past 3 a logit speaks no louder, and quality decides; in order of time.
    assert [crop.at_s for crop in kept] == [2, 3, 5]
    assert [int(crop.pixels[0, 0, 0]) for crop in kept] == [2, 3, 5]
    assert [point.value for point in memory.seen("lobby", "1").logits] == [-4, 5, 9, 2, 3, 0]


def test_of_one_second_one_crop_is_kept_and_none_for_more_than_two_minutes() -> None:
    memory = TrackMemory(crops=3)
    for at_s, logit in [(10.0, 2.0), (10.2, 2.9), (10.4, 1.0)]:
        show(memory, at_s, logit)
    assert [crop.at_s for crop in memory.seen("lobby", "1").crops] == [10.2]
    show(memory, 131.0, 1.0)
    assert [crop.at_s for crop in memory.seen("lobby", "1").crops] == [131.0]


def test_a_crop_whose_logit_never_comes_and_a_logit_that_is_no_number_leave_nothing() -> None:
    memory = TrackMemory(crops=3)
    for at_s in range(50):
        memory.crop(Crop("lobby", "1", float(at_s), np.zeros((4, 4, 3), np.uint8), 0.5, 100))
    show(memory, 60, float("nan"))
    memory.logit(Logit("lobby", "1", 3.0, 5.0, 0.5, "demo"))  # long replaced by newer ones
    memory.logit(Logit("lobby", "other", 3.0, 5.0, 0.5, "demo"))
    seen = memory.seen("lobby", "1")
    assert (seen.crops, len(seen.logits)) == ((), 1)
    assert memory.seen("lobby", "other").logits == ()


def test_a_track_that_has_ended_is_forgotten() -> None:
    memory = TrackMemory(crops=3)
    show(memory, 1, 3.0)
    tell(memory, 1, 2.0)
    assert memory.seen("lobby", "1").evidence
    tell(memory, 2, 2.0, ended=True)
    seen = memory.seen("lobby", "1")
    assert (seen.crops, seen.logits, seen.evidence) == ((), (), ())


def test_memory_is_bounded_in_tracks_and_points() -> None:
    memory = TrackMemory(crops=1)
    for track in range(100):
        show(memory, 1, 3.0, track=str(track))
    remembered = [track for track in range(100) if memory.seen("lobby", str(track)).crops]
    assert remembered == list(range(68, 100))
    for step in range(5000):
        tell(memory, step / 100, step / 10, track="99")
        show(memory, step / 100, 1.0, track="99")
    seen = memory.seen("lobby", "99")
    assert len(seen.logits) == 1200
    assert 200 <= len(seen.evidence) <= 300  # 50 s, five a second
    assert seen.evidence[-1].value == 499.9


def test_no_crops_where_none_are_wanted() -> None:
    memory = TrackMemory(crops=0)
    show(memory, 1, 3.0)
    assert memory.seen("lobby", "1").crops == ()
    assert memory.seen("lobby", "1").logits

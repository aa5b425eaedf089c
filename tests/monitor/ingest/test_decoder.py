"""What is left undecoded, and that what is decoded is the same for it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import av
import numpy as np
import pytest

from monitor.ingest import Needs
from monitor.ingest.decoder import Decoder, Picture
from monitor.ingest.source import Source
from monitor.ingest.tally import Tally
from monitor.messages import Pixels
from tests.monitor.ingest.clips import make_clip

_FPS = 25
_GOP_S = 0.4


class _Arrivals:
    """A clock that stands still until the next packet comes."""

    def __init__(self) -> None:
        self.at_s = 100.0

    def now_s(self) -> float:
        return self.at_s

    def wall(self, at_s: float) -> datetime:
        return datetime.fromtimestamp(at_s, UTC)


class _Reading:
    """A recording that is read as if it came from a camera."""

    def __init__(
        self,
        path: Path,
        needs: Needs | None = None,
        *,
        due: Callable[[int], bool] = lambda _: True,
        late_s: Callable[[int], float] = lambda _: 0.0,
    ) -> None:
        self.tally = Tally()
        self.pictures: list[Picture] = []
        self.asleep: list[bool] = []
        """After each packet."""
        self.came_s: list[float] = []
        """When there were pictures."""
        clock = _Arrivals()
        with Source.open(f"file:{path}", clock=clock, tally=self.tally, needs=needs) as source:
            for number, packet in enumerate(source.packets()):
                clock.at_s = 100 + number / _FPS + late_s(number)
                pictures = source.decode(packet, due=due(number))
                self.pictures += pictures
                self.came_s += [clock.at_s] if pictures else []
                self.asleep.append(source.asleep)

    @property
    def times_s(self) -> list[float]:
        return [round(picture.pts_s or 0, 2) for picture in self.pictures]

    def pixels(self) -> dict[float, bytes]:
        return {at_s: _pixels(picture).tobytes() for at_s, picture in zip(self.times_s, self.pictures, strict=True)}


def _pixels(picture: Picture) -> Pixels:
    return picture.video.to_ndarray(format="gray").astype(np.uint8, copy=False)


def _needs(
    *,
    quiet: Callable[[], float] = lambda: 0.0,
    fps: float = 5,
    blind_s: float = 2,
    crops: Callable[[], float] = lambda: math.inf,
) -> Needs:
    return Needs(fps, blind_s, quiet, crops)


@pytest.fixture(scope="module")
def layered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of which every second picture or more is referred to by none."""
    return make_clip(tmp_path_factory.mktemp("clips") / "layered.mp4", frames=150, b_frames=3)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds, each picture of which refers to the one before; a keyframe every 0.4 s."""
    return make_clip(tmp_path_factory.mktemp("clips") / "plain.mp4", frames=150)


def test_pictures_that_none_refers_to_are_left_out_and_the_rest_is_the_same(layered: Path) -> None:
    everything, sparing = _Reading(layered), _Reading(layered, _needs())
    assert len(everything.pictures) == 150
    assert 40 <= len(sparing.pictures) <= 100
    whole = everything.pixels()
    assert all(whole[at_s] == pixels for at_s, pixels in sparing.pixels().items())
    assert all(picture.trusted for picture in sparing.pictures)
    assert sparing.tally.skipped == pytest.approx(150 - len(sparing.pictures), abs=4)
    # One is near each time at which a picture may be due.
    assert max(later - sooner for sooner, later in itertools.pairwise(sparing.times_s)) <= 0.2


def test_all_pictures_are_decoded_where_too_few_would_be_left(layered: Path) -> None:
    reading = _Reading(layered, _needs(fps=12))
    assert reading.times_s[-50:] == [round(number / _FPS, 2) for number in range(100, 150)]


def test_a_stream_in_which_each_picture_is_referred_to_is_decoded_whole(plain: Path) -> None:
    reading = _Reading(plain, _needs())
    assert (len(reading.pictures), reading.tally.skipped) == (150, 0)


def test_where_nobody_is_and_nothing_moves_keyframes_are_enough(plain: Path) -> None:
    everything, idle = _Reading(plain), _Reading(plain, _needs(quiet=lambda: 60.0))
    # Three distances between keyframes have to be seen first.
    assert idle.times_s[:31] == everything.times_s[:31]
    assert idle.times_s[31:42] == pytest.approx([1.6 + _GOP_S * number for number in range(11)])
    # The last of a recording is decoded whole: nothing comes after it.
    assert idle.times_s[42:] == pytest.approx([5.64 + number / _FPS for number in range(9)])
    whole = everything.pixels()
    assert all(whole[at_s] == pixels for at_s, pixels in idle.pixels().items())
    assert idle.tally.skipped == pytest.approx(150 - len(idle.pictures), abs=10)


@pytest.mark.parametrize(("crops_per_s", "asleep"), [(0.0, True), (2.5, True), (3.0, True), (4.0, False)])
def test_keyframes_are_enough_for_crops_that_are_wanted_no_more_often(
    plain: Path, crops_per_s: float, *, asleep: bool
) -> None:
    reading = _Reading(plain, _needs(crops=lambda: crops_per_s))
    assert reading.asleep[-1] is asleep
    assert len(reading.pictures) == (42 + 9 if asleep else 150)


def test_keyframes_that_nobody_looks_at_are_left_out_and_woken_nothing_is_missing(plain: Path) -> None:
    packets = iter(range(1000))
    reading = _Reading(
        plain,
        _needs(quiet=lambda: 60.0 if next(packets) < 85 else 0.0),
        due=lambda number: not 50 <= number < 125,
    )
    assert True in reading.asleep
    assert reading.asleep[-1] is False
    whole = _Reading(plain).pixels()
    assert all(whole[at_s] == pixels for at_s, pixels in reading.pixels().items())
    assert all(picture.trusted for picture in reading.pictures)
    assert [at_s for at_s in reading.times_s if 2.0 <= at_s < 4.0] == []
    assert reading.times_s[-25:] == [round(number / _FPS, 2) for number in range(125, 150)]


def test_keyframes_that_are_too_rare_are_not_enough_for_crops(plain: Path) -> None:
    assert True not in _Reading(plain, _needs(crops=lambda: 0.0, blind_s=0.3)).asleep


def test_where_every_picture_is_a_keyframe_those_that_are_due_are_decoded(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "intra.avi", frames=100, codec="mjpeg")
    reading = _Reading(path, _needs(crops=lambda: 0.0), due=lambda number: number % 5 == 0)
    assert len(reading.pictures) <= 25


@pytest.mark.parametrize("woken_at", [73, 75, 80, 84])
def test_woken_between_two_keyframes_nothing_is_missing(layered: Path, woken_at: int) -> None:
    packets = iter(range(1000))
    reading = _Reading(layered, _needs(quiet=lambda: 60.0 if next(packets) < woken_at else 0.0))
    assert True in reading.asleep
    assert reading.asleep[-1] is False
    whole = _Reading(layered).pixels()
    assert all(whole[at_s] == pixels for at_s, pixels in reading.pixels().items())
    assert all(picture.trusted for picture in reading.pictures)
    assert len(set(reading.times_s)) == len(reading.times_s)  # the keyframe that it woke from is not shown again


def test_keyframes_as_far_apart_as_may_be_are_enough_though_they_jitter(plain: Path) -> None:
    jitter_s = np.random.default_rng(0).normal(0, 0.005, 1000)
    needs = _needs(quiet=lambda: 60.0, blind_s=_GOP_S)
    reading = _Reading(plain, needs, late_s=lambda number: float(jitter_s[number]))
    assert all(reading.asleep[40:-1])


def test_the_end_of_a_recording_is_seen_by_one_that_sleeps(plain: Path) -> None:
    assert _Reading(plain, _needs(quiet=lambda: 60.0)).times_s[-1] == pytest.approx(5.96)


def test_a_rate_that_is_not_what_is_declared_is_measured(layered: Path) -> None:
    at_night = _Reading(layered, _needs(fps=5), late_s=lambda number: 3 * number / _FPS)  # six pictures a second
    assert at_night.times_s[-50:] == [round(number / _FPS, 2) for number in range(100, 150)]


def test_a_stream_with_rare_keyframes_is_never_left(plain: Path) -> None:
    assert _Reading(plain, _needs(quiet=lambda: 60.0, blind_s=0.3)).asleep.count(True) == 0
    assert _Reading(plain, _needs(quiet=lambda: 60.0, blind_s=0)).asleep.count(True) == 0


def test_a_keyframe_that_does_not_come_wakes_it(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "forced.mp4", frames=150, gop=1000, keys=range(0, 51, 10))
    reading = _Reading(path, _needs(quiet=lambda: 60.0, blind_s=1))
    asleep_s = [number / _FPS for number, asleep in enumerate(reading.asleep) if asleep]
    assert 1 <= min(asleep_s) < 2.1
    assert max(asleep_s) <= 2 + 1.15
    whole = _Reading(path).pixels()
    assert all(whole[at_s] == pixels for at_s, pixels in reading.pixels().items())
    assert reading.times_s[-1] == pytest.approx(5.96)


def test_packets_wait_until_a_picture_is_due_and_none_comes_later_for_it(plain: Path) -> None:
    reading = _Reading(plain, _needs(), due=lambda number: number % 5 == 0)
    assert reading.times_s == [round(number / _FPS, 2) for number in range(150)]
    assert reading.pixels() == _Reading(plain).pixels()


@pytest.mark.parametrize("quiet_s", [0.0, 60.0])
def test_of_pictures_that_stand_alone_only_those_that_are_due_are_decoded(tmp_path: Path, quiet_s: float) -> None:
    path = make_clip(tmp_path / "alone.avi", frames=50, codec="mjpeg")
    reading = _Reading(path, _needs(quiet=lambda: quiet_s), due=lambda number: number % 5 == 0)
    assert reading.times_s == [round(number / _FPS, 2) for number in (*range(0, 50, 5), 46, 47, 48, 49)]
    assert reading.tally.skipped == 36


def test_pictures_of_which_none_is_due_show_all_the_same_that_the_stream_lives(plain: Path) -> None:
    reading = _Reading(plain, _needs(), due=lambda _: False)
    assert len(reading.pictures) == 150
    assert max(later - sooner for sooner, later in itertools.pairwise(reading.came_s)) < 0.6


def test_what_is_lost_while_packets_wait_concerns_those_that_come_after_it(plain: Path) -> None:
    clock, tally, trusted = _Arrivals(), Tally(), list[bool]()
    with av.open(str(plain)) as container:
        stream = container.streams.video[0]
        decoder = Decoder(stream, clock=clock, tally=tally, lossy=True, needs=None, fps=_FPS)
        for number, packet in zip(range(30), container.demux(stream), strict=False):
            clock.at_s = 100 + number / _FPS
            if number == 13:
                decoder.lost()
            trusted += [picture.trusted for picture in decoder.decode(packet, due=number % 10 == 9)]
    # A keyframe is every tenth.
    assert trusted == [True] * 13 + [False] * 7 + [True] * 10
    assert tally.packets_corrupt == 1

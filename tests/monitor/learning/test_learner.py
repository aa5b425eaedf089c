"""The tap that learns: what becomes of crops and logits, and of a disk that takes nothing for a while."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from monitor.clock import RecordingClock
from monitor.decision.measured import MeasuredSession, read_measured
from monitor.decision.measured_file import MeasuredFile
from monitor.learning import Learner
from monitor.messages import Crop, Logit
from tests.monitor.decision.test_measured import no_file_larger_than
from tests.monitor.learning.learnt import SESSION_S, header, of
from tests.waiting import wait_until


class Watched:
    """A pipeline: which streams are live, and the spare crops that it was offered."""

    def __init__(self, epoch_s: float) -> None:
        self.epoch_s = epoch_s
        self.live: list[str] = ["lobby"]
        self.offered: list[Crop] = []

    def watching(self) -> list[str]:
        return self.live

    def offer_spare(self, crop: Crop) -> bool:
        self.offered.append(crop)
        return True


class Bench:
    """A learner in session 7, which began at 0.5 s of the clock."""

    def __init__(self, path: Path, max_bytes: float = math.inf) -> None:
        self.path = path
        self.clock = RecordingClock(datetime(2026, 1, 1, tzinfo=UTC))
        self.pipeline = Watched(0.5 - 7 * SESSION_S)
        self.learner = Learner(
            MeasuredFile.open(path, header(), [of("lobby"), of("gate")], max_bytes),
            SESSION_S,
            self.clock,
            ["lobby", "gate"],
        )
        self.learner.begin(self.pipeline)

    def logit(self, at_s: float, logit: float = 1.0, track: str = "1-1", stream: str = "lobby") -> None:
        self.learner.logit(Logit(stream, track, at_s, logit, 0.5, "demo"))

    def tick(self, at_s: float) -> None:
        self.clock.advance(at_s)
        self.learner.tick()

    def sessions(self) -> dict[tuple[str, int], MeasuredSession]:
        return read_measured(self.path).sessions


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "learnt")


def crop(at_s: float, track: str = "1-1") -> Crop:
    pixels = np.random.default_rng(0).integers(0, 255, (224, 224, 3), np.uint8)
    return Crop("lobby", track, at_s, pixels, 0.5, 120)


def test_answers_go_to_the_session_in_which_the_face_was_seen_by_blocks_of_the_pipelines_clock(bench: Bench) -> None:
    for at_s in (0.6, 0.9, 1.0, 2.2, SESSION_S + 0.4, SESSION_S + 0.6):
        bench.logit(at_s, logit=at_s)
    bench.learner.stop(5)
    first, second = bench.sessions()["lobby", 7], bench.sessions()["lobby", 8]
    assert first.real().tracks[0].block.tolist() == [0, 0, 1, 2, int(SESSION_S)]
    assert first.real().tracks[0].logits.tolist() == pytest.approx([0.6, 0.9, 1.0, 2.2, SESSION_S + 0.4])
    assert second.real().tracks[0].block.tolist() == [0]


def test_an_answer_that_is_no_number_is_counted_and_left_out(bench: Bench) -> None:
    bench.logit(1, math.nan)
    bench.logit(1, math.inf)
    bench.logit(2)
    bench.learner.stop(5)
    session = bench.sessions()["lobby", 7]
    assert (session.crops, session.not_finite) == (1, 2)
    assert (bench.learner.statistics().crops, bench.learner.statistics().not_finite) == (1, 2)


def test_time_counts_while_a_stream_is_live_and_is_parted_where_a_session_ends(bench: Bench) -> None:
    bench.tick(1)
    bench.tick(11)
    bench.pipeline.live = []
    bench.tick(12)  # it may have gone at once
    bench.tick(100)
    bench.pipeline.live = ["lobby", "gate"]
    bench.tick(SESSION_S - 9.5)
    bench.tick(SESSION_S + 2.5)
    bench.learner.stop(5)
    watched = {key: session.watched_s for key, session in bench.sessions().items()}
    assert watched == {("lobby", 7): 20.0, ("lobby", 8): 2.0, ("gate", 7): 10.0, ("gate", 8): 2.0}


def test_of_a_track_one_crop_in_ten_seconds_is_made_fake_and_scored_when_nothing_waits(bench: Bench) -> None:
    for tenth in range(250):
        bench.learner.crop(crop(tenth / 10))
        wait_until(bench.learner._candidates.empty)
    bench.learner.crop(crop(25, track="1-2"))
    wait_until(lambda: len(bench.pipeline.offered) == 4)
    assert [(fake.track, fake.at_s) for fake in bench.pipeline.offered] == [
        ("1-1", 0), ("1-1", 10), ("1-1", 20), ("1-2", 25)
    ]  # fmt: skip
    assert all((fake.pixels != crop(0).pixels).any() for fake in bench.pipeline.offered)
    bench.learner.spare(Logit("lobby", "1-1", 3.0, 2.5, 0.25, "demo"))
    bench.learner.spare(Logit("lobby", "1-1", 3.0, math.nan, 0.25, "demo"))
    bench.learner.stop(5)
    session = bench.sessions()["lobby", 7]
    assert (session.crops, [fakes.logit for fakes in session.fakes]) == (0, [(2.5,)])


def test_learning_goes_on_when_the_disk_takes_something_again(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    bench.logit(1)
    with no_file_larger_than(bench.path.stat().st_size + 20):
        bench.learner.flush()
        bench.logit(2)
        bench.learner.flush()
        assert "cannot be written (File too large)" in str(bench.learner.statistics().failure)
        assert bench.sessions() == {}
    bench.logit(3)
    bench.learner.flush()
    assert bench.learner.statistics().failure is None
    bench.learner.stop(5)
    assert bench.sessions()["lobby", 7].crops == 3
    assert [line for line in caplog.messages if "learnt" in line] == [
        f"nothing is learnt for now: {bench.path} cannot be written (File too large)",
        f"{bench.path} takes again what is learnt",
    ]


def test_what_no_memory_is_left_for_is_given_up_and_its_session_is_not_whole(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.learning.pieces._MOST_WAITING", 100)
    with no_file_larger_than(bench.path.stat().st_size + 20):
        for number in range(80):
            bench.logit(1 + number)
        bench.learner.flush()
        for number in range(80):
            bench.logit(1 + number + SESSION_S)
        bench.learner.flush()
    bench.learner.stop(5)
    sessions = bench.sessions()
    assert (sessions["lobby", 7].lost, sessions["lobby", 7].crops) == (80, 0)
    assert (sessions["lobby", 8].lost, sessions["lobby", 8].crops) == (0, 80)
    assert bench.learner.statistics().lost == 80


def test_a_file_that_is_as_large_as_it_may_become_takes_no_more(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "learnt", max_bytes=900)
    bench.logit(1)
    bench.learner.flush()
    bench.learner.stop(5)
    assert "is as large as decision.learning_max_mb allows" in str(bench.learner.statistics().failure)
    assert bench.learner.statistics().lost == 1
    assert bench.path.stat().st_size <= 900

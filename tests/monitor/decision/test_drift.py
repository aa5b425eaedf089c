from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pytest

from benchmarks.decision_drift import CAMERA, CHANGES, NOTHING, Sessions, bank_of, delays, false_signals, print_table
from benchmarks.decision_world import STANDARD
from monitor.decision import Statistic
from monitor.decision.cusum import Cusum
from monitor.decision.drift import Drift, DriftChange, StreamDrift
from monitor.decision.promise import Promise
from monitor.decision.reference import FEWEST_SESSIONS, Reference, log_bayes_factor
from monitor.decision.scores import Curve, Scorer
from monitor.decision.track_scores import TrackPart, TrackScores
from tests.monitor.decision.test_decision import Bench

TracksOfSession = list[TrackScores]


def session(
    rng: np.random.Generator, middle: float = -3.0, *, people: float = 1.2, seconds: float = 1.0
) -> TracksOfSession:
    """Five people, one track of each."""
    return [TrackScores(100, rng.normal(middle, people), seconds * rng.uniform(0.8, 1.2)) for _ in range(5)]


def reference(sessions: int = 30, *, seed: int = 0) -> Reference:
    rng = np.random.default_rng(seed)
    found = Reference.of([session(rng) for _ in range(sessions)], 8)
    assert found is not None
    return found


def told(drift: Drift, sessions: Iterable[TracksOfSession]) -> list[DriftChange]:
    changes = []
    for each in sessions:
        for track in each:
            drift.add(track)
        change = drift.turn()
        if change is not None:
            changes.append(change)
    return changes


def test_few_sessions_cannot_tell_and_short_tracks_make_none() -> None:
    rng = np.random.default_rng(0)
    sessions = [session(rng) for _ in range(FEWEST_SESSIONS)]
    assert Reference.of(sessions, 8) is not None
    assert Reference.of(sessions[1:], 8) is None
    assert Reference.of([*sessions[1:], [], [TrackScores(7, 0.0, 0.0)]], 8) is None
    silent = StreamDrift(None, 8)
    for second in range(100):
        part = TrackPart()
        for block in range(20):
            part.add(50.0, block)
        silent.add(part)
        assert silent.turn("s", float(second)) == []
    assert silent.standing is None
    assert not silent.compared


def test_evidence_may_be_looked_at_after_every_session_however_few_were_calibrated_on() -> None:
    rng = np.random.default_rng(1)
    streams, calibrated, new = 4000, 6, 40
    of_calibration, fresh = rng.standard_normal((streams, calibrated)), rng.standard_normal((streams, new))
    squares = ((of_calibration - of_calibration.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    highest = np.zeros(streams)
    for count in range(1, new + 1):
        seen = fresh[:, :count]
        mean = seen.mean(axis=1)
        both = squares + ((seen - mean[:, None]) ** 2).sum(axis=1)
        size = np.full(streams, calibrated * count / (calibrated + count))
        freedom = np.full(streams, calibrated + count - 2)
        factor = log_bayes_factor((mean - of_calibration.mean(axis=1)) ** 2, both, freedom, size)
        highest = np.maximum(highest, factor)
    reached = (highest >= np.log(20)).mean()
    assert 0.005 < reached <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / streams)


@pytest.mark.parametrize(("shift", "direction"), [(1.5, "higher"), (-1.5, "lower")])
def test_scores_that_moved_are_told_once_with_direction_and_size_and_once_when_they_fit_again(
    shift: float, direction: str
) -> None:
    rng = np.random.default_rng(2)
    drift = Drift(reference())
    assert told(drift, (session(rng) for _ in range(40))) == []
    (begun,) = told(drift, (session(rng, -3 + shift) for _ in range(30)))
    found = re.fullmatch(
        rf"scores no longer fit the calibration: ([\d.]+) nats {direction} \((\d+) tracks in (\d+) sessions\)",
        begun.text,
    )
    assert found, begun.text
    assert begun.begun
    assert float(found[1]) == pytest.approx(1.5, abs=0.6)
    assert int(found[2]) == 5 * int(found[3])
    assert 3 <= int(found[3]) <= 32
    assert drift.standing == begun.text
    (ended,) = told(drift, (session(rng) for _ in range(30)))
    assert not ended.begun
    assert re.fullmatch(r"scores fit the calibration again \(\d+ tracks in \d+ sessions\)", ended.text)
    assert drift.standing is None


def test_sizes_are_nats() -> None:
    rng = np.random.default_rng(3)
    (begun,) = told(Drift(reference()), (session(rng, 0.0) for _ in range(20)))
    size = re.search(r"([\d.]+) nats higher", begun.text)
    assert size
    assert float(size[1]) == pytest.approx(3, abs=0.5)


def test_scores_that_spread_are_told_by_people_and_by_seconds() -> None:
    rng = np.random.default_rng(4)
    (begun,) = told(Drift(reference()), (session(rng, people=3.5) for _ in range(40)))
    assert "faces farther apart" in begun.text
    (begun,) = told(Drift(reference()), (session(rng, seconds=1.5) for _ in range(10)))
    assert re.search(r"seconds of one face farther apart, 1\.5 instead of \S+ nats", begun.text), begun.text
    (begun,) = told(Drift(reference()), (session(rng, seconds=0.5) for _ in range(10)))
    assert "seconds of one face closer together" in begun.text


@pytest.mark.parametrize("away", [3.0, 30.0, 1e6])
def test_one_session_raises_nothing_however_far_away_and_however_many_tracks_it_has(away: float) -> None:
    rng = np.random.default_rng(5)
    drift = Drift(reference(100))
    strange = [TrackScores(100, away, away) for _ in range(200)]
    fitting = [session(rng) for _ in range(60)]
    assert told(drift, [strange, *fitting[:20]]) == []
    assert told(Drift(reference(100)), [*fitting[:40], strange, *fitting[40:]]) == []


def test_a_face_that_stays_for_days_counts_in_one_session() -> None:
    drift = StreamDrift(reference(100), 8)
    stays, block = TrackPart(), 0
    for _ in range(40):
        for _ in range(50):
            stays.add(20.0, block)
            block += 1
        drift.add(stays)
        assert drift.turn("s", float(block)) == []
    others = [TrackPart() for _ in range(10)]
    for part in others:
        for second in range(50):
            part.add(20.0, second)
        drift.add(part)
        drift.turn("s", 0.0)
    assert drift.standing is not None
    assert drift.begun == 1


def test_a_person_who_makes_many_tracks_is_one_person() -> None:
    """By tracks there would be 40 times as much evidence, and every other day would be unlike the calibration."""

    def of_one(rng: np.random.Generator) -> TracksOfSession:
        person = rng.normal(-3, 1.2)
        return [TrackScores(100, person + rng.normal(0, 0.2), rng.uniform(0.8, 1.2)) for _ in range(40)]

    signals = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        of = Reference.of([of_one(rng) for _ in range(10)], 8)
        assert of is not None
        signals += len(told(Drift(of), (of_one(rng) for _ in range(100))))
    assert signals == 0


def test_sessions_that_are_all_the_same_to_the_last_digit_do_not_make_every_other_a_drift() -> None:
    same = [[TrackScores(100, -3.0, 1.0)]] * 10
    of = Reference.of(same, 8)
    assert of is not None
    assert told(Drift(of), same * 10) == []
    assert told(Drift(of), [[TrackScores(100, -2.999, 1.0)]] * 40) == []
    assert told(Drift(of), [[TrackScores(100, -2.0, 1.0)]] * 10) != []


def test_a_track_is_told_with_blocks_that_count_once() -> None:
    part = TrackPart()
    for score, block in ((1.0, 3), (3.0, 3), (4.0, 5), (6.0, 9)):
        part.add(score, block)
    assert part.tell(4) is None  # too few; the next session's part begins
    for score, block in ((1.0, 13), (3.0, 13), (4.0, 15), (6.0, 19)):
        part.add(score, block)
    found = part.tell(3)
    assert found is not None
    assert (found.blocks, found.mean) == (3, 4.0)
    assert found.deviation == pytest.approx(np.std([2.0, 4.0, 6.0]))


SESSION_S = 50.0


def drifting_bench(min_blocks: int = 8) -> Bench:
    scorer = Scorer((0.0,), (Curve("platt", 1.0, 1.0, 0.0),))
    rng = np.random.default_rng(6)
    real = [[TrackScores(40, float(rng.normal(-3, 0.4)), float(rng.uniform(0.8, 1.2)))] for _ in range(60)]
    promise = Promise(20.0, 0.05, kept=True, sessions=60, missing_hours=0.0)
    statistic = Statistic(
        Cusum(clip=6.0, drift=0.6, cap=30.0), 20.0, 20.0, scorer, SESSION_S, 1, promise, Reference.of(real, 8)
    )
    return Bench(statistic, min_blocks=min_blocks, false_alarms_per_stream_day=0.1)


def watched(bench: Bench, first: int, means: Iterable[float]) -> int:
    """One track in each session, which ends before the session does."""
    rng = np.random.default_rng(first)
    number = first
    for mean in means:
        start = number * SESSION_S
        end = bench.seconds(rng.normal(mean, 1.0, 40), start=start, track=f"t{number}")
        bench.observe(end, track=f"t{number}", ended=True)
        number += 1
    return number


def test_while_drift_lasts_nothing_is_called_calibrated_and_alerts_and_verdicts_say_why() -> None:
    bench = drifting_bench()
    now = watched(bench, 0, [-3.0] * 10)
    assert bench.events == []
    assert bench.decision.drift("s") is None
    assert bench.decision.statistics().drifted == {"s": False}

    now = watched(bench, now, [-1.0] * 6)
    (begun,) = bench.events
    assert (begun.kind, begun.track) == ("drift", None)
    assert re.search(
        r"scores no longer fit the calibration: [12](\.\d)? nats higher \(\d tracks in \d sessions\)", begun.text
    )
    assert bench.decision.drift("s") == begun.text
    assert bench.decision.drift("other") is None
    assert bench.verdicts[-1].reasons[-2:] == ("drift", "demo encoder")
    assert not [verdict for verdict in bench.verdicts if verdict.at_s < begun.at_s and "drift" in verdict.reasons]

    now = watched(bench, now, [4.0])
    alert = next(alert for alert in bench.alerts if alert.type == "raised")
    assert alert.calibrated is False
    assert alert.notices == (
        "demo encoder: not for real use",
        f"drift: {begun.text}; the promise is not about such scores",
    )
    statistics = bench.decision.statistics()
    assert (statistics.drifted, statistics.drifts) == ({"s": True}, 1)

    now = watched(bench, now, [-3.0] * 12)
    begun, ended = bench.events
    assert ended.text.startswith("scores fit the calibration again")
    assert bench.decision.drift("s") is None
    assert "drift" not in bench.verdicts[-1].reasons
    bench.outputs.clear()
    watched(bench, now, [4.0])
    assert [alert.calibrated for alert in bench.alerts if alert.type == "raised"] == [True]
    assert any(notice.startswith("odds:") for notice in bench.alerts[0].notices)


def test_a_fake_call_raises_an_alert_that_is_calibrated_and_no_drift() -> None:
    bench = drifting_bench()
    now = watched(bench, 0, [-3.0] * 10)
    now = watched(bench, now, [5.0])
    watched(bench, now, [-3.0] * 20)
    assert bench.events == []
    assert [alert.calibrated for alert in bench.alerts if alert.type == "raised"] == [True]


def test_a_face_that_never_leaves_is_no_drift_though_every_session_holds_it() -> None:
    bench = drifting_bench()
    bench.seconds([4.0] * round(12 * SESSION_S))
    assert bench.events == []


def test_without_a_calibration_nothing_is_compared() -> None:
    bench = Bench()
    bench.seconds([4.0] * 200)
    assert bench.events == []
    assert bench.decision.statistics().drifted == {}


def test_what_the_table_says_in_short() -> None:
    rng = np.random.default_rng(7)
    bank = bank_of(rng, CAMERA, STANDARD, 200)

    def new_sessions() -> Sessions:
        return Sessions(rng, CAMERA, bank, STANDARD)

    assert false_signals(new_sessions, 10, 200, streams=8).signals <= 0.25
    changes = {change.name: change for change in CHANGES}
    higher = delays(new_sessions, 30, changes["2.0 higher"], streams=4)
    assert np.median(higher.noticed) <= 10
    assert np.median(higher.taken_back) <= 10
    assert higher.stood > 0.9
    assert np.median(delays(new_sessions, 30, changes["people and seconds 1.5 times as wide"], 4).noticed) <= 6
    assert np.isinf(delays(new_sessions, 30, NOTHING, 2).noticed).all()


def test_the_table_prints(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(0.01)
    printed = capsys.readouterr().out
    assert printed.count("| camera-days | 10 |") == 1 + len(CHANGES)
    assert printed.count("| calls of 1 h | 60 |") == 1 + len(CHANGES)

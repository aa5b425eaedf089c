from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np
import pytest

from monitor.clock import RecordingClock
from monitor.decision import Decision, DecisionOutput, Statistic, uncalibrated
from monitor.decision.cusum import Cusum
from monitor.decision.fitting import TrackCrops, peak
from monitor.decision.likelihood import LikelihoodRatio
from monitor.decision.population import Population
from monitor.decision.promise import Promise
from monitor.decision.scores import Curve, Scorer
from monitor.decision.statistic import right_alarms
from monitor.decision_config import DecisionConfig
from monitor.messages import Alert, Demand, Event, Logit, ModelIdentity, TrackObservation, Verdict

MODEL = ModelIdentity("demo", "0" * 64, None, "torch", "fp32")
START = datetime(2026, 1, 1, tzinfo=UTC)


class Bench:
    """One stream, one decision, and what came out of it."""

    def __init__(self, statistic: Statistic | None = None, /, **config: float | str) -> None:
        numbers = itertools.count()
        self.clock = RecordingClock(START)
        settings = DecisionConfig.model_validate(config)
        self.decision = Decision(
            settings,
            lambda _stream: statistic or uncalibrated(settings),
            clock=self.clock,
            model_of=lambda _stream: MODEL,
            notices=("demo encoder: not for real use",),
            new_id=lambda: f"id{next(numbers)}",
            base_crops_per_s=1,
            max_crops_per_s=5,
        )
        self.outputs: list[DecisionOutput] = []

    def seconds(self, logits: Iterable[float], *, start: float = 0.0, track: str = "t", per_s: int = 1) -> float:
        at_s = start
        for second, logit in enumerate(logits):
            for number in range(per_s):
                at_s = start + second + number / per_s
                self.clock.advance(at_s)
                self.outputs += self.decision.score(Logit("s", track, at_s, logit, 1.0, "demo"))
            self.observe(start + second + 1, track=track, sampled=per_s)
        return start + second + 1

    def observe(
        self,
        at_s: float,
        *,
        track: str = "t",
        sampled: int = 1,
        starved: int = 0,
        gated: dict[str, int] | None = None,
        ended: bool = False,
    ) -> None:
        self.clock.advance(at_s)
        box = (0.0, 0.0, 9.0, 9.0)
        block = int(at_s) - 1
        self.outputs += self.decision.observe(
            TrackObservation("s", track, at_s, block, 1.0, sampled, gated or {}, box, 0.0, ended=ended, starved=starved)
        )

    @property
    def alerts(self) -> list[Alert]:
        return [output for output in self.outputs if isinstance(output, Alert)]

    @property
    def verdicts(self) -> list[Verdict]:
        return [output for output in self.outputs if isinstance(output, Verdict)]

    @property
    def events(self) -> list[Event]:
        return [output for output in self.outputs if isinstance(output, Event)]

    @property
    def demands(self) -> list[Demand]:
        return [output for output in self.outputs if isinstance(output, Demand)]


def test_decision_raises_once_for_a_steady_fake_and_names_its_track() -> None:
    bench = Bench()
    bench.seconds([3.0] * 20, track="bad")
    bench.seconds([-3.0] * 20, track="good")
    assert [(alert.type, alert.track, alert.verdict) for alert in bench.alerts] == [("raised", "bad", "fake")]
    alert = bench.alerts[0]
    assert alert.evidence >= alert.threshold
    assert alert.calibrated is False
    assert alert.false_alarms_promised_per_stream_day is None
    assert alert.notices == ("demo encoder: not for real use",)
    assert alert.first_seen <= alert.captured_at <= alert.at
    assert bench.decision.alerting("s")
    assert not bench.decision.alerting("other")


def test_decision_never_judges_by_one_frame_or_one_burst() -> None:
    bench = Bench(threshold=0.5)
    bench.seconds([50.0], per_s=100)
    assert {verdict.state for verdict in bench.verdicts} == {"inconclusive"}
    assert "few crops" in bench.verdicts[-1].reasons
    assert not bench.alerts


def test_decision_says_clear_only_after_the_lower_side_has_grown() -> None:
    bench = Bench()
    bench.seconds([-3.0] * 20)
    states = [verdict.state for verdict in bench.verdicts]
    assert states[0] == "inconclusive"
    assert states[-1] == "clear"
    uncertain = Bench()
    uncertain.seconds([0.0] * 200)
    assert {verdict.state for verdict in uncertain.verdicts} == {"inconclusive"}


def test_decision_clears_with_hysteresis_and_keeps_the_episode() -> None:
    bench = Bench()
    end = bench.seconds([3.0] * 12)
    bench.seconds([0.0] * 4, start=end)  # falls below the threshold, not below a quarter of it
    assert [alert.type for alert in bench.alerts] == ["raised"]
    bench.seconds([-3.0] * 10, start=end + 4)
    assert [alert.type for alert in bench.alerts] == ["raised", "cleared"]
    assert bench.alerts[1].alert_id == bench.alerts[0].alert_id
    assert bench.alerts[1].id != bench.alerts[0].id
    assert bench.alerts[1].reason == "evidence fell"


def test_decision_takes_clear_back_when_nothing_is_scored_any_more_but_not_fake() -> None:
    for logit, held, later in ((-3.0, "clear", "inconclusive"), (3.0, "fake", "fake")):
        bench = Bench()
        end = bench.seconds([logit] * 20)
        assert bench.verdicts[-1].state == held
        for second in range(1, 15):
            bench.observe(end + second, sampled=0, gated={"pose": 5})
        assert bench.verdicts[-1].state == later
        assert "turned away" in bench.verdicts[-1].reasons


def test_decision_tells_once_of_a_face_that_cannot_be_scored_until_it_can() -> None:
    bench = Bench()
    for second in range(1, 100):
        bench.observe(second, sampled=0, gated={"small": 5})
    assert [(event.kind, event.track) for event in bench.events] == [("abstention", "t")]
    assert bench.events[0].text == "track t is there and could not be scored for 30 s (small face)"
    end = bench.seconds([-3.0], start=100)
    for second in range(1, 100):
        bench.observe(end + second, sampled=0)
    assert [event.kind for event in bench.events] == ["abstention", "abstention"]


def test_decision_tells_once_of_a_track_that_starves() -> None:
    bench = Bench()
    for second in range(1, 20):
        bench.observe(second, sampled=1, starved=1)
    assert [event.kind for event in bench.events] == ["starvation"]
    assert "starved" in bench.verdicts[-1].reasons


def test_decision_counts_tracks_that_starve_while_they_do() -> None:
    bench = Bench()
    for second in range(1, 20):
        bench.observe(second, track="hungry", sampled=1, starved=1)
        bench.observe(second, track="fed", sampled=1)
        bench.observe(second, track="gone", sampled=1, starved=1, ended=second == 19)
    assert bench.decision.starved() == {"s": 1}
    assert bench.decision.statistics().starved == {"s": 1}
    for second in range(20, 40):
        bench.observe(second, track="hungry", sampled=1)
    assert bench.decision.starved() == {}


def test_decision_stays_quiet_for_the_refractory_time() -> None:
    pattern = [3.0] * 12 + [-3.0] * 12
    assert [alert.type for alert in run(pattern * 3, refractory_s=0)] == ["raised", "cleared"] * 3
    assert [alert.type for alert in run(pattern * 3, refractory_s=60)] == ["raised", "cleared"]


def run(logits: list[float], **config: float) -> list[Alert]:
    bench = Bench(**config)
    bench.seconds(logits)
    return bench.alerts


def test_decision_updates_a_long_episode_only_when_evidence_changed() -> None:
    assert [alert.type for alert in run([3.0] * 300)].count("updated") == 1  # up to the cap, then nothing is new


def test_decision_clears_when_the_track_ends_and_late_logits_do_not_revive_it() -> None:
    bench = Bench()
    end = bench.seconds([3.0] * 12)
    bench.observe(end, ended=True)
    assert (bench.alerts[-1].type, bench.alerts[-1].reason) == ("cleared", "track ended")
    assert bench.verdicts[-1].ended
    count = len(bench.outputs)
    bench.outputs += bench.decision.score(Logit("s", "t", end, 3.0, 1.0, "demo"))
    assert len(bench.outputs) == count
    assert bench.decision.statistics().orphan_logits == 1
    assert bench.decision.statistics().tracks == 0


def test_decision_close_clears_only_the_streams_that_stop() -> None:
    bench = Bench()
    bench.seconds([3.0] * 12)
    assert bench.decision.close(["other"], "stopped") == []
    closing = [output for output in bench.decision.close(["s"], "stopped") if isinstance(output, Alert)]
    assert [(alert.type, alert.reason) for alert in closing] == [("cleared", "stopped")]


def test_decision_demand_rises_with_evidence_and_expires() -> None:
    bench = Bench()
    bench.seconds([3.0] * 10)
    rates = [demand.crops_per_s for demand in bench.demands]
    assert rates == sorted(rates)
    assert rates[0] > 1
    assert rates[-1] == 5
    assert all(demand.expires_s > 0 for demand in bench.demands)
    calm = Bench()
    calm.seconds([-3.0] * 10)
    assert calm.demands == []


def test_decision_demand_does_not_expire_by_the_age_of_an_answer() -> None:
    bench = Bench()
    bench.seconds([3.0] * 5)
    bench.observe(9.0)
    bench.outputs += bench.decision.score(Logit("s", "t", 5.5, 3.0, 1.0, "demo"))
    assert bench.demands[-1].expires_s == 9.0 + 3.0


def test_decision_explains_what_kept_crops_from_scoring() -> None:
    bench = Bench()
    for second in range(1, 8):
        bench.observe(second, sampled=0, gated={"small": 5})
    assert bench.verdicts[-1].reasons == ("few crops", "small face", "demo encoder")


def test_decision_counts_an_answer_that_is_no_number_and_adds_nothing() -> None:
    bench = Bench()
    bench.seconds([float("nan")] * 30)
    assert {verdict.state for verdict in bench.verdicts} == {"inconclusive"}
    assert bench.decision.statistics().orphan_logits == 30


def calibrated_bench(*, session_s: float = 100.0, most_alerts: int = 1, kept: bool = True) -> Bench:
    return Bench(
        Statistic(
            Cusum(clip=3.0, drift=1.0, cap=15.0),
            threshold=10.0,
            clear_at=10.0,
            scorer=Scorer((0.0,), (Curve("platt", 0.5, 0.5, 0.0),)),
            session_s=session_s,
            most_alerts=most_alerts,
            promise=Promise(10.0, 0.05, kept, sessions=500, missing_hours=0.0 if kept else 7.0),
        ),
        min_blocks=2,
        false_alarms_per_stream_day=0.1,
    )


def test_a_calibrated_alert_says_what_is_promised_and_how_likely_it_is_right() -> None:
    bench = calibrated_bench()
    bench.seconds([6.0] * 20)
    (alert,) = bench.alerts
    assert (alert.calibrated, alert.false_alarms_promised_per_stream_day, alert.threshold) == (True, 0.05, 10.0)
    # 0.0017 * 0.5 right ones, 0.9983 * 0.05 * 100 / 86400 wrong ones.
    assert "odds: about 94% of such alerts are right, if 0.17% of sessions hold a fake, 50% of those" in str(
        alert.notices
    )


def test_a_promise_that_is_missed_is_not_called_calibrated() -> None:
    bench = calibrated_bench(kept=False)
    bench.seconds([6.0] * 20)
    (alert,) = bench.alerts
    assert not alert.calibrated
    assert alert.false_alarms_promised_per_stream_day == 0.05
    assert "7 h of real footage missing" in str(alert.notices)


def test_an_alert_on_a_starved_face_says_that_the_promise_is_not_about_such_faces() -> None:
    starved, fed = calibrated_bench(), calibrated_bench()
    for bench, waiting in ((starved, 1), (fed, 0)):
        for second in range(8):
            bench.observe(float(second + 1), starved=waiting)
            bench.outputs += bench.decision.score(Logit("s", "t", float(second + 1), 6.0, 1.0, "demo"))
    told = [[notice.partition(":")[0] for notice in bench.alerts[0].notices] for bench in (starved, fed)]
    assert told == [["demo encoder", "odds", "starved"], ["demo encoder", "odds"]]


def test_logits_are_scored_before_they_are_evidence() -> None:
    bench = calibrated_bench()
    bench.seconds([4.0] * 3)  # scored 2 each, less the drift of 1
    assert bench.verdicts[-1].evidence == pytest.approx(3.0)


def test_while_it_is_learnt_a_face_is_sampled_whatever_the_evidence() -> None:
    def demands(bench: Bench) -> int:
        bench.seconds([4.0] * 12)
        return sum(isinstance(output, Demand) for output in bench.outputs)

    assert demands(Bench()) > 0
    assert demands(Bench(learning="lobby.learnt")) == 0


def test_a_session_raises_no_more_alerts_than_it_may_and_a_track_only_one() -> None:
    bench = calibrated_bench(most_alerts=2)
    for track in ("a", "b", "c"):
        bench.seconds([6.0] * 10, track=track)
    assert [alert.track for alert in bench.alerts if alert.type == "raised"] == ["a", "b"]
    assert bench.verdicts[-1].state == "fake"
    assert "session's alerts used up" in bench.verdicts[-1].reasons
    # The same face, real for a while and fake again, was told of already.
    end_s = bench.seconds([-6.0] * 15, start=10, track="a")
    bench.seconds([6.0] * 40, start=end_s, track="a")
    assert [alert.type for alert in bench.alerts if alert.track == "a"] == ["raised", "cleared"]


def test_evidence_and_alerts_begin_anew_with_a_session() -> None:
    bench = calibrated_bench(session_s=50)
    bench.seconds([6.0] * 95)  # after the clearing come 30 s without an alert of the track
    assert [(alert.type, alert.reason) for alert in bench.alerts if alert.type != "updated"] == [
        ("raised", "evidence reached the threshold"),
        ("cleared", "session ended"),
        ("raised", "evidence reached the threshold"),
    ]
    at_the_turn = [verdict for verdict in bench.verdicts if 50 <= verdict.at_s < 51]
    assert at_the_turn[-1].evidence == pytest.approx(2.0)
    assert at_the_turn[-1].state == "inconclusive"


def test_an_answer_from_the_session_before_adds_nothing() -> None:
    bench = calibrated_bench(session_s=50)
    bench.seconds([6.0] * 50)
    bench.observe(51.0)
    bench.outputs += bench.decision.score(Logit("s", "t", 49.9, 6.0, 1.0, "demo"))
    assert bench.decision.statistics().late_logits == 1
    assert bench.verdicts[-1].evidence == 0.0


def test_calibrated_evidence_does_not_change_which_crops_are_taken() -> None:
    bench = calibrated_bench()
    bench.seconds([6.0] * 20)
    assert bench.alerts
    assert not [output for output in bench.outputs if isinstance(output, Demand)]


def test_a_crop_that_was_seen_before_the_first_observation_is_no_late_one() -> None:
    bench = calibrated_bench()
    bench.observe(1.0)
    bench.outputs += bench.decision.score(Logit("s", "t", 0.4, 6.0, 1.0, "demo"))
    assert bench.decision.statistics().late_logits == 0


@pytest.mark.parametrize("quorum", [2, 8])
@pytest.mark.parametrize("per_s", [1, 2, 5])
def test_no_more_is_raised_than_a_calibration_counts(per_s: int, quorum: int) -> None:
    """Tracks of real people, by `fitting.peak` and by `Decision`: as many reach the threshold in both, to the crop.

    Evidence saturates in `Decision` alone, and the threshold is just above a peak, which then raises nothing.
    """
    rng = np.random.default_rng(per_s)
    logits = rng.normal(-0.3, 1.5, (60, 40 * per_s)) + rng.normal(0, 1, (60, 1))
    quality = rng.random(40 * per_s)
    scorer = Scorer((0.0,), (Curve("platt", 1.0, 1.0, 0.0),))
    population = Population(mean=-0.3, between=1.0, noise=2.0, shift=1.0)
    rule = LikelihoodRatio(population)
    block = np.repeat(np.arange(40), per_s)
    peaks = np.array([peak(TrackCrops(block, of_track, quality), scorer, rule) for of_track in logits])
    threshold = float(np.nextafter(np.quantile(peaks, 0.7, method="lower"), np.inf))
    promise = Promise(threshold, 0.1, kept=True, sessions=1, missing_hours=0)
    statistic = Statistic(LikelihoodRatio(population, cap=1.5 * threshold), threshold, 1.5, scorer, 100.0, 1, promise)
    raised = []
    for of_track in logits:
        bench = Bench(statistic, min_blocks=quorum)
        for number, (logit, good) in enumerate(zip(of_track.tolist(), quality.tolist(), strict=True)):
            bench.clock.advance(number / per_s)
            bench.outputs += bench.decision.score(Logit("s", "t", number / per_s, logit, good, "demo"))
        raised.append(any(alert.type == "raised" for alert in bench.alerts))
    counted = peaks >= threshold
    assert 10 <= counted.sum() <= 18
    if quorum == 2:  # the one that a calibration counts by
        np.testing.assert_array_equal(raised, counted)
    else:
        assert set(np.flatnonzero(raised)) <= set(np.flatnonzero(counted))
        assert any(raised)


@pytest.mark.parametrize(
    ("prior", "sensitivity", "false_alarm", "right"),
    [(0.5, 1.0, 0.0, 1.0), (0.0017, 0.5, 0.01, 0.078), (0.0017, 0.0, 0.0, 0.0)],
)
def test_odds_are_those_of_bayes(prior: float, sensitivity: float, false_alarm: float, right: float) -> None:
    assert right_alarms(prior, sensitivity, false_alarm) == pytest.approx(right, abs=1e-3)


def test_each_stream_is_decided_by_its_own_statistic() -> None:
    """Two calibrations and none: thresholds, scores, sessions, promises, notices and demand are each stream's own."""
    settings = DecisionConfig(min_blocks=2, threshold=6.0, false_alarms_per_stream_day=0.1)
    rule = Cusum(clip=3.0, drift=1.0, cap=60.0)
    plain, weak = (Scorer((0.0,), (Curve("platt", slope, slope, 0.0),)) for slope in (1.0, 0.5))
    statistics = {
        "lobby": Statistic(
            rule, 10.0, 10.0, plain, 30.0, 1, Promise(10.0, 0.05, kept=True, sessions=500, missing_hours=0)
        ),
        "gate": Statistic(
            rule, 20.0, 20.0, weak, 1000.0, 1, Promise(20.0, 4.0, kept=False, sessions=5, missing_hours=7)
        ),
        "yard": uncalibrated(settings),
    }
    numbers = itertools.count()
    decision = Decision(
        settings,
        statistics.__getitem__,
        clock=RecordingClock(START),
        model_of=lambda _stream: MODEL,
        notices=("demo encoder: not for real use",),
        new_id=lambda: f"id{next(numbers)}",
        base_crops_per_s=1,
        max_crops_per_s=5,
    )
    outputs: dict[str, list[DecisionOutput]] = {name: [] for name in statistics}
    for second in range(45):
        for name, told in outputs.items():
            told.extend(decision.score(Logit(name, "t", float(second), 6.0, 1.0, "demo")))
    raised = {
        name: next(output.at_s for output in told if isinstance(output, Verdict) and output.state == "fake")
        for name, told in outputs.items()
    }
    assert raised == {"lobby": 4.0, "gate": 9.0, "yard": 2.0}
    alerts = {name: [output for output in told if isinstance(output, Alert)] for name, told in outputs.items()}
    first = {name: told[0] for name, told in alerts.items()}
    assert {name: alert.threshold for name, alert in first.items()} == {"lobby": 10.0, "gate": 20.0, "yard": 6.0}
    assert {name: alert.calibrated for name, alert in first.items()} == {"lobby": True, "gate": False, "yard": False}
    promised = {name: alert.false_alarms_promised_per_stream_day for name, alert in first.items()}
    assert promised == {"lobby": 0.05, "gate": 4.0, "yard": None}
    said = {name: [notice.partition(":")[0] for notice in alert.notices] for name, alert in first.items()}
    assert said == {
        "lobby": ["demo encoder", "odds"],
        "gate": ["demo encoder", "calibration"],
        "yard": ["demo encoder"],
    }
    ends = {name: "session ended" in {alert.reason for alert in told} for name, told in alerts.items()}
    assert ends == {"lobby": True, "gate": False, "yard": False}
    demand = {name: any(isinstance(output, Demand) for output in told) for name, told in outputs.items()}
    assert demand == {"lobby": False, "gate": False, "yard": True}

"""The step itself: keeps the evidence of every track and says what follows from each message."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from monitor.clock import Clock
from monitor.decision.episodes import EpisodeChange, Episodes
from monitor.decision.evidence import TrackEvidence
from monitor.decision.figures import DecisionStatistics
from monitor.decision.frozen import begun
from monitor.decision.statistic import Statistic
from monitor.decision.streams import StreamRule
from monitor.decision.track import TrackState, shortages
from monitor.decision.verdicts import next_state
from monitor.decision_config import DecisionConfig
from monitor.messages import (
    BLOCK_S,
    Alert,
    Demand,
    Event,
    Logit,
    ModelIdentity,
    TrackObservation,
    Verdict,
)

DecisionOutput = Verdict | Alert | Demand | Event

_DEMAND_LASTS_S = 3.0
# A logit may come this much after the end of its block before the block is closed without it.
_LATE_S = 5.0
_ENDED_MEMORY = 4096


class Decision:
    """Turns the messages of all streams into verdicts, alerts and demand.

    Not thread-safe: one task or loop feeds it. It reads no clock but the messages' own times; `clock` only
    translates those into the time of day.

    Args:
        config: quorum, refractory time, and what is asked for.
        statistic_of: how logits of a stream become evidence, and what raises an alert there; asked once per stream.
        clock: translates `at_s` into the time of day.
        model_of: what is written into a stream's alerts.
        notices: sentences that go with every alert.
        new_id: makes identifiers of alerts and episodes.
        base_crops_per_s: rate at which a track is sampled that nothing speaks against.
        max_crops_per_s: rate asked for when the evidence is at its threshold.
        epoch_s: `at_s` of the beginning of the UTC epoch, by which live streams' sessions are aligned; None for a
            recording, whose first session begins with it.
    """

    def __init__(
        self,
        config: DecisionConfig,
        statistic_of: Callable[[str], Statistic],
        *,
        clock: Clock,
        model_of: Callable[[str], ModelIdentity],
        notices: tuple[str, ...],
        new_id: Callable[[], str],
        base_crops_per_s: float,
        max_crops_per_s: float,
        epoch_s: float | None = None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._model_of = model_of
        self._statistic_of = statistic_of
        self._notices = notices
        self._shortly = tuple(notice.partition(":")[0] for notice in notices)
        self._new_id = new_id
        self._base_crops_per_s = base_crops_per_s
        self._max_crops_per_s = max_crops_per_s
        self._epoch_s = epoch_s
        self._streams: dict[str, StreamRule] = {}
        self._origins: dict[str, float] = {}
        self._tracks: dict[tuple[str, str], TrackState] = {}
        # Tracks that ended a moment ago: their last crops may still be on the way and must not revive them.
        self._ended: dict[tuple[str, str], None] = {}
        self._logits = self._late = self._orphans = self._raised = 0

    def observe(self, observation: TrackObservation) -> list[DecisionOutput]:
        """Takes in what a track did in one block; a track that ended is told of for the last time."""
        key = (observation.stream, observation.track)
        ended = self._turn_session(observation.stream, observation.at_s)
        if key in self._ended:
            return ended
        track = self._track(key, observation.first_seen_s)
        track.abstentions.add(observation)
        if observation.ended:
            return [*ended, *self._end(key, track, observation.at_s, "track ended")]
        track.evidence.close_before(observation.at_s - _LATE_S)
        frozen, track.frozen = begun(observation, track.frozen), observation.frozen
        return [*ended, *self._judge(key, track, observation.at_s), *shortages(observation, track), *frozen]

    def score(self, logit: Logit) -> list[DecisionOutput]:
        """Takes in the encoder's answer to one crop. An answer that is not a number is counted and adds nothing."""
        key = (logit.stream, logit.track)
        if key in self._ended or not math.isfinite(logit.logit):
            self._orphans += 1
            return []
        ended = self._turn_session(logit.stream, logit.at_s)
        track = self._track(key, logit.at_s)
        stream = self._stream(logit.stream)
        over = stream.sessions.over(logit.stream, logit.at_s)
        score, weight = stream.statistic.score(logit)
        if over or not track.evidence.add(score, logit.at_s, weight):
            self._late += 1
            return ended
        track.part.add(score, int(logit.at_s // BLOCK_S))
        self._logits += 1
        track.scored(logit)
        return [*ended, *self._judge(key, track, logit.at_s)]

    def close(self, streams: Iterable[str], reason: str) -> list[DecisionOutput]:
        """Ends every track of `streams`, for a stream or service that stops."""
        names = set(streams)
        outputs: list[DecisionOutput] = []
        for key, track in list(self._tracks.items()):
            if key[0] in names:
                outputs += self._end(key, track, max(track.last_logit_s, track.first_seen_s), reason)
        return outputs

    def begin(self, stream: str, at_s: float) -> None:
        """A stream begins whose sessions are counted from then on, as a call's are, and not by the time of day."""
        self._origins[stream] = at_s

    def forget(self, stream: str) -> None:
        """A stream that was closed is watched no more; should it come back, it begins anew."""
        self._streams.pop(stream, None)
        self._origins.pop(stream, None)

    def judge_by(self, statistic_of: Callable[[str], Statistic]) -> None:
        """Streams that begin from now on are judged by this."""
        self._statistic_of = statistic_of

    def recall(self, alerts: Iterable[Alert]) -> None:
        """Counts what was raised before a restart; alerts of sessions that are over count no more."""
        if self._epoch_s is not None:
            for alert in alerts:
                raised_s = self._epoch_s + alert.captured_at.timestamp()
                self._stream(alert.stream).sessions.recall(alert.stream, alert.track, raised_s, self._clock.now_s())

    def alerting(self, stream: str) -> bool:
        """Whether an alert stands on any track of the stream."""
        return any(key[0] == stream and track.episodes.open for key, track in self._tracks.items())

    def drift(self, stream: str) -> str | None:
        """What of the stream's scores no longer fits the calibration; None while all does, or nobody can tell."""
        rule = self._streams.get(stream)
        return None if rule is None else rule.drift.standing

    def starved(self) -> Mapping[str, int]:
        """Tracks whose crops wait too long to be scored, now, of the streams that have some."""
        return Counter(stream for (stream, _), track in self._tracks.items() if track.starving)

    def statistics(self) -> DecisionStatistics:
        """A snapshot of what was counted."""
        open_episodes = sum(track.episodes.open for track in self._tracks.values())
        return DecisionStatistics(
            len(self._tracks),
            open_episodes,
            self._logits,
            self._late,
            self._orphans,
            self._raised,
            {name: each.drift.standing is not None for name, each in self._streams.items() if each.drift.compared},
            sum(each.drift.begun for each in self._streams.values()),
            self.starved(),
        )

    def _stream(self, name: str) -> StreamRule:
        stream = self._streams.get(name)
        if stream is None:
            origin_s = self._origins.get(name, self._epoch_s or 0.0)
            stream = self._streams[name] = StreamRule.of(
                self._statistic_of(name), self._config, self._notices, origin_s=origin_s
            )
        return stream

    def _track(self, key: tuple[str, str], first_seen_s: float) -> TrackState:
        track = self._tracks.get(key)
        if track is None:
            evidence = TrackEvidence(self._stream(key[0]).statistic.rule)
            episodes = Episodes(self._config.refractory_s, self._new_id)
            track = self._tracks[key] = TrackState(
                evidence, episodes, first_seen_s, last_logit_s=first_seen_s, now_s=first_seen_s
            )
        track.first_seen_s = min(track.first_seen_s, first_seen_s)
        return track

    def _judge(self, key: tuple[str, str], track: TrackState, at_s: float) -> list[DecisionOutput]:
        stream, evidence = self._stream(key[0]), track.evidence
        # An answer comes later than its crop was seen, and an observation may have come in between.
        at_s = track.now_s = max(track.now_s, at_s)
        unseen_s = at_s - track.last_logit_s
        track.state = next_state(
            track.state, evidence.fake, evidence.real, evidence.blocks, stream.verdicts, unseen_s=unseen_s
        )
        outputs: list[DecisionOutput] = [self._verdict(key, track, at_s)]
        change = track.episodes.follow(track.state, evidence.fake, at_s, may_raise=stream.sessions.may_raise(*key))
        if change is not None:
            outputs.append(self._alert(key, track, change))
        level = min(1.0, evidence.fake / stream.statistic.threshold)
        # Calibrated evidence comes of crops that were taken whatever the evidence was, as in the calibration; and what
        # is to become one is learnt in the same way.
        if level > 0 and stream.statistic.promise is None and self._config.learning is None:
            more = (self._max_crops_per_s - self._base_crops_per_s) * level
            rate = self._base_crops_per_s + max(0.0, more)
            outputs.append(Demand(*key, rate, priority=level, expires_s=at_s + _DEMAND_LASTS_S))
        return outputs

    def _turn_session(self, stream: str, at_s: float) -> list[DecisionOutput]:
        """Where a session has ended, everything of the stream begins anew."""
        rule = self._stream(stream)
        if not rule.sessions.turn(stream, at_s):
            return []
        outputs: list[DecisionOutput] = []
        for key, track in self._tracks.items():
            if key[0] == stream:
                change = track.episodes.close("session ended", at_s)
                if change is not None:
                    outputs.append(self._alert(key, track, change))
                track.evidence.restart()
                track.state = "inconclusive"
                rule.drift.add(track.part)
        return [*outputs, *rule.drift.turn(stream, at_s)]

    def _end(self, key: tuple[str, str], track: TrackState, at_s: float, reason: str) -> list[DecisionOutput]:
        outputs: list[DecisionOutput] = [self._verdict(key, track, at_s, ended=True)]
        change = track.episodes.close(reason, at_s)
        if change is not None:
            outputs.append(self._alert(key, track, change))
        self._stream(key[0]).drift.add(track.part)
        del self._tracks[key]
        self._ended[key] = None
        while len(self._ended) > _ENDED_MEMORY:
            del self._ended[next(iter(self._ended))]
        return outputs

    def _verdict(self, key: tuple[str, str], track: TrackState, at_s: float, *, ended: bool = False) -> Verdict:
        stream = self._stream(key[0])
        reasons = track.abstentions.reasons()
        if track.evidence.blocks < self._config.min_blocks:
            reasons = ("few crops", *reasons)
        if track.state == "fake" and not track.episodes.open and not stream.sessions.may_raise(*key):
            reasons += ("session's alerts used up",)
        drifted = () if stream.drift.standing is None else ("drift",)
        reasons += (*track.frozen, *drifted, *self._shortly)
        return Verdict(
            *key,
            at_s=at_s,
            state=track.state,
            evidence=track.evidence.fake,
            threshold=stream.statistic.threshold,
            samples=track.samples,
            mean_probability=track.mean_probability,
            reasons=reasons,
            ended=ended,
        )

    def _alert(self, key: tuple[str, str], track: TrackState, change: EpisodeChange) -> Alert:
        stream = self._stream(key[0])
        if change.type == "raised":
            self._raised += 1
            stream.sessions.raised(*key)
        return Alert(
            id=self._new_id(),
            alert_id=change.alert_id,
            type=change.type,
            reason=change.reason,
            stream=key[0],
            track=key[1],
            at=self._clock.wall(self._clock.now_s()),
            captured_at=self._clock.wall(track.last_logit_s),
            first_seen=self._clock.wall(track.first_seen_s),
            verdict=track.state,
            evidence=track.evidence.fake,
            threshold=stream.statistic.threshold,
            samples=track.samples,
            mean_probability=track.mean_probability,
            false_alarms_target_per_stream_day=self._config.false_alarms_per_stream_day,
            false_alarms_promised_per_stream_day=stream.statistic.promised_per_day,
            calibrated=stream.calibrated,
            model=self._model_of(key[0]),
            notices=(*stream.notices, *stream.notices_of(track)),
        )

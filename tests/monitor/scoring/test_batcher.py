from __future__ import annotations

import threading
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from monitor.messages import Crop, Demand
from monitor.scoring import Batcher

_PIXELS = np.zeros((2, 2, 3), np.uint8)
_STREAMS = st.sampled_from(["a", "b", "c"])
_TRACKS = st.sampled_from(["1", "2", "3", "4"])


def _crop(stream: str, track: str, at_s: float = 0.0) -> Crop:
    return Crop(stream, track, at_s, _PIXELS, quality=1.0, width_px=100)


def _urgent(stream: str, track: str, priority: float = 1.0, expires_s: float = 1e9) -> Demand:
    return Demand(stream, track, crops_per_s=5, priority=priority, expires_s=expires_s)


def _names(batch: list[Crop]) -> list[str]:
    return [f"{crop.stream}{crop.track}" for crop in batch]


def _take(batcher: Batcher, now_s: float = 0.0) -> list[str]:
    return _names(batcher.take(now_s, wait_s=0))


def test_take_what_waits_at_once_and_no_more_than_a_batch() -> None:
    batcher = Batcher(max_batch=3, max_age_s=5)
    assert _take(batcher) == []
    for track in "12345":
        batcher.offer(_crop("a", track))
    assert _take(batcher) == ["a1", "a2", "a3"]
    assert _names(batcher.take(0, 0, at_most=1)) == ["a4"]
    assert _take(batcher) == ["a5"]


def test_take_waits_for_a_first_crop() -> None:
    batcher = Batcher(max_batch=3, max_age_s=5)
    later = threading.Timer(0.05, batcher.offer, [_crop("a", "1")])
    later.start()
    assert _names(batcher.take(0, wait_s=30)) == ["a1"]
    later.join()


def test_a_spare_crop_waits_until_nothing_else_does_and_counts_in_nothing() -> None:
    batcher = Batcher(max_batch=3, max_age_s=5)
    assert batcher.offer_spare(_crop("a", "spare"))
    batcher.offer(_crop("a", "1"))
    assert batcher.take_spare() is None
    assert _take(batcher) == ["a1"]
    assert batcher.take(0, wait_s=30) == []  # does not wait: there is a spare one
    spare = batcher.take_spare()
    assert spare is not None
    assert spare.track == "spare"
    assert batcher.take_spare() is None
    assert (batcher.statistics().offered, batcher.statistics().taken) == (1, 1)
    assert sum(batcher.offer_spare(_crop("a", "spare")) for _ in range(100)) == 16
    assert (batcher.statistics().spare_waiting, batcher.statistics().spare_refused) == (16, 84)


def test_offer_the_newest_crop_of_a_track_wins() -> None:
    batcher = Batcher(max_batch=3, max_age_s=5)
    for track, at_s in (("1", 0.0), ("2", 0.1), ("1", 1.0)):
        batcher.offer(_crop("a", track, at_s))
    assert [(crop.track, crop.at_s) for crop in batcher.take(1, 0)] == [("1", 1.0), ("2", 0.1)]
    assert batcher.settle("a", "1") == (1, 0)
    assert batcher.settle("a", "1") == (0, 0)


def test_take_leaves_out_what_is_too_old() -> None:
    batcher = Batcher(max_batch=3, max_age_s=5)
    batcher.offer(_crop("a", "1", 0))
    batcher.offer(_crop("a", "2", 6))
    assert _take(batcher, now_s=10) == ["a2"]
    assert batcher.settle("a", "1") == (0, 1)
    assert batcher.statistics().stale == 1


def test_offer_a_track_whose_turn_does_not_come_starves_though_its_crops_are_new() -> None:
    batcher = Batcher(max_batch=1, max_age_s=5)
    for second in range(9):
        batcher.offer(_crop("a", "1", second))
    assert batcher.settle("a", "1") == (5, 3)
    assert _take(batcher, now_s=8) == ["a1"]
    for second in range(9, 12):
        batcher.offer(_crop("a", "1", second))
    assert batcher.settle("a", "1") == (2, 0)


def test_take_streams_take_turns_however_many_faces_one_has() -> None:
    batcher = Batcher(max_batch=4, max_age_s=5)
    for track in range(50):
        batcher.offer(_crop("crowd", str(track)))
    for stream in ("a", "b"):
        batcher.offer(_crop(stream, "1"))
    assert _take(batcher) == ["crowd0", "a1", "b1", "crowd1"]


def test_take_tracks_of_a_stream_take_turns() -> None:
    batcher = Batcher(max_batch=2, max_age_s=5)
    served: Counter[str] = Counter()
    for _ in range(30):
        for track in "12345":
            batcher.offer(_crop("a", track))
        served.update(_take(batcher))
    assert set(served.values()) == {12}


def test_demand_goes_first_the_highest_of_all() -> None:
    batcher = Batcher(max_batch=1, max_age_s=5)
    for track in "1234":
        batcher.offer(_crop("a", track))
    batcher.demand(_urgent("a", "3", priority=0.5))
    batcher.demand(_urgent("a", "4", priority=0.9))
    assert _take(batcher) == ["a4"]
    assert _take(batcher) == ["a1"]  # every other turn is open to all
    assert _take(batcher) == ["a3"]


def test_demand_the_latest_wins_and_expires() -> None:
    batcher = Batcher(max_batch=1, max_age_s=50)
    for track in "123":
        batcher.offer(_crop("a", track))
    batcher.demand(_urgent("a", "2", expires_s=9))
    assert _take(batcher, now_s=10) == ["a1"]
    batcher.demand(_urgent("a", "3", priority=0.9))
    batcher.demand(_urgent("a", "3", priority=0))
    assert _take(batcher, now_s=10) == ["a2"]


def test_demand_for_a_track_without_a_slot_is_ignored() -> None:
    batcher = Batcher(max_batch=1, max_age_s=5)
    batcher.demand(_urgent("a", "2"))
    for track in "12":
        batcher.offer(_crop("a", track))
    assert _take(batcher) == ["a1"]


def test_demand_never_starves_who_asks_for_nothing() -> None:
    batcher = Batcher(max_batch=1, max_age_s=5)
    served: Counter[str] = Counter()
    for _ in range(400):
        for track in range(10):
            batcher.offer(_crop("loud", str(track)))
            batcher.demand(_urgent("loud", str(track)))
        for stream in ("a", "b", "c"):
            batcher.offer(_crop(stream, "1"))
        served.update(crop.stream for crop in batcher.take(0, 0))
    assert served == {"loud": 250, "a": 50, "b": 50, "c": 50}  # half for demand, the rest shared by all four


def test_suspects_share_by_the_evidence_against_them_and_none_waits_for_another() -> None:
    """One on which an alert stands keeps the highest demand for as long as it does."""
    batcher = Batcher(max_batch=1, max_age_s=5)
    priorities = {"alerted": 1.0, "rising": 0.8, "doubtful": 0.2}
    served: Counter[str] = Counter()
    for _ in range(4000):
        for track in (*priorities, *map(str, range(20))):
            batcher.offer(_crop("a", track))
        for track, priority in priorities.items():
            batcher.demand(_urgent("a", track, priority))
        served.update(crop.track for crop in batcher.take(0, 0))
    # Half of the turns are open to all 23, half go to the three as 10 : 8 : 2.
    assert [served[track] for track in priorities] == pytest.approx([1000, 800, 200], rel=0.15)
    assert min(served[str(track)] for track in range(20)) >= 4000 / 2 / 23 - 1


def test_who_has_gone_unscored_for_longest_is_next() -> None:
    batcher = Batcher(max_batch=1, max_age_s=1e9)
    for track in "1234":
        batcher.offer(_crop("a", track))
    assert [*_take(batcher), *_take(batcher)] == ["a1", "a2"]
    for track in "21":
        batcher.offer(_crop("a", track))  # 3 and 4 wait still
    assert [*_take(batcher), *_take(batcher), *_take(batcher)] == ["a3", "a4", "a1"]


def test_tracks_that_come_and_go_are_not_served_before_those_that_stay() -> None:
    batcher = Batcher(max_batch=1, max_age_s=5)
    served: Counter[str] = Counter()
    for number in range(200):
        batcher.offer(_crop("a", "stays"))
        for short in range(2):
            batcher.offer(_crop("a", f"{number}-{short}"))
        served.update(crop.track for crop in batcher.take(0, 0))
        for short in range(2):
            batcher.forget("a", f"{number}-{short}")
    assert served["stays"] >= 66


@settings(deadline=None)
@given(
    streams=st.integers(1, 6),
    tracks=st.integers(1, 6),
    max_batch=st.integers(1, 8),
    demands=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.floats(0, 1)), max_size=10),
)
def test_take_nobody_waits_longer_than_two_turns_for_each_that_waits(
    streams: int, tracks: int, max_batch: int, demands: list[tuple[int, int, float]]
) -> None:
    batcher = Batcher(max_batch, max_age_s=5)
    everybody = [(str(stream), str(track)) for stream in range(streams) for track in range(tracks)]
    turns = 0
    stream_served = dict.fromkeys((name for name, _ in everybody), 0)
    track_served = dict.fromkeys(everybody, 0)
    while turns < 6 * len(everybody) + 20:
        for name, track in everybody:
            batcher.offer(_crop(name, track))
        for wanted, track_wanted, priority in demands:
            batcher.demand(_urgent(str(wanted), str(track_wanted), priority))
        batch = batcher.take(0, 0)
        # All slots are filled only between batches, so a turn late by a batch is still in time.
        for crop in batch:
            turns += 1
            stream_served[crop.stream] = track_served[crop.stream, crop.track] = turns
        assert all(turns - served <= 2 * streams + max_batch for served in stream_served.values())
        assert all(turns - served <= 2 * len(everybody) + max_batch for served in track_served.values())


def test_forget_empties_the_slot() -> None:
    batcher = Batcher(max_batch=3, max_age_s=5)
    batcher.offer(_crop("a", "1"))
    batcher.offer(_crop("a", "1"))
    batcher.forget("a", "1")
    batcher.forget("a", "never seen")
    assert _take(batcher) == []
    assert batcher.settle("a", "1") == (0, 0)
    assert batcher.statistics().forgotten == 1


def test_offer_beyond_capacity_is_refused_and_counted() -> None:
    batcher = Batcher(max_batch=3, max_age_s=5, capacity=2)
    for track in "123":
        batcher.offer(_crop("a", track))
    batcher.offer(_crop("a", "1"))  # a slot it has already
    statistics = batcher.statistics()
    assert (statistics.waiting, statistics.refused, statistics.replaced) == (2, 1, 1)
    batcher.forget("a", "1")
    batcher.offer(_crop("a", "3"))
    assert _take(batcher) == ["a2", "a3"]


def test_nothing_grows_while_nothing_is_taken() -> None:
    batcher = Batcher(max_batch=3, max_age_s=5)
    for number in range(3000):
        stream, track = str(number // 30), str(number)
        batcher.offer(_crop("lasts", "1"))
        batcher.demand(_urgent("lasts", "1", priority=0.1 + number / 10_000))
        batcher.offer(_crop("lasts", track))
        batcher.forget("lasts", track)
        batcher.offer(_crop(stream, track))
        batcher.forget_stream(stream)
    turns = batcher._turns
    kept = len(turns._open), len(turns._urgent), len(turns.streams["lasts"].waiting)
    assert max(kept) < 100
    assert _take(batcher) == ["lasts1"]


def test_statistics_tell_the_oldest() -> None:
    batcher = Batcher(max_batch=1, max_age_s=50)
    assert batcher.statistics().oldest_at_s is None
    batcher.offer(_crop("a", "1", 7))
    batcher.offer(_crop("b", "1", 3))
    assert batcher.statistics().oldest_at_s == 3


class _Accounts(RuleBasedStateMachine):
    """Whatever is offered, taken, forgotten and demanded, every crop is somewhere exactly once."""

    def __init__(self) -> None:
        super().__init__()
        self.batcher = Batcher(max_batch=3, max_age_s=2, capacity=9)
        self.now_s = 0.0
        self.losses: Counter[str] = Counter()

    @rule(stream=_STREAMS, track=_TRACKS)
    def offer(self, stream: str, track: str) -> None:
        self.batcher.offer(_crop(stream, track, self.now_s))

    @rule(stream=_STREAMS, track=_TRACKS, priority=st.floats(0, 1), lasts_s=st.floats(0, 5))
    def demand(self, stream: str, track: str, priority: float, lasts_s: float) -> None:
        self.batcher.demand(_urgent(stream, track, priority, self.now_s + lasts_s))

    @rule(step_s=st.floats(0, 3), at_most=st.one_of(st.none(), st.integers(1, 4)))
    def take(self, step_s: float, at_most: int | None) -> None:
        self.now_s += step_s
        before = self.batcher.statistics()
        batch = self.batcher.take(self.now_s, 0, at_most=at_most)
        after = self.batcher.statistics()
        assert len(set(_names(batch))) == len(batch) <= min(3, at_most or 3)
        assert all(self.now_s - crop.at_s <= 2 for crop in batch)
        assert len(batch) == min(3, at_most or 3, before.waiting - (after.stale - before.stale))

    @rule(stream=_STREAMS, track=_TRACKS)
    def forget(self, stream: str, track: str) -> None:
        self.settle(stream, track)
        self.batcher.forget(stream, track)

    @rule(stream=_STREAMS, track=_TRACKS)
    def settle(self, stream: str, track: str) -> None:
        dropped, starved = self.batcher.settle(stream, track)
        self.losses.update(dropped=dropped, starved=starved)

    @invariant()
    def nothing_is_lost_uncounted(self) -> None:
        told = self.batcher.statistics()
        assert told.waiting <= 9
        assert told.offered == (told.taken + told.replaced + told.stale + told.forgotten + told.refused + told.waiting)

    def teardown(self) -> None:
        for stream in "abc":
            for track in "1234":
                self.settle(stream, track)
        told = self.batcher.statistics()
        assert self.losses.total() == told.replaced + told.stale
        assert self.losses["starved"] >= told.stale


TestAccounts = _Accounts.TestCase
TestAccounts.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("producers", [4])
def test_threads_offer_take_and_forget_at_once(producers: int) -> None:
    batcher = Batcher(max_batch=8, max_age_s=1e9)
    taken: Counter[str] = Counter()
    done = threading.Event()

    def produce(stream: str) -> None:
        for index in range(500):
            batcher.offer(_crop(stream, str(index % 7), index))
            if index % 50 == 0:
                batcher.forget(stream, str(index % 7))

    def consume() -> None:
        while not done.is_set() or batcher.statistics().waiting:
            taken.update(crop.stream for crop in batcher.take(0, wait_s=0.01))

    consumer = threading.Thread(target=consume)
    threads = [threading.Thread(target=produce, args=[str(stream)]) for stream in range(producers)]
    for thread in (consumer, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    consumer.join()
    told = batcher.statistics()
    assert told.offered == producers * 500
    assert told.taken == taken.total()
    assert told.offered == told.taken + told.replaced + told.forgotten

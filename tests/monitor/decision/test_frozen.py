from __future__ import annotations

from monitor.messages import Frozen, TrackObservation
from tests.monitor.decision.test_decision import Bench


def watch(bench: Bench, second: int, *frozen: Frozen) -> None:
    """One second of a track in which a crop said `fake`."""
    bench.seconds([3.0], start=second)
    box = (0.0, 0.0, 9.0, 9.0)
    bench.outputs += bench.decision.observe(
        TrackObservation("s", "t", second + 1, second, 1.0, 0, {}, box, 0.0, frozen=frozen)
    )


def test_decision_tells_once_that_a_face_does_not_live_and_gives_it_as_a_reason() -> None:
    bench = Bench()
    observed: list[tuple[Frozen, ...]] = [
        (),
        ("still picture",),
        ("still picture",),
        ("duplicate frames",),
        (),
        ("still picture",),
    ]
    for second, frozen in enumerate(observed):
        box = (0.0, 0.0, 9.0, 9.0)
        bench.clock.advance(second + 1)
        bench.outputs += bench.decision.observe(
            TrackObservation("s", "t", second + 1, second, 1.0, 1, {}, box, 0.0, frozen=frozen)
        )
    assert [(event.kind, event.at_s) for event in bench.events] == [
        ("still_picture", 2),
        ("duplicate_frames", 4),
        ("still_picture", 6),
    ]
    assert [set(verdict.reasons) & {"still picture", "duplicate frames"} for verdict in bench.verdicts] == [
        set(frozen) for frozen in observed
    ]
    assert bench.events[0].text == "track t: nothing in the face has moved for 10 s; it may be a picture"


def test_evidence_is_the_same_of_a_face_that_does_not_live() -> None:
    benches = Bench(), Bench()
    for second in range(20):
        watch(benches[0], second)
        watch(benches[1], second, "still picture", "duplicate frames")
    judged = [[(verdict.state, verdict.evidence) for verdict in bench.verdicts] for bench in benches]
    assert judged[0] == judged[1]
    assert judged[0][-1][0] == "fake"
    assert len(benches[0].alerts) == len(benches[1].alerts) == 1

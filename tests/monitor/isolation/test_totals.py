from __future__ import annotations

from dataclasses import replace

from monitor.isolation.totals import nothing_yet, total


def test_counts_are_added_and_what_stands_is_of_now() -> None:
    fresh = nothing_yet()
    reader = replace(fresh.reader, state="live", frames=100, reconnects=2, fps=25.0)
    tracking = replace(fresh.tracking, faces=2, tracks=3, analysed=20, gated={"small": 4, "pose": 1}, detect_s=0.5)
    before = replace(fresh, reader=reader, tracking=tracking, superseded=7, failures=1, cpu_s=2, memory_bytes=90)
    now = replace(
        before,
        reader=replace(reader, state="stalled", frames=10, reconnects=0, fps=5.0),
        tracking=replace(tracking, faces=1, tracks=1, analysed=2, gated={"small": 1}, degraded="weak on small faces"),
        failures=2,
        cpu_s=1.5,
        memory_bytes=80,
    )
    both = total(before, now)
    assert (both.reader.state, both.reader.fps) == ("stalled", 5.0)
    assert (both.reader.frames, both.reader.reconnects, both.superseded, both.failures) == (110, 2, 14, 3)
    assert (both.tracking.faces, both.tracking.tracks) == (1, 1)
    assert (both.tracking.analysed, both.tracking.detect_s) == (22, 1.0)
    assert both.tracking.gated == {"small": 5, "pose": 1}
    assert (both.cpu_s, both.memory_bytes) == (3.5, 80)
    assert both.tracking.degraded == "weak on small faces"


def test_nothing_yet_adds_nothing() -> None:
    some = replace(nothing_yet(), superseded=3)
    assert total(nothing_yet(), some) == some
    assert total(some, nothing_yet()) == some

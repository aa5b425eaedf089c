from __future__ import annotations

from monitor.decision.sessions import Sessions


def test_live_sessions_keep_to_the_clock_whenever_the_first_face_comes() -> None:
    midnight = 1_000.0
    sessions = Sessions(100.0, 1, origin_s=midnight - 100.0 * 7)
    assert not sessions.turn("lobby", midnight + 30)
    assert not sessions.turn("lobby", midnight + 99)
    assert sessions.turn("lobby", midnight + 100)
    assert sessions.over("lobby", midnight + 99.9)
    assert not sessions.turn("lobby", midnight + 99.9)


def test_a_recording_begins_its_session_with_its_first_frame() -> None:
    sessions = Sessions(100.0, 1)
    assert not sessions.turn("tape", 40)  # the first face
    assert sessions.turn("tape", 101)


def test_alerts_from_before_a_restart_count_in_the_session_that_goes_on() -> None:
    sessions = Sessions(100.0, 2, origin_s=0.0)
    sessions.recall("lobby", "1-1", raised_s=450.0, now_s=520.0)
    sessions.recall("lobby", "1-2", raised_s=505.0, now_s=520.0)
    assert sessions.may_raise("lobby", "2-1")
    assert not sessions.may_raise("lobby", "1-2")
    sessions.recall("lobby", "1-3", raised_s=510.0, now_s=520.0)
    assert not sessions.may_raise("lobby", "2-1")
    assert sessions.may_raise("gate", "2-1")
    assert sessions.turn("lobby", 600.0)
    assert sessions.may_raise("lobby", "2-1")


def test_without_a_calibration_nothing_is_counted() -> None:
    sessions = Sessions(None, None)
    sessions.recall("lobby", "1-1", raised_s=0.0, now_s=1.0)
    assert sessions.may_raise("lobby", "1-1")

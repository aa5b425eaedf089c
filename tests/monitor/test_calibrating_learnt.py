"""From what was learnt to a calibration: as from footage, and without sessions that people doubt."""

from __future__ import annotations

import asyncio
import io
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from monitor.calibrating import calibrate_files
from monitor.calibrating_learnt import calibrate_learnt
from monitor.clock import RecordingClock
from monitor.config import MonitorConfig
from monitor.decision import sampling_policy
from monitor.demo.clip import make_clip
from monitor.errors import ConfigError, MonitorError
from monitor.learning import new_learner
from monitor.parts import load_parts
from monitor.recorded import Recording
from monitor.store import ReviewStore
from tests.monitor.learning.learnt import HOURS, SESSION_S, piece, written
from tests.monitor.learning.test_learner import Watched
from tests.monitor.store.examples import an_alert, opened

SECONDS = 10


def config(folder: Path, *streams: str, **decision: object) -> MonitorConfig:
    return MonitorConfig.model_validate(
        {
            "streams": [{"name": name, "url": f"file:{name}.mp4"} for name in streams or ["tape"]],
            "encoder": {"weights": "demo"},
            "store": {"url": f"sqlite+aiosqlite:///{folder / 'alerts.db'}"},
            "decision": {"min_blocks": 4, "learning": str(folder / "learnt"), **decision},
        }
    )


def test_a_recording_that_is_learnt_live_calibrates_as_it_does_as_footage(tmp_path: Path) -> None:
    """Where blocks coincide, that is where its first frame is on a whole second of the pipeline's clock."""
    tape = tmp_path / "tape.mp4"
    make_clip(tape, seconds=SECONDS, manipulated_from_s=math.inf, names=["astronaut", "t1-1"])
    of_footage = calibrate_files([tape], config(tmp_path), tmp_path / "a.json", console=Console(file=io.StringIO()))

    settings = config(tmp_path, session_hours=of_footage.session_hours)
    parts = load_parts(settings)
    clock = RecordingClock(datetime.now(UTC))
    learner = new_learner(settings, parts, clock)
    assert learner is not None
    pipeline = Watched(-100 * of_footage.session_hours * 3600)
    pipeline.live = ["tape"]
    learner.begin(pipeline)
    learner.tick()
    for seen in Recording(tape, settings, parts, stream="tape").frames():
        clock.advance(seen.at_s)
        for logit in seen.logits:
            learner.logit(logit)
    clock.advance(SECONDS)
    learner.tick()
    learner.stop(5)
    learnt = calibrate_learnt(settings, tmp_path / "b.json", console=Console(file=io.StringIO()))
    # Fakes are made of fewer crops in learning, so the evidence that follows is another.
    for track, same in zip(learnt.sessions[0].tracks, of_footage.sessions[0].tracks, strict=True):
        assert track.blocks == same.blocks
        assert track.mean == pytest.approx(same.mean, abs=1e-9)
        assert track.deviation == pytest.approx(same.deviation, abs=1e-9)
    assert len(learnt.sessions) == len(of_footage.sessions) == 1
    assert learnt.sessions[0].blocks == of_footage.sessions[0].blocks > 0
    assert (learnt.encoder, learnt.policy) == (of_footage.encoder, of_footage.policy)
    assert learnt.session_hours == of_footage.session_hours
    assert learnt.refusal(of_footage.encoder, of_footage.policy) is None


NOON = datetime(2026, 1, 31, 12, 0, 5, tzinfo=UTC)
FIRST = int(NOON.timestamp() // SESSION_S)


def learnt_by(folder: Path, settings: MonitorConfig, sessions: int, *streams: str) -> None:
    policy = sampling_policy(settings.faces, "yunet")
    names = streams or ("tape",)
    pieces = [piece(FIRST + k, name, track=f"1-{k}") for name in names for k in range(sessions)]
    written(folder / "learnt", *pieces, streams=names, **policy)


def calibrated(settings: MonitorConfig, out: Path, *, from_reviews: bool = False) -> tuple[list[str], str]:
    told = io.StringIO()
    made = calibrate_learnt(settings, out, console=Console(width=150, file=told), from_reviews=from_reviews)
    return [session.name for session in made.sessions], told.getvalue()


def test_sessions_that_people_doubt_are_left_out_and_told_of(tmp_path: Path) -> None:
    settings = config(tmp_path)
    learnt_by(tmp_path, settings, 6)

    async def reviewed() -> None:
        at = [NOON + timedelta(seconds=k * SESSION_S) for k in range(6)]
        async with opened(settings.store.url.get_secret_value()) as store:
            for k in range(5):
                alert = replace(an_alert(k, stream="tape", track=f"1-{k}"), at=at[k], captured_at=at[k])
                await store.record(alert, [])
            await store.record(an_alert(9, stream="other"), [])
        people = await ReviewStore.open(settings.store.url.get_secret_value())
        await people.review("episode-0", "right", by="anna")
        await people.review("episode-1", "wrong", by="anna")
        await people.review("episode-2", "unsure", by="ben")
        await people.review("episode-3", "right", by="anna")
        await people.review("episode-3", "wrong", by="ben")
        await people.aclose()

    asyncio.run(reviewed())
    names, told = calibrated(settings, tmp_path / "out.json", from_reviews=True)
    assert names == ["tape 2026-01-31 12:30", "tape 2026-01-31 14:00", "tape 2026-01-31 14:30"]
    assert "1 alert reviewed as wrong: counted as false alarms" in told
    assert "1 alert that nobody reviewed: counted as false alarms" in told
    rows = [line for line in told.splitlines() if "alert episode" in line]
    assert [row.strip("│ ").split("│")[0].strip() for row in rows] == [
        "tape 2026-01-31 12:00", "tape 2026-01-31 13:00", "tape 2026-01-31 13:30"
    ]  # fmt: skip
    assert "alert episode-0 was right, by anna" in rows[0]
    assert "alert episode-2: unsure by ben" in rows[1]
    assert "alert episode-3: right by anna, wrong by ben" in rows[2]
    assert f"3 sessions of {HOURS * 60:.1f} min" in told

    names, told = calibrated(settings, tmp_path / "out.json")
    assert len(names) == 6
    assert "alert" not in told.replace("alerts a day", "")


def test_a_face_that_an_alert_was_right_about_is_left_out_of_the_session_next_to_it_too(tmp_path: Path) -> None:
    settings = config(tmp_path)
    policy = sampling_policy(settings.faces, "yunet")
    pieces = [piece(FIRST, "tape", track="1-1"), piece(FIRST + 1, "tape", track="1-1"), piece(FIRST + 2, "tape")]
    written(tmp_path / "learnt", *pieces, streams=("tape",), **policy)
    late = NOON + timedelta(seconds=SESSION_S - 30)

    async def reviewed() -> None:
        async with opened(settings.store.url.get_secret_value()) as store:
            await store.record(replace(an_alert(1, stream="tape", track="1-1"), captured_at=late), [])
        people = await ReviewStore.open(settings.store.url.get_secret_value())
        await people.review("episode-1", "right")
        await people.aclose()

    asyncio.run(reviewed())
    names, told = calibrated(settings, tmp_path / "out.json", from_reviews=True)
    assert names == ["tape 2026-01-31 13:00"]
    assert told.count("alert episode-1 was right, by somebody") == 2


def test_streams_that_share_what_they_are_of_calibrate_together_and_one_may_be_named(tmp_path: Path) -> None:
    settings = config(tmp_path, "lobby", "gate")
    learnt_by(tmp_path, settings, 2, "lobby", "gate")
    told = Console(file=io.StringIO())
    both = calibrate_learnt(settings, tmp_path / "out.json", console=told)
    assert [session.name.split()[0] for session in both.sessions] == ["gate", "gate", "lobby", "lobby"]
    one = calibrate_learnt(settings, tmp_path / "out.json", stream="gate", console=told)
    assert [session.name.split()[0] for session in one.sessions] == ["gate", "gate"]


def test_what_was_learnt_of_something_else_is_refused_with_both_values(tmp_path: Path) -> None:
    settings = config(tmp_path)
    learnt_by(tmp_path, settings, 2)
    out = tmp_path / "out.json"
    with pytest.raises(ConfigError, match=r"learnt: learnt in sessions of 0\.5 h, not of 24 h"):
        calibrate_learnt(config(tmp_path, session_hours=24), out)
    other = settings.model_copy(update={"faces": settings.faces.model_copy(update={"min_face_px": 60.0})})
    with pytest.raises(ConfigError, match=r"learnt: made with faces\.min_face_px 90, but it is 60 here \(stream tape"):
        calibrate_learnt(other, out)
    with pytest.raises(ConfigError, match="learnt: nothing was learnt of door"):
        calibrate_learnt(config(tmp_path, "door"), out)
    assert not out.exists()


def test_where_nothing_is_complete_no_file_is_made(tmp_path: Path) -> None:
    settings = config(tmp_path)
    with pytest.raises(ConfigError, match="learnt: cannot be read"):
        calibrate_learnt(settings, tmp_path / "out.json")
    written(
        tmp_path / "learnt",
        piece(FIRST, "tape", watched_s=60),
        streams=("tape",),
        **sampling_policy(settings.faces, "yunet"),
    )
    told = io.StringIO()
    with pytest.raises(MonitorError, match="learnt: no session is complete"):
        calibrate_learnt(settings, tmp_path / "out.json", console=Console(width=150, file=told))
    assert "watched for 3% of it" in told.getvalue()
    assert not (tmp_path / "out.json").exists()

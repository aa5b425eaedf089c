"""A stream whose faces score unlike its calibration, through the running service."""

from __future__ import annotations

import urllib.request
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from monitor.config import MonitorConfig
from monitor.decision import Calibration, Encoder, sampling_policy
from monitor.decision.calibration import QualityCurve, RealPeople, Session, Track
from monitor.demo.clip import make_clip
from monitor.parts import load_parts
from tests.monitor.service import RunningService, Subscriber

VISIT_S, EMPTY_S = 4, 2
DECISION = {"min_blocks": 2, "false_alarms_per_stream_day": 1000}
FACES = {"reassociate_s": 0.5}
FPS = 15


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One manipulated face, and then nobody: played again and again, each visit is another track."""
    folder = tmp_path_factory.mktemp("visits")
    make_clip(folder / "visit.mp4", seconds=VISIT_S, manipulated_from_s=0, names=["astronaut"])
    with av.open(folder / "visit.mp4") as visit, av.open(folder / "visits.mp4", "w") as out:
        pictures = [frame.to_ndarray(format="rgb24") for frame in visit.decode(video=0)]
        stream = out.add_stream("libx264", rate=FPS)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.time_base = "yuv420p", Fraction(1, FPS)
        for picture in [*pictures, *[np.zeros_like(pictures[0])] * (EMPTY_S * FPS)]:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode())
    return folder / "visits.mp4"


def calibration(config: MonitorConfig, mean: float) -> Calibration:
    """Of forty sessions, as long as the clip, with a face that scored about so much."""
    parts = load_parts(config)
    rng = np.random.default_rng(0)
    tracks = [Track(peak=0.0, blocks=4, mean=mean + rng.normal(), deviation=rng.uniform(0.5, 1.5)) for _ in range(40)]
    return Calibration(
        made=datetime(2026, 1, 1, tzinfo=UTC),
        software="0",
        encoder=Encoder.of(parts.model),
        policy=sampling_policy(config.faces, parts.face_detector),
        session_hours=(VISIT_S + EMPTY_S) / 3600,
        curves=(QualityCurve(least_quality=0, kind="platt", above=1, below=1, offset=0),),
        calibration_error=None,
        correlation_blocks=1,
        population=RealPeople(mean=-3, between=2, noise=4, shift=4),
        sessions=tuple(Session(name=f"s{number}", tracks=(track,)) for number, track in enumerate(tracks)),
    )


@pytest.mark.long
def test_scores_unlike_the_calibration_are_an_event_degrade_the_stream_and_take_the_promise_from_alerts(
    visits: Path, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {
        "streams": [{"name": "tape", "url": f"file:{visits}", "loop": True}],
        "mqtt": {"url": "embedded:"},
        "encoder": {"weights": "demo"},
        "faces": FACES,
        "workers": {"isolation": "thread"},
    }
    calibration(MonitorConfig.model_validate(settings), mean=-30.0).write(tmp_path / "lobby.json")
    settings["decision"] = {**DECISION, "calibration": str(tmp_path / "lobby.json")}
    with RunningService(tmp_path, settings) as service, Subscriber(service.mqtt_port, "gend/#") as subscriber:
        before = subscriber.wait_for("gend/alerts/tape", type="raised")
        event = subscriber.wait_for("gend/events/tape", kind="drift")
        degraded: list[str] = []
        while f"drift: {event['text']}" not in degraded:
            degraded = subscriber.wait_for("gend/streams/tape/status", state="live")["degraded"]
        after = subscriber.wait_for("gend/alerts/tape", type="raised")
        metrics = urllib.request.urlopen(f"{service.web_url}/metrics").read().decode()
    assert event["text"].startswith("scores no longer fit the calibration: 3")
    assert event["text"].endswith(" tracks in 3 sessions)") or event["text"].endswith(" tracks in 4 sessions)")
    assert event["track"] is None
    assert (before["calibrated"], after["calibrated"]) == (True, False)
    assert f"drift: {event['text']}; the promise is not about such scores" in after["notices"]
    assert not [notice for notice in after["notices"] if notice.startswith("odds:")]
    assert 'gend_stream_drifted{stream="tape"} 1.0' in metrics
    assert "gend_drifts_total 1.0" in metrics

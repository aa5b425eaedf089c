"""What is asked of streams that are not watched, and what comes of such."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from monitor.config import MonitorConfig
from monitor.messages import Crop, Preview
from monitor.parts import load_parts
from monitor.pipeline import Pipeline
from monitor.recent import RecentFaces
from monitor.steps import Parts

pytestmark = pytest.mark.anyio

CONFIG = MonitorConfig.model_validate(
    {
        "streams": [{"name": "desk", "url": "whip:", "sessions": "many"}],
        "encoder": {"weights": "demo"},
        "workers": {"isolation": "thread"},
    }
)


@pytest.fixture(scope="module")
def parts() -> Parts:
    return load_parts(CONFIG)


async def test_what_is_asked_of_a_stream_that_is_not_watched_is_refused_at_once(parts: Parts, tmp_path: Path) -> None:
    pipeline = Pipeline(CONFIG, parts, run_id="1")
    offered, left = pipeline.publish("desk", "session", "v=0").result(0), pipeline.leave("desk", "session").result(0)
    assert (offered.refusal, left.refusal) == ("unavailable", "unknown")
    assert "desk is not watched" in str(offered.reason)
    assert "desk is not watched" in str(pipeline.write_clip("desk", tmp_path / "clip").result(0).absence)
    assert pipeline._requests.awaited == 0


async def test_what_a_thread_sends_that_was_left_behind_leaves_nothing(parts: Parts) -> None:
    faces, previews = RecentFaces(), list[Preview]()
    pipeline = Pipeline(CONFIG, parts, run_id="1", taps=[faces], on_preview=previews.append)
    pipeline._receive(Crop("call-of-before", "1", 1.0, np.zeros((4, 4, 3), np.uint8), 0.5, 100))
    pipeline._receive(Preview("call-of-before", 1.0, b"jpeg", 1280, 720, ()))
    assert (faces.of("call-of-before", 1.0), previews) == ([], [])
    assert pipeline.statistics().batcher.waiting == 0

"""The demo's promise: the alert names the manipulated person's track, and nobody else raises one."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from gend.data.lowres import LowResolution
from gend.data.portraits import PORTRAITS
from gend.errors import FetchError
from gend.faces import load_detector
from gend.preprocess import encoder_input
from monitor.config import MonitorConfig
from monitor.demo import clip as clip_module
from monitor.demo.clip import TILE_PX, demo_clip, make_clip
from monitor.ingest import read_file
from monitor.messages import Alert, Event, TrackObservation, Verdict
from monitor.parts import load_parts
from monitor.recorded import replay
from monitor.steps import Parts
from monitor.tracking import Tracking
from tests.gend.fetched import offer_models

MANIPULATED_FROM_S = 6.0
STARTED = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "call.mp4"
    make_clip(path, seconds=22, manipulated_from_s=MANIPULATED_FROM_S)
    return path


def judge(clip: Path, config: MonitorConfig, parts: Parts) -> list[tuple[float, Verdict | Alert | Event]]:
    judged = replay(clip, config, parts, stream="call", started=STARTED)
    return [(at_s, output) for at_s, outputs in judged for output in outputs]


def columns(clip: Path, config: MonitorConfig, parts: Parts) -> dict[str, int]:
    """Which tile each track was in, by the same identities as in `replay`."""
    ids = (f"replay-{number}" for number in itertools.count(1))
    prepare = partial(encoder_input, input_px=parts.encoder.input_px)
    tracking = Tracking("call", config.faces, [], parts.new_face_detector(), prepare=prepare, track_ids=ids)
    observations: list[TrackObservation] = []
    for frame in read_file(clip, "call"):
        if tracking.due(frame.at_s):
            observations += [out for out in tracking.process(frame) if isinstance(out, TrackObservation)]
    observations += tracking.flush(22.0)
    return {seen.track: int((seen.box[0] + seen.box[2]) / 2 // TILE_PX) for seen in observations}


@pytest.mark.parametrize("detector", ["yunet", "blazeface"])
def test_only_the_manipulated_person_is_alerted(detector: str, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer_models(monkeypatch)
    try:
        load_detector(detector, warn=lambda _: None)
    except FetchError as error:
        pytest.skip(str(error))
    config = MonitorConfig.model_validate(
        {
            "streams": [{"name": "call", "url": f"file:{clip}"}],
            "faces": {"detector": detector},
            "encoder": {"weights": "demo"},
        }
    )
    parts = load_parts(config)
    judged = judge(clip, config, parts)
    tile_of = columns(clip, config, parts)
    scored = {out.track for _, out in judged if isinstance(out, Verdict) and out.samples}
    assert sorted(tile_of[track] for track in scored) == [0, 1, 2]
    raised = [(at_s, tile_of[out.track]) for at_s, out in judged if isinstance(out, Alert) and out.type == "raised"]
    assert [tile for _, tile in raised] == [0]
    assert raised[0][0] > MANIPULATED_FROM_S
    suspected = {tile_of[out.track] for _, out in judged if isinstance(out, Verdict) and out.state == "suspect"}
    assert suspected == {0}
    assert judge(clip, config, parts) == judged  # equal input, equal output


@pytest.fixture
def no_making(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder, where clips are made in no time."""
    monkeypatch.setenv("GEND_CACHE", str(tmp_path))
    monkeypatch.setattr(clip_module, "make_clip", lambda path, **_: path.write_bytes(b"a clip"))
    return tmp_path


@pytest.mark.parametrize(
    ("constant", "value"),
    [
        ("_FACE_PX", 131.0),
        ("_LOW_RESOLUTION", LowResolution(detail_px=21)),
        ("_SWAY_PX", 7.0),
        ("PEOPLE", ("astronaut", "t1-0")),
        ("MANIPULATED_FROM_S", 7.0),
    ],
)
def test_another_recipe_makes_another_clip_and_removes_the_older(
    constant: str, value: object, no_making: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = demo_clip(lambda _: None)
    assert demo_clip(lambda _: None) == first
    monkeypatch.setattr(clip_module, constant, value)
    second = demo_clip(lambda _: None)
    assert second != first
    assert list(no_making.iterdir()) == [second]


def test_a_portrait_that_was_measured_anew_makes_another_clip(no_making: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = demo_clip(lambda _: None)
    moved = [replace(portrait, points=((1, 1), *portrait.points[1:])) for portrait in PORTRAITS]
    monkeypatch.setattr(clip_module, "PORTRAITS", moved)
    assert demo_clip(lambda _: None) != first


def test_only_what_nobody_is_making_any_more_is_removed(no_making: Path) -> None:
    (no_making / "portrait.png").touch()
    (no_making / "demo-call-1.2.part").touch()
    (no_making / "demo-call-1.3.part").touch()
    os.utime(no_making / "demo-call-1.3.part", (0, 0))
    made = demo_clip(lambda _: None)
    assert {path.name for path in no_making.iterdir()} == {"portrait.png", "demo-call-1.2.part", made.name}

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from monitor.config import FacesConfig
from monitor.decision import Calibration, calibrated, read_calibration, sampling_policy
from monitor.decision.calibration import Encoder, QualityCurve, RealPeople, Session, Track
from monitor.decision.evidence import TrackEvidence
from monitor.decision_config import DecisionConfig
from monitor.errors import ConfigError
from monitor.messages import ModelIdentity

MODEL = ModelIdentity("demo", "ab" * 32, None, "openvino", "fp32")


def track(peak: float, *, blocks: int = 3500, mean: float = -0.2, deviation: float = 0.1) -> Track:
    return Track(peak=peak, blocks=blocks, mean=mean, deviation=deviation)


def calibration(sessions: int = 30, **changes: Any) -> Calibration:
    return Calibration(
        **{
            "made": datetime(2026, 1, 1, tzinfo=UTC),
            "software": "0",
            "encoder": Encoder.of(MODEL),
            "policy": sampling_policy(FacesConfig(), "yunet"),
            "session_hours": 24.0,
            "curves": (QualityCurve(least_quality=0, kind="platt", above=1.2, below=1.2, offset=0.5),),
            "calibration_error": 0.02,
            "correlation_blocks": 9.0,
            "population": RealPeople(mean=-2.7, between=2.7, noise=20.8, shift=5.6),
            "sessions": tuple(Session(name=f"day-{n}", tracks=(track(0.3 * n), track(2.0))) for n in range(sessions)),
            **changes,
        }
    )


def edited(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    calibration().write(tmp_path / "lobby.json")
    return tmp_path / "lobby.json"


def test_a_file_gives_back_what_was_written(path: Path) -> None:
    again = read_calibration(path)
    assert again.model_copy(update={"sha256": ""}) == calibration()
    assert len(again.sha256) == 64


def test_the_layout_of_a_file_may_change_but_none_of_its_values(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()), indent=4, sort_keys=True))
    assert read_calibration(path).session_hours == 24
    edited(path, lambda content: content["sessions"][3]["tracks"].pop())
    with pytest.raises(ConfigError, match=r"lobby\.json: was changed after it was made"):
        read_calibration(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "streams: []"])
def test_what_is_no_calibration_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(ConfigError, match=r"other\.json: no calibration"):
        read_calibration(tmp_path / "other.json")


def test_another_version_is_refused_with_both(path: Path) -> None:
    edited(path, lambda content: content.update(schema=7))
    with pytest.raises(ConfigError, match="of version 7; this software reads version 1"):
        read_calibration(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.json: cannot be read \(No such file"):
        read_calibration(tmp_path / "gone.json")


@pytest.mark.parametrize(
    ("model", "faces", "detector", "said"),
    [
        (replace(MODEL, weights="other", sha256="cd" * 32), {}, "yunet", "made for the encoder demo .*but other"),
        (replace(MODEL, adapter="lobby"), {}, "yunet", "adapter None.*adapter lobby"),
        (replace(MODEL, engine="torch"), {}, "yunet", "encoder.engine openvino, but torch"),
        (replace(MODEL, precision="bf16"), {}, "yunet", "encoder.precision fp32, but bf16"),
        (MODEL, {"crops_per_s": 2}, "yunet", "faces.crops_per_s 1.*but it is 2"),
        (MODEL, {"min_face_px": 60}, "yunet", "faces.min_face_px 90.*but it is 60"),
        (MODEL, {}, "blazeface", "faces.detector yunet, but it is blazeface"),
    ],
)
def test_it_is_refused_for_what_it_was_not_made_for(
    model: ModelIdentity, faces: dict[str, float], detector: str, said: str
) -> None:
    policy = sampling_policy(FacesConfig.model_validate(faces), detector)
    why = calibration().refusal(Encoder.of(model), policy)
    assert why is not None
    assert re.search(said, why), why


def test_it_is_taken_for_what_it_was_made_for() -> None:
    assert calibration().refusal(Encoder.of(MODEL), sampling_policy(FacesConfig(), "yunet")) is None


def test_another_file_under_the_name_of_an_adapter_is_refused_and_another_part_of_the_picture() -> None:
    lobby = replace(MODEL, adapter="lobby")
    area = [[(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)]]
    made = calibration(encoder=Encoder.of(lobby, "ab" * 32), policy=sampling_policy(FacesConfig(), "yunet", area))
    policy = sampling_policy(FacesConfig(), "yunet", area)
    assert made.refusal(Encoder.of(lobby, "ab" * 32), policy) is None
    why = made.refusal(Encoder.of(lobby, "cd" * 32), policy)
    assert why == "made for adapter lobby (abababababab), but its file has changed (cdcdcdcdcdcd)"
    why = made.refusal(Encoder.of(lobby, "ab" * 32), sampling_policy(FacesConfig(), "yunet"))
    assert why is not None
    assert why.startswith("made with ignore [[[0.0, 0.0]")


def test_peaks_of_another_statistic_are_refused() -> None:
    why = calibration(statistic=7).refusal(Encoder.of(MODEL), sampling_policy(FacesConfig(), "yunet"))
    assert why == "of statistic 7 (0), but this software decides by 2"


def test_what_it_promises_follows_from_what_is_asked_for() -> None:
    strict = calibrated(calibration(), DecisionConfig(false_alarms_per_stream_day=0.04))
    loose = calibrated(calibration(), DecisionConfig(false_alarms_per_stream_day=0.5))
    few = calibrated(calibration(5), DecisionConfig(false_alarms_per_stream_day=0.1))
    assert strict.calibrated
    assert loose.calibrated
    assert strict.threshold > loose.threshold > 0.5
    assert not few.calibrated
    assert few.promised_per_day == pytest.approx(1 / 6)
    assert (strict.session_s, strict.most_alerts) == (86_400, 1)


def test_a_low_threshold_does_not_keep_real_faces_from_being_clear() -> None:
    calm = tuple(Session(name=f"day-{n}", tracks=(track(0.0),)) for n in range(30))
    asked = DecisionConfig(false_alarms_per_stream_day=0.5)
    statistic = calibrated(calibration().model_copy(update={"sessions": calm}), asked)
    assert statistic.threshold < 0.3
    evidence = TrackEvidence(statistic.rule)
    for second in range(600):
        evidence.add(-4.0, second)
    assert evidence.real >= statistic.clear_at


def test_nothing_is_called_clear_by_an_encoder_that_tells_nothing() -> None:
    as_it_is = QualityCurve(least_quality=0, kind="platt", above=1, below=1, offset=0)
    assert calibrated(calibration(curves=(as_it_is,)), DecisionConfig()).clear_at == math.inf
    assert calibrated(calibration(), DecisionConfig()).clear_at < 3

"""The report of a calibration: what it says, and that it needs nothing but itself."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from monitor.calibration_report import place_report, report, write_report
from monitor.config import FacesConfig
from monitor.decision import Calibration, Encoder, sampling_policy
from monitor.decision.calibration import RealPeople, Session, Track
from monitor.decision.fitting import Fakes, Fitted, RealSession, TrackCrops, fit
from monitor.decision_config import DecisionConfig
from monitor.errors import ConfigError, MonitorError
from monitor.messages import ModelIdentity

pytest.importorskip("matplotlib")

MODEL = ModelIdentity("some/encoder", "ab" * 32, None, "openvino", "bf16")


def footage(sessions: int, seconds: int = 200) -> tuple[Calibration, Fitted]:
    """Days of one face, or as many seconds of it as there are, and fakes made of every second crop."""
    rng = np.random.default_rng(5)
    real, logits, quality, of = [], [], [], []
    for number in range(sessions):
        said = rng.normal(rng.normal(-1.5, 1.0), 1.0, seconds)
        crops = TrackCrops(np.arange(seconds), said, rng.random(seconds))
        real.append(RealSession(f"day <{number}> & night", (crops,)))
        logits += [said[::2] + 3]
        quality += [crops.quality[::2]]
        of += [np.full(len(said[::2]), number)]
    fitted = fit(real, Fakes(np.concatenate(logits), np.concatenate(quality), np.concatenate(of)))
    calibration = Calibration(
        made=datetime(2026, 1, 1, tzinfo=UTC),
        software="0",
        encoder=Encoder.of(MODEL),
        policy=sampling_policy(FacesConfig(), "yunet"),
        session_hours=24.0,
        curves=fitted.curves,
        calibration_error=fitted.calibration_error,
        correlation_blocks=fitted.correlation_blocks,
        population=RealPeople.of(fitted.population),
        sessions=fitted.sessions,
    )
    return calibration, fitted


class _Read(HTMLParser):
    """Words, elements, and every address that a browser would ask for."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.elements: list[str] = []
        self.addresses: list[str] = []
        self.feed(page)
        self.text = " ".join(self.words)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "xlink:href", "data"}]

    def handle_data(self, data: str) -> None:
        self.words += data.split()


@pytest.fixture(scope="module")
def enough() -> tuple[Calibration, Fitted]:
    return footage(40)


def written(path: Path, calibration: Calibration, asked: DecisionConfig, fitted: Fitted | None) -> tuple[str, _Read]:
    write_report(path, "lobby.json", calibration, asked, fitted)
    page = path.read_text()
    return page, _Read(page)


def test_the_page_is_one_file_that_loads_nothing_and_runs_nothing(
    enough: tuple[Calibration, Fitted], tmp_path: Path
) -> None:
    page, read = written(tmp_path / "lobby.html", enough[0], DecisionConfig(), enough[1])
    assert not {"script", "link", "img", "iframe", "object"} & set(read.elements)
    assert all(address.startswith("#") for address in read.addresses)
    assert not re.search(r"@import|url\((?!#)", page)
    assert "prefers-color-scheme: dark" in page


def test_it_tells_the_promise_the_threshold_and_what_both_stand_on(
    enough: tuple[Calibration, Fitted], tmp_path: Path
) -> None:
    calibration, fitted = enough
    asked = DecisionConfig(false_alarms_per_stream_day=0.3)
    _, read = written(tmp_path / "lobby.html", calibration, asked, fitted)
    promise = calibration.promise(asked)
    assert promise.kept
    assert "calibrated: true; at most 0." in read.text
    assert f"threshold {promise.threshold:.2f}: 0.3 false alarms a day" in read.text
    assert "as if all sessions had been shuffled" in read.text
    assert "It is an average over calibrations" in read.text
    assert f"encoder some/encoder ({'ab' * 8})" in read.text
    assert "faces.min_face_px 90" in read.text
    sure = DecisionConfig(false_alarms_per_stream_day=0.3, confidence=0.9)
    _, read = written(tmp_path / "lobby.html", calibration, sure, fitted)
    assert "It is right in 90% of calibrations" in read.text
    assert f"threshold {calibration.promise(sure).threshold:.2f}: 0.3" in read.text


def test_it_tells_how_reliable_scores_are_of_each_quality(enough: tuple[Calibration, Fitted], tmp_path: Path) -> None:
    calibration, fitted = enough
    page, read = written(tmp_path / "lobby.html", calibration, DecisionConfig(), fitted)
    assert fitted.reliability is not None
    assert len(fitted.by_quality) == 3
    for found in (fitted.reliability, *fitted.by_quality):
        assert f"ECE {found.error:.3f}" in page
    assert [each.least_quality for each in fitted.by_quality] == [each.least_quality for each in calibration.curves]
    _, read = written(tmp_path / "lobby.html", calibration, DecisionConfig(), None)
    assert f"ECE {calibration.calibration_error:.3f} on sessions left out" in read.text


def test_sessions_are_listed_with_what_they_would_have_raised(tmp_path: Path) -> None:
    calibration, fitted = footage(3)
    asked = DecisionConfig(false_alarms_per_stream_day=100)
    page, _ = written(tmp_path / "lobby.html", calibration, asked, fitted)
    threshold = calibration.promise(asked).threshold
    rows = re.findall(r"day &lt;(\d)&gt; &amp; night</th>(.*?)</tr>", page)
    assert [number for number, _ in rows] == ["0", "1", "2"]
    for (_, row), session in zip(rows, calibration.sessions, strict=True):
        (peak,) = session.peaks
        assert f"<td>{peak:.2f}</td>" in row
        assert row.endswith(f"<td class=sure>{1 if peak >= threshold else ''}</td>")
    assert "<0>" not in page


def test_many_sessions_are_those_that_came_highest(enough: tuple[Calibration, Fitted], tmp_path: Path) -> None:
    calibration, _ = enough
    many = tuple(
        Session(name=f"s{number}", tracks=(Track(peak=0.01 * number, blocks=9, mean=-2, deviation=1),))
        for number in range(500)
    )
    page, read = written(
        tmp_path / "lobby.html", calibration.model_copy(update={"sessions": many}), DecisionConfig(), None
    )
    assert "200 of 500: those whose faces came highest" in read.text
    assert re.findall(r">s(\d+)</th>", page) == [str(number) for number in range(300, 500)]


def test_little_footage_is_told_with_the_hours_that_are_missing(tmp_path: Path) -> None:
    calibration, fitted = footage(2, seconds=20)
    _, read = written(tmp_path / "lobby.html", calibration, DecisionConfig(), fitted)
    missing = calibration.promise(DecisionConfig()).missing_hours
    assert "calibrated: false; 0.1 a day cannot be promised" in read.text
    assert f"{missing:,.1f} h more are missing" in read.text
    assert "No curves: 40 scored crops and 20 made fakes are too few" in read.text
    assert "which does not promise enough" in read.text


def test_a_calibration_without_any_face_in_a_session_still_has_a_page(tmp_path: Path) -> None:
    calibration, _ = footage(2, seconds=20)
    empty = tuple(session.model_copy(update={"peaks": (), "blocks": 0}) for session in calibration.sessions)
    _, read = written(tmp_path / "x.html", calibration.model_copy(update={"sessions": empty}), DecisionConfig(), None)
    assert "0 faces" in read.text


def test_the_report_lies_beside_the_calibration_unless_said_otherwise(tmp_path: Path) -> None:
    out = tmp_path / "lobby.json"
    assert place_report(out, None, Console()) == tmp_path / "lobby.html"
    assert place_report(out, tmp_path / "other.htm", Console()) == tmp_path / "other.htm"
    with pytest.raises(ConfigError, match=r"--report: .* is the calibration itself"):
        place_report(tmp_path / "lobby.html", None, Console())
    with pytest.raises(ConfigError, match=r"--report: .*: no such folder"):
        place_report(out, tmp_path / "gone" / "lobby.html", Console())


def test_without_matplotlib_a_calibration_is_made_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "find_spec", lambda _: None)
    told = io.StringIO()
    assert place_report(tmp_path / "lobby.json", None, Console(file=told, width=200)) is None
    assert "no report: the report needs matplotlib: pip install" in told.getvalue()
    with pytest.raises(ConfigError, match="--report: the report needs matplotlib"):
        place_report(tmp_path / "lobby.json", tmp_path / "lobby.html", Console())


def test_a_report_that_cannot_be_written_is_said(enough: tuple[Calibration, Fitted], tmp_path: Path) -> None:
    (tmp_path / "lobby.html").mkdir()
    with pytest.raises(MonitorError, match=r"lobby\.html: cannot be written"):
        write_report(tmp_path / "lobby.html", "lobby.json", enough[0], DecisionConfig(), None)

"""The tables on cached logits of the demo encoder: they print, and only of the weights that are bundled."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import decision_footage
from benchmarks.decision_clips import clip_delays, clip_promises
from benchmarks.decision_footage import Source, called
from benchmarks.decision_logits import CACHE, Call, Logits, read
from benchmarks.decision_measures import Judge
from gend.data.lowres import face_width
from gend.data.portraits import PORTRAITS
from monitor.config import MonitorConfig
from monitor.decision.evidence import TrackEvidence
from monitor.decision.likelihood import LikelihoodRatio
from monitor.decision.population import Population
from monitor.decision.scores import Curve, Scorer, weight_of
from monitor.parts import load_parts

ROOT = Path(__file__).parents[3]


def test_cache_is_of_the_bundled_weights_and_holds_small_numbers_only() -> None:
    logits = read()
    assert CACHE.stat().st_size < 200_000
    assert len({call.person for call in logits.calls}) >= 20
    for call in logits.calls:
        columns = [call.second, call.quality, call.real, call.lowres, call.selfblend, call.curve]
        assert {column.shape for column in columns} == {call.second.shape}
        assert all(np.isfinite(column).all() for column in columns)


def test_read_of_other_weights_refuses_in_one_line(tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"others")
    with pytest.raises(
        SystemExit, match=r"^\S+: logits of the weights [0-9a-f]{12}, but other\S+ is [0-9a-f]{12}; .*$"
    ):
        read(weights=other)


def test_read_without_a_cache_says_how_it_is_made(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"no such file; python -m benchmarks\.decision_footage FOLDER"):
        read(tmp_path / "none.npz")


def test_read_gives_back_what_was_written(tmp_path: Path) -> None:
    known = read()
    Logits(known.sha256, "here", known.calls[:2]).write(tmp_path / "two.npz")
    again = read(tmp_path / "two.npz")
    assert again.made == "here"
    for call, before in zip(again.calls, known.calls, strict=False):
        assert call.person == before.person
        np.testing.assert_array_equal(call.second, before.second)
        np.testing.assert_allclose(call.lowres, before.lowres, atol=0.005)


def test_evidence_is_what_the_monitor_makes_of_crops_of_any_quality() -> None:
    rng = np.random.default_rng(0)
    logits, quality = rng.normal(0, 3, (60, 1)), rng.uniform(0, 1, (60, 1))
    logits[20:25] = quality[20:25] = np.nan
    scorer = Scorer((0.0, 0.3), (Curve("platt", 0.5, 0.5, 0.1), Curve("beta", 1.0, 0.7, 0.0)))
    rule = LikelihoodRatio(Population(mean=-0.5, between=0.5, noise=2.0, shift=1.0))
    live = TrackEvidence(rule)
    said = Judge(scorer, rule).evidence(logits, quality)
    assert said.max() > 0.1
    for second, (logit, of) in enumerate(zip(logits[:, 0], quality[:, 0], strict=True)):
        if not np.isnan(logit):
            live.add(scorer.score(float(logit), float(of)), float(second), weight_of(float(of)))
        assert said[second, 0] == pytest.approx(live.fake if live.blocks >= 8 else 0.0)


def test_promises_are_told_for_people_apart_and_for_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    clip_promises(0.03)
    rows = cells(capsys.readouterr().out)
    promised = [row for row in rows if row[0].startswith(("others", "the same"))]
    assert len(promised) == 10
    assert all(0 < float(row[4]) <= float(row[2]) for row in promised)
    assert all(re.fullmatch(r"\S+ \[\S+, \S+\]", row[5]) for row in promised)


def test_known_manipulation_is_found_sooner_than_an_unknown_one(capsys: pytest.CaptureFixture[str]) -> None:
    clip_delays(0.05)
    rows = cells(capsys.readouterr().out)
    ours = [int(row[2].rstrip("%")) for row in rows if row[0].startswith("10") and row[1] == "ours"]
    assert len(ours) == 2
    assert ours[0] > ours[1]
    assert {row[1] for row in rows} >= {"ours", "mean of 32", "median of 10", "confident strategy", "EWMA 0.02"}


def test_table_is_one_of_the_benchmark() -> None:
    command = [sys.executable, "-m", "benchmarks.decision", "--table", "clips-promise", "--share", "0.03"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "| others, in several calls each | on average | 10 | 30 |" in done.stdout


def test_called_follows_a_face_and_finds_the_manipulation_that_the_encoder_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decision_footage, "SECONDS", 6)
    config = MonitorConfig.model_validate(
        {"streams": [{"name": "call", "url": "file:call.mp4"}], "encoder": {"weights": "demo"}}
    )
    portrait = next(each for each in PORTRAITS if each.name == "astronaut")
    picture, landmarks = portrait.load()
    x, y = landmarks.mean(axis=0)
    source = Source(7, [picture], (float(x), float(y)), face_width(landmarks))
    call = called(source, config, load_parts(config), np.random.default_rng(1))
    assert call.person == 7
    assert len(call.second) >= 4
    assert np.median(call.lowres) > np.median(call.real) + 2


def test_by_second_leaves_gaps_where_nothing_was_scored() -> None:
    values = np.array([1.0, 2.0, 4.0])
    call = Call(0, np.array([3, 3, 5]), values, values, values, values, values)
    np.testing.assert_array_equal(call.by_second("real"), [1.5, np.nan, 4.0])


def cells(printed: str) -> list[list[str]]:
    lines = [line for line in printed.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]

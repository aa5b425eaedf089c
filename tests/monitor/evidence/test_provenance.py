from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from monitor.config import MonitorConfig
from monitor.errors import EvidenceError
from monitor.evidence import provenances_of


def config(calibration: Path | None, password: str = "secret", own: Path | None = None) -> MonitorConfig:
    address = f"rtsp://user:{password}@camera.example/main"
    streams = [
        {"name": "lobby", "url": address},
        {"name": "gate", "url": address, "calibration": None if own is None else str(own)},
    ]
    decision = {"calibration": None if calibration is None else str(calibration)}
    return MonitorConfig.model_validate({"streams": streams, "decision": decision})


def test_the_calibration_that_judged_is_told_by_its_hash(tmp_path: Path) -> None:
    path, own = tmp_path / "lobby.json", tmp_path / "gate.json"
    path.write_text("{}")
    own.write_text("[]")

    def told(made: MonitorConfig) -> list[str | None]:
        return [provenances_of(made)[stream].calibration_sha256 for stream in ("lobby", "gate")]

    of_all, of_gate = (hashlib.sha256(text).hexdigest() for text in (b"{}", b"[]"))
    assert told(config(None)) == [None, None]
    assert told(config(path)) == [of_all, of_all]
    assert told(config(path, own=own)) == [of_all, of_gate]
    assert told(config(None, own=own)) == [None, of_gate]


def test_a_calibration_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match=r"decision\.calibration: .*gone\.json: No such file"):
        provenances_of(config(tmp_path / "gone.json"))
    with pytest.raises(EvidenceError, match=r"streams\.gate\.calibration: .*gone\.json: No such file"):
        provenances_of(config(None, own=tmp_path / "gone.json"))


def test_the_configuration_s_hash_changes_with_what_is_asked_for_and_not_with_a_password() -> None:
    mine = config(None)
    assert provenances_of(mine) == provenances_of(config(None, password="other"))
    other = mine.model_copy(update={"decision": mine.decision.model_copy(update={"threshold": 3.0})})
    hashes = [provenances_of(each)["lobby"].configuration_sha256 for each in (mine, other)]
    assert hashes[0] != hashes[1]

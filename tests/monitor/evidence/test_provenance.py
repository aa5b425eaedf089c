from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from monitor.config import MonitorConfig
from monitor.errors import EvidenceError
from monitor.evidence import provenance_of


def config(calibration: Path | None, password: str = "secret") -> MonitorConfig:
    streams = [{"name": "lobby", "url": f"rtsp://user:{password}@camera.example/main"}]
    decision = {"calibration": None if calibration is None else str(calibration)}
    return MonitorConfig.model_validate({"streams": streams, "decision": decision})


def test_the_calibration_that_judged_is_told_by_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "lobby.json"
    path.write_text("{}")
    assert provenance_of(config(path)).calibration_sha256 == hashlib.sha256(b"{}").hexdigest()
    assert provenance_of(config(None)).calibration_sha256 is None


def test_a_calibration_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match=r"decision\.calibration: .*gone\.json: No such file"):
        provenance_of(config(tmp_path / "gone.json"))


def test_the_configuration_s_hash_changes_with_what_is_asked_for_and_not_with_a_password() -> None:
    mine = config(None)
    assert provenance_of(mine) == provenance_of(config(None, password="other"))
    other = mine.model_copy(update={"decision": mine.decision.model_copy(update={"threshold": 3.0})})
    assert provenance_of(other).configuration_sha256 != provenance_of(mine).configuration_sha256

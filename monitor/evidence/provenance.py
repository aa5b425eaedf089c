"""Hashes of what judged, so that it can be told later whether two alerts were judged alike."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from pathlib import Path

from monitor.config import MonitorConfig
from monitor.errors import EvidenceError
from monitor.evidence.manifest import Provenance, file_entry


def provenance_of(config: MonitorConfig) -> Provenance:
    """What stands behind every alert of this configuration.

    Raises:
        EvidenceError: the calibration file cannot be read.
    """
    calibration = config.decision.calibration
    return Provenance(
        calibration_sha256=None if calibration is None else _sha256(calibration),
        configuration_sha256=configuration_sha256(config),
        software=f"gend-monitor {importlib.metadata.version('gend-monitor')}",
    )


def configuration_sha256(config: MonitorConfig) -> str:
    """Of the configuration as JSON, with its keys sorted, every default filled in and every secret hidden."""
    text = json.dumps(config.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _sha256(path: Path) -> str:
    try:
        return file_entry(path).sha256
    except OSError as error:
        raise EvidenceError(f"decision.calibration: {path}: {error.strerror or error}") from error
